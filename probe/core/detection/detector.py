"""Watches every probe, and names what is at fault. It reads no clock and does no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from probe.core.change import Change
from probe.core.component import Component, Fault, Named
from probe.core.detection.baseline import Baselines
from probe.core.detection.case import Details
from probe.core.detection.cases import REFRESH, Cases
from probe.core.detection.docket import Accusation, Docket
from probe.core.detection.history import History
from probe.core.detection.lesson import Lessons
from probe.core.detection.naming import Naming
from probe.core.detection.observation import DESIGN_SHARE, Observation, Weight
from probe.core.detection.topology import Topology
from probe.core.detection.walk import Sums, Walk
from probe.core.detection.wish import Wishes
from probe.core.incident import End, Grievance, Incident
from probe.core.model import Attempt, Phase, Probe, Relay, Route, RouteKey
from probe.core.reach import Reach
from probe.core.sight import Sight

MISSED = 0.5  # nats from which on it is asked whether a message is there by now.
REMEMBERED = 60.0  # s after a start for which what nothing is known of yet is taken for true.


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a look at everything amounts to."""

    wishes: tuple[RouteKey, ...]  # Confirmation probes to be sent now.
    incidents: tuple[Incident, ...]  # Those that have opened, changed or closed.
    asks: tuple[str, ...] = ()  # Mailboxes that should be read right now.
    wonders: bool = False  # Whether anything outside answers us is of interest.


