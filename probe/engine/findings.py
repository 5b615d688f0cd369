"""Keeps what is wrong with each mailbox: logged and counted as it begins and ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from probe.core.component import Component, Fault, Kind, Named, state_of
from probe.core.mailbox_faults import MailboxFaults
from probe.core.model import Attempt, Bounce, Folder, Probe, State
from probe.core.outcome import evidence
from probe.core.quota import Quota, says_full
from probe.core.sight import Sight
from probe.core.status import ComponentStatus, FaultStatus
from probe.ports import Clock, Metrics

log = logging.getLogger("probe.findings")


class Findings:
    """The components that can be at fault, with their faults."""

    def __init__(self, sights: Mapping[str, Sight], *, metrics: Metrics, clock: Clock) -> None:
        """`sights`: what could be seen of each mailbox; there are as many as it has."""
        self._sights = sights
        self._metrics = metrics
        self._clock = clock
        self._faults: dict[str, MailboxFaults] = {}
        self._named: dict[str, tuple[Named, ...]] = {}
        self._states: dict[str, tuple[State, float]] = {}  # And since when.
        self._declared: dict[Component, tuple[tuple[Named, ...], float]] = {}  # Likewise.

    # ---- what happens

    def measured(self, mailbox: str, quota: Quota | None) -> None:
        """The quota of a mailbox was read; None where it has none."""
        self._of(mailbox).measured(quota)
        self._look(mailbox)

    def answered(self, probe: Probe, attempt: Attempt) -> None:
        """An attempt to submit a probe has ended."""
        reply = attempt.reply
        if reply is not None and says_full(reply.enhanced, reply.code):
            self._refused(probe, evidence(attempt))

    def returned(self, probe: Probe, bounce: Bounce) -> None:
        """A DSN came about a probe."""
        if says_full(bounce.status):
            self._refused(probe, f"DSN {bounce.action} {bounce.status} {bounce.text}".strip())

    def arrived(self, probe: Probe) -> None:
        """A probe was found in its mailbox."""
        self._of(probe.route.mailbox).arrived(probe.launched)
        self._look(probe.route.mailbox)

    def read(self, mailbox: str) -> None:
        """What can be seen of a mailbox has changed."""
        self._look(mailbox)

    def failed(self, mailbox: str, folder: Folder, why: str) -> None:
        """A folder could not be read."""
        self._of(mailbox).failed(folder, self._clock.now(), why)
        self._look(mailbox)

    def declare(self, component: Component, faults: tuple[Named, ...] | None) -> None:
        """What others know to be wrong with a component; None: it is not looked at any more."""
        if faults is None:
            self._declared.pop(component, None)
            return
        before, since = self._declared.get(component, ((), self._clock.now()))
        if bool(before) != bool(faults):
            since = self._clock.now()
        self._declared[component] = faults, since
        self._metrics.diagnosed(self._declared_status(component))

    def refresh(self) -> None:
        """Time has passed; what is not configured any more is forgotten."""
        for gone in self._states.keys() - self._sights.keys():
            for known in (self._faults, self._named, self._states):
                known.pop(gone, None)
        for mailbox in self._sights:
            self._look(mailbox)
        for component in self._declared:  # They are confirmed in time.
            self._metrics.diagnosed(self._declared_status(component))

    # ---- what is asked

    def is_full(self, mailbox: str) -> bool:
        """Whether `full` is named."""
        return any(named.fault is Fault.FULL for named in self._named.get(mailbox, ()))

    def components(self) -> tuple[ComponentStatus, ...]:
        """Every component, healthy ones too."""
        known = sorted(mailbox for mailbox in self._states if mailbox in self._sights)
        declared = (self._declared_status(component) for component in sorted(self._declared))
        return (*declared, *(self._status(mailbox) for mailbox in known))

    def _refused(self, probe: Probe, text: str) -> None:
        mailbox = probe.route.mailbox
        if mailbox not in self._sights:
            return  # It is not configured any more.
        self._of(mailbox).refused(probe.launched, self._clock.now(), text)
        self._look(mailbox)

    def _of(self, mailbox: str) -> MailboxFaults:
        sight, faults = self._sights[mailbox], self._faults.get(mailbox)
        if faults is None or faults.sight is not sight:  # Another mailbox has taken its name.
            faults = self._faults[mailbox] = MailboxFaults(sight)
        return faults

    def _look(self, mailbox: str) -> None:
        """Name what is wrong now, and tell everybody of what is new."""
        now = self._clock.now()
        before = {named.fault: named for named in self._named.get(mailbox, ())}
        named = self._of(mailbox).named(now)
        self._named[mailbox] = named
        state = state_of(named, blind=self._sights[mailbox].blind)
        if mailbox not in self._states or self._states[mailbox][0] is not state:
            self._states[mailbox] = (state, now)
        name = f"Mailbox {mailbox}"
        for one in named:
            if before.pop(one.fault, None) is None:
                log.warning("%s is %s: %s.", name, one.fault, one.evidence[0])
        for gone in before.values():
            log.info("%s is not %s any more, after %.0f s.", name, gone.fault, now - gone.since)
        self._metrics.diagnosed(self._status(mailbox))

    def _status(self, mailbox: str) -> ComponentStatus:
        component = Component(Kind.MAILBOX, mailbox=mailbox)
        state, since = self._states[mailbox]
        return self._told(component, state, since, self._named[mailbox])

    def _declared_status(self, component: Component) -> ComponentStatus:
        faults, since = self._declared[component]
        return self._told(component, state_of(faults, blind=False), since, faults)

    def _told(
        self, component: Component, state: State, since: float, faults: tuple[Named, ...]
    ) -> ComponentStatus:
        now = self._clock.now()
        return ComponentStatus(
            component=component,
            state=state,
            since=self._wall(since),
            faults=tuple(
                FaultStatus(
                    one.fault, self._wall(one.since), one.confirmed(now), evidence=one.evidence
                )
                for one in faults
            ),
        )

    def _wall(self, moment: float) -> float:
        # To the ms: what stays the same must not seem to change with each reading of the clocks.
        return round(self._clock.wall(moment), 3)
