"""The loop that asks the detector what is wrong, and does what follows from it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from probe.core.component import Component, Fault, Kind, Named
from probe.core.detection.detector import Detector
from probe.core.incident import MOST_EVIDENCE, Grievance, Incident
from probe.core.model import Mailbox, Relay, RouteKey, Sender, State
from probe.core.reach import furthest
from probe.core.sentence import told
from probe.core.status import ComponentStatus, FaultStatus
from probe.engine.findings import Findings
from probe.engine.learner import Learner
from probe.engine.roster import Roster
from probe.engine.supervisor import Beat
from probe.ports import Clock, Journal, Metrics

log = logging.getLogger("probe.incident")

TURN = 0.5  # s
KEEPING = 60.0  # s between two times that what was learned is written to the journal.
SHOWN = 200  # Closed incidents that are remembered.
DOWN = 0.5  # The failing share from which on a component is down.
WONDERING = 3.0  # s between two probes that are to show whether anything answers us.
PATIENCE = 30.0  # s after which a mailbox that does not answer is called so all the same.


class Bursts(Protocol):
    """Who sends confirmation probes."""

    def confirm(self, key: RouteKey) -> bool:
        """Send one on this route now; False where that cannot be."""


class Readers(Protocol):
    """Who reads the mailboxes."""

    def ask(self, mailbox: str) -> None:
        """Look into a mailbox right now: whether it answers is of interest."""


class Outside(Protocol):
    """Who tells whether our own network works."""

    def ask(self) -> None:
        """Find out right now."""


@dataclass(frozen=True, slots=True)
class Configured:
    """What there is to be diagnosed, beside nodes and routes."""

    relays: Mapping[str, Relay]
    senders: Iterable[Sender]
    mailboxes: Iterable[Mailbox]
    slow_after: float = 5.0  # s


class Diagnostician:
    """Keeps how every component stands, and the incidents."""

    def __init__(
        self,
        detector: Detector,
        configured: Configured,
        *,
        findings: Findings,
        roster: Roster,
        learner: Learner,
        bursts: Bursts,
        readers: Readers,
        outside: Outside,
        journal: Journal,
        metrics: Metrics,
        clock: Clock,
        closed: Iterable[Incident] = (),
        remarks: Callable[[Incident], tuple[str, ...]] = lambda incident: (),
    ) -> None:
        """`closed`: incidents of former runs that are over, in any order.

        `remarks` are what others have to say of an incident: evidence, too.
        """
        self._detector = detector
        self._configured = configured
        self._findings = findings
        self._roster = roster
        self._learner = learner
        self._bursts = bursts
        self._readers = readers
        self._outside = outside
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._closed = deque(sorted(closed, key=lambda one: one.closed or 0.0), maxlen=SHOWN)
        self._remarks = remarks
        self._known = {one.id: one for one in detector.open}
        self._followed: object = None
        self._learned: frozenset[tuple[str, str]] = frozenset()
        self._present: frozenset[Component] = frozenset()  # All there are, but combinations.
        self._declared: frozenset[Component] = frozenset()
        self._statuses: dict[Component, ComponentStatus] = {}
        self._kept = clock.now()
        self._wondered = clock.now()
        self._turn = 0

    def follow(self, configured: Configured) -> None:
        """From now on this is configured."""
        self._configured = configured
        self._followed = None

    async def run(self, beat: Beat) -> None:
        """Turn for ever."""
        while True:
            beat()
            self.turn()
            await asyncio.sleep(TURN)

    def turn(self) -> None:
        """Look at everything once."""
        now = self._clock.now()
        self._follow_routes(now)
        self._findings.refresh()
        self._declare(now)
        diagnosis = self._detector.tick(now)
        for key in diagnosis.wishes:
            if not self._bursts.confirm(key):
                self._detector.denied(key)
        for mailbox in diagnosis.asks:
            self._readers.ask(mailbox)
        if diagnosis.wonders:
            self._outside.ask()
        for incident in diagnosis.incidents:
            self._take_down(incident)
        self._show(now)
        self._keep(now)

    def components(self) -> tuple[ComponentStatus, ...]:
        """How every component stands; moments are Unix times."""
        return tuple(self._statuses.values())

    def incidents(self) -> tuple[Incident, ...]:
        """The open ones, then those that are over, each the newest first; in Unix times."""
        closed = reversed(self._closed)
        opened = map(self._remarked, self._detector.open)
        return tuple(self._dated(one) for one in (*opened, *closed))

    # ---- what the detector is told

    def _follow_routes(self, now: float) -> None:
        learned = self._learner.nodes
        if self._followed == (self._roster.version, learned):
            return
        self._followed = (self._roster.version, learned)
        for relay, node in self._learned - learned:
            self._detector.forget(relay, node)
        self._learned = learned
        present = frozenset(self._all())
        for component in self._present - present:
            self._detector.retire(component, now)
        self._present = present
        self._findings.keep(present)
        self._detector.follow(
            self._roster.routes,
            self._configured.relays,
            slow_after=self._configured.slow_after,
            aim=furthest(node.host for node in self._roster.nodes),
        )

    def _declare(self, now: float) -> None:
        """Tell of faults that are known by themselves, without any probe.

        What a submission shows of a node that has gone meanwhile is nobody's.
        """
        named = self._findings.named()
        known = {one: faults for one, faults in named.items() if one in self._present}
        for component in self._declared - known.keys():
            self._detector.declare(component, ())
        self._declared = frozenset(known)
        for component, faults in known.items():
            certain = tuple(one for one in faults if self._is_certain(one, now))
            self._detector.declare(component, certain)
            if len(certain) < len(faults):
                self._wonder(now)

    def _is_certain(self, one: Named, now: float) -> bool:
        """Whether it is not just that nobody answers us: then it is our own network."""
        if one.fault is not Fault.UNREADABLE:
            return True
        if any(incident.component.kind is Kind.PROBER for incident in self._detector.open):
            return False
        return self._detector.has_answered(one.since) or now - one.since > PATIENCE

    def _wonder(self, now: float) -> None:
        """Ask, and send a probe, to see whether anything answers us."""
        self._outside.ask()
        keys = sorted(route.key for route in self._roster.routes)
        if keys and now - self._wondered >= WONDERING:
            self._wondered = now
            self._turn += 1
            self._bursts.confirm(keys[self._turn % len(keys)])

    # ---- what it says

    def _take_down(self, incident: Incident) -> None:
        """Into the journal, and into the log in one sentence."""
        incident = self._remarked(incident)
        self._journal.save_incident(incident)
        before = self._known.get(incident.id)
        former = None if before is None else self._dated(before)
        if sentence := told(self._dated(incident), former):
            level = logging.INFO if incident.closed is not None else logging.WARNING
            log.log(level, "%s", sentence, extra={"fields": {"incident": incident.id}})
        if incident.closed is None:
            self._known[incident.id] = incident
        else:
            self._known.pop(incident.id, None)
            self._closed.append(incident)

    def _keep(self, now: float) -> None:
        if now - self._kept >= KEEPING:
            self._kept = now
            self.keep()

    def keep(self) -> None:
        """Write down what would be lost: what was learned, and the evidence of what is open."""
        self._journal.keep_baselines(self._detector.baselines.rows())
        for incident in self._detector.open:
            self._journal.save_incident(self._remarked(incident))

    # ---- what is shown

    def _show(self, now: float) -> None:
        incidents = {one.component: self._remarked(one) for one in self._detector.open}
        statuses: dict[Component, ComponentStatus] = {}
        for component in dict.fromkeys((*self._all(), *incidents)):
            statuses[component] = self._status(component, incidents.get(component), now)
        for component, status in self._statuses.items():
            if component not in statuses and component.kind is Kind.ROUTE:
                self._metrics.diagnosed(replace(status, state=State.OK, faults=(), share=None))
        for component, status in statuses.items():
            if self._statuses.get(component) != status:
                self._metrics.diagnosed(status)
        self._statuses = statuses

    def _all(self) -> Iterator[Component]:
        """Every component that there is, but combinations."""
        yield Component(Kind.PROBER)
        for relay in self._configured.relays:
            yield Component(Kind.RELAY, relay=relay)
        nodes = {(node.relay, node.name) for node in self._roster.nodes if node.name}
        for relay, node in sorted(nodes | self._learner.nodes):
            yield Component(Kind.NODE, relay=relay, node=node)
        for sender in self._configured.senders:
            yield Component(Kind.SENDER, sender=sender.name)
        for mailbox in self._configured.mailboxes:
            yield Component(Kind.MAILBOX, mailbox=mailbox.name)

    def _status(
        self, component: Component, incident: Incident | None, now: float
    ) -> ComponentStatus:
        state = self._state(component, incident)
        before = self._statuses.get(component)
        since = before.since if before is not None and before.state is state else self._wall(now)
        if incident is None:
            return ComponentStatus(component, state, since)
        return ComponentStatus(
            component,
            state,
            since,
            faults=tuple(self._fault(one, incident) for one in incident.faults),
            share=incident.share,
            alternatives=incident.alternatives,
        )

    def _fault(self, one: Grievance, incident: Incident) -> FaultStatus:
        leading = one is incident.faults[0]
        return FaultStatus(
            one.fault,
            self._wall(one.since),
            confirmed=one.confirmed is not None,
            evidence=incident.evidence if leading else (),
        )

    def _state(self, component: Component, incident: Incident | None) -> State:
        if incident is not None:
            unreadable = any(one.fault is Fault.UNREADABLE for one in incident.faults)
            down = incident.share is not None and incident.share.low >= DOWN
            return State.DOWN if unreadable or down else State.DEGRADED
        if component.kind is Kind.MAILBOX and self._findings.is_blind(component.mailbox):
            return State.UNKNOWN
        return State.OK if self._is_known(component) else State.UNKNOWN

    def _is_known(self, component: Component) -> bool:
        """Whether a probe has come through it, or it is a mailbox that is merely read."""
        if component.kind is Kind.MAILBOX:
            return True
        return component in self._detector.proven

    def _remarked(self, incident: Incident) -> Incident:
        """An incident with what others have to say of it, at the head of the evidence."""
        said = self._remarks(incident)
        told = (line for line in incident.evidence if line not in said)
        return replace(incident, evidence=(*said, *told)[:MOST_EVIDENCE]) if said else incident

    def _dated(self, incident: Incident) -> Incident:
        """An incident with its moments as Unix times."""
        return replace(
            incident,
            opened=self._wall(incident.opened),
            changed=self._wall(incident.changed),
            since=self._wall(incident.since),
            closed=None if incident.closed is None else self._wall(incident.closed),
            faults=tuple(
                replace(
                    one,
                    since=self._wall(one.since),
                    confirmed=None if one.confirmed is None else self._wall(one.confirmed),
                )
                for one in incident.faults
            ),
        )

    def _wall(self, moment: float) -> float:
        # To the ms: what stays the same must not seem to change with each reading of the clocks.
        return round(self._clock.wall(moment), 3)