class Detector:
    """Is told what happens to probes, and answers what is wrong."""

    def __init__(
        self,
        sights: Mapping[str, Sight],
        baselines: Baselines,
        *,
        incidents: Iterable[Incident] = (),
        wall: Callable[[float], float] = lambda moment: moment,
    ) -> None:
        """`sights` are kept up to date by the caller; `incidents`: what the last run left open.

        `wall` gives the Unix time of a moment, for the evidence.
        """
        self.baselines = baselines
        self._sights = sights
        self._lessons = Lessons(baselines)
        self._history = History(sights, baselines, self._lessons)
        self._walk = Walk()
        self._blind: set[str] = set()  # Mailboxes, at the last look.
        self._routes: dict[RouteKey, Route] = {}
        self._relays: Mapping[str, Relay] = {}
        self._learned: dict[RouteKey, None] = {}
        self._topology = Topology(())
        self._declared: dict[Component, tuple[Named, ...]] = {}
        self._surroundings: dict[Component, tuple[float, Details]] = {}  # And when looked at.
        self._docket = Docket(incidents)
        self._remembered = dict(self._docket.open)  # What nothing is known of yet in this run.
        self._forgetting: float | None = None  # When that is forgotten.
        self._cases = Cases(
            self._history,
            self._lessons,
            self._docket,
            wall=wall,
            changed=self._walk.restart,
        )
        self._naming = Naming(self._cases, self._history, sights)
        self._wanted = Wishes(self._cases, self._history, baselines)

    @property
    def open(self) -> tuple[Incident, ...]:
        """The open incidents, the newest first."""
        return tuple(sorted(self._docket.open.values(), key=lambda one: -one.opened))

    @property
    def proven(self) -> AbstractSet[Component]:
        """The components through which a probe has come."""
        return self._history.proven

    # ---- what there is

    def follow(
        self,
        routes: Iterable[Route],
        relays: Mapping[str, Relay],
        *,
        slow_after: float = 5.0,
        aim: Reach = Reach.WORLD,
    ) -> None:
        """From now on these routes are in force; `aim`: how far away their furthest node is."""
        self._routes = {route.key: route for route in routes}
        self._relays = relays
        self._history.slow_after = slow_after
        self._history.answers.aim = aim
        known = {(key.relay, "", key.sender, key.mailbox) for key in self._routes if not key.node}
        self._learned = {
            key: None for key in self._learned if (key.relay, "", key.sender, key.mailbox) in known
        }
        self._arrange()

    def forget(self, relay: str, node: str) -> None:
        """A learned node is gone."""
        gone = [key for key in self._learned if (key.relay, key.node) == (relay, node)]
        for key in gone:
            del self._learned[key]
        if gone:
            self._arrange()

    def retire(self, component: Component, now: float) -> None:
        """It is gone: taken out of DNS, or of the configuration."""
        self.declare(component, ())
        self._docket.close(component, End.RETIRED, now)

    def _arrange(self) -> None:
        self._topology = Topology(self._routes.values(), self._learned)
        fact = math.exp(self._topology.threshold / 2 + 0.05)
        self._history.fact_odds = (fact - 1.0 + DESIGN_SHARE) / DESIGN_SHARE
        self._cases.follow(self._topology, self._relays)
        self._history.keep(frozenset(self._topology.routes))
        self._wanted.follow(self._routes)
        self._walk.restart()

    # ---- what happens

    def launched(self, probe: Probe) -> None:
        """A probe is about to be submitted."""
        self._history.launched(probe)

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        """A submission has come to a phase, or pauses (None)."""
        self._history.entered(sequence, phase, moment)

    def attempted(self, sequence: int, attempt: Attempt, learned: str) -> None:
        """A submission has ended; `learned` is the node that its greeting told, if so."""
        one = self._history.submitting.get(sequence)
        self._history.attempted(sequence, attempt, learned)
        if one is None:
            return
        self._wanted.heard(one.key.relay, attempt)
        if learned and one.key not in self._topology and one.key not in self._learned:
            self._learned[one.key] = None
            self._arrange()

    def dropped(self, sequence: int) -> None:
        """A submission was cut off by us, or says nothing."""
        self._history.dropped(sequence)

    def changed(self, change: Change) -> None:
        """The ledger has decided something."""
        self._history.changed(change)

    def resolved(self, moment: float, reach: Reach) -> None:
        """A DNS server so far away has answered us."""
        self._history.resolved(moment, reach)

    def declare(self, component: Component, faults: tuple[Named, ...]) -> None:
        """What is known to be wrong with a component by itself, without any probe."""
        if faults:
            self._declared[component] = faults
        else:
            self._declared.pop(component, None)
            self._surroundings.pop(component, None)

    # ---- a look at everything

    def tick(self, now: float) -> Diagnosis:
        """Look at everything; to be called about twice a second."""
        self._prepare(now)
        sums = self._sum(now)
        self._naming.decide(sums, now)
        accusations = [*self._cases.review(now), *self._declarations(now)]
        self._docket.accuse(_united(accusations), now)
        self._lessons.pass_on(now, self._troubled(sums))
        wishes = tuple(self._wanted.on(sums, self._naming.rivals, now))
        question = self._naming.question
        asking = question is not None and not self._naming.has_answered(question)
        asks = {one.key.mailbox for one in self._walk.missing(MISSED)}
        if asking:
            asks.update(self._sights)
        wonders = self._naming.wonders or self._history.answers.are_wanted(now)
        return Diagnosis(wishes, self._docket.told(), tuple(sorted(asks)), wonders)

    def denied(self, key: RouteKey) -> None:
        """A confirmation probe of the newest look could not be sent: it is wished for again."""
        self._wanted.denied(key)

    def has_answered(self, since: float) -> bool:
        """Whether anything outside has answered us since then: a relay, or another mailbox."""
        return self._naming.has_answered(since)

    def has_resolved(self, since: float) -> bool:
        """Whether any DNS server has answered us since then."""
        return self._history.answers.resolved > since

    def _prepare(self, now: float) -> None:
        full = {one for one, faults in self._declared.items() if _is_full(faults)}
        self._history.fill({one.mailbox for one in full}, now)
        if dropped := self._history.forget(now):
            self._walk.dropped(dropped)
        before, self._blind = self._blind, {m for m, sight in self._sights.items() if sight.blind}
        if self._history.amended or before - self._blind:
            self._history.amended = False
            self._walk.restart()
        if self._forgetting is None:
            self._forgetting = now + REMEMBERED
        for incident in [*self._remembered.values()]:  # Its routes may only join in a while.
            if self._cases.resume(incident, now):
                del self._remembered[incident.component]
        if now >= self._forgetting:
            self._remembered.clear()

    def _sum(self, now: float) -> Sums:
        def weigh(one: Observation) -> Weight | None:
            weight = self._history.weigh(one, now)
            return None if weight is None or self._cases.is_explained(one, weight) else weight

        return self._walk.on(
            self._history.observations, self._topology, weigh=weigh, rests=self._history.rests
        )

    def _declarations(self, now: float) -> Iterator[Accusation]:
        for component in [*self._remembered]:
            if component in self._declared:
                del self._remembered[component]
        for component, known in self._remembered.items():
            yield Accusation(component, known.since, known.faults, known.share, known.alternatives)
        for component, faults in self._declared.items():
            since = min(one.since for one in faults)
            around = self._around(component, since, now)
            yield Accusation(
                component,
                since=since,
                faults=tuple(
                    Grievance(one.fault, one.since, confirmed=now if one.confirmed(now) else None)
                    for one in faults
                ),
                evidence=tuple(line for one in faults for line in one.evidence),
                unaffected=around.unaffected,
                standby=around.standby,
            )

    def _around(self, component: Component, since: float, now: float) -> Details:
        """What works beside a component that is declared at fault, as it was a moment ago."""
        known = self._surroundings.get(component)
        if known is None or now - known[0] >= REFRESH:
            known = now, self._cases.details(component, since, now)
            self._surroundings[component] = known
        return known[1]

    def _troubled(self, sums: Sums) -> dict[str, float]:
        """Since when each relay is in trouble, if it is."""
        troubled: dict[str, float] = {}
        spans = [(self._cases.routes_of(case.component), case.since) for case in self._cases.open]
        for number, nats in enumerate(sums.nats):
            if nats >= self._topology.threshold:
                spans.append((self._topology.series[number].routes, sums.onset[number]))
        for routes, since in spans:
            for relay in {key.relay for key in routes}:
                troubled[relay] = min(since, troubled.get(relay, since))
        return troubled


def _is_full(faults: Iterable[Named]) -> bool:
    return any(one.fault is Fault.FULL for one in faults)


def _united(accusations: Sequence[Accusation]) -> list[Accusation]:
    """One accusation for each component: what probes tell leads, what is known besides follows."""
    united: dict[Component, Accusation] = {}
    for one in accusations:
        first = united.get(one.component)
        if first is None:
            united[one.component] = one
            continue
        known = {grievance.fault for grievance in first.faults}
        more = tuple(grievance for grievance in one.faults if grievance.fault not in known)
        united[one.component] = replace(
            first,
            since=min(first.since, one.since),
            faults=(*first.faults, *more),
            evidence=(*one.evidence, *first.evidence),
        )
    return [*united.values()]
