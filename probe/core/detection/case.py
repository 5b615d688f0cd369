"""A case: a component that is named, from its first failure until its recovery is proven."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from probe.core.component import Component, Fault
from probe.core.detection.assessment import MOST_SHARE, Assessment
from probe.core.incident import Share

STEADY = 10.0  # s that the reason to page must hold without a break.
QUIET = 45.0  # s without a failure after which what was never confirmed needs little to be over.

_INTERMITTENT = 0.9


@dataclass(frozen=True, slots=True)
class Details:
    """What is told of a case beside its faults."""

    evidence: tuple[str, ...]  # One line each, newest first.
    unaffected: tuple[str, ...]  # What works meanwhile, likewise.
    standby: tuple[str, ...]  # The standby relays that work.


def confirmable(fault: Fault) -> Fault:
    """The fault as which it is confirmed: what was held stays the same when it comes late."""
    return Fault.HOLDING if fault is Fault.LATE else fault


@dataclass(slots=True)
class Case:
    """A component that is named, or several between which nothing is decided."""

    component: Component
    opened: float
    since: float  # When its first failure was launched.
    blames: int  # The kinds of its names, as bits.
    alternatives: tuple[Component, ...] = ()
    tie: bool = False
    faults: dict[Fault, float] = field(default_factory=dict)  # Since when; the leading one first.
    share: Share | None = None
    worst: float = 0.0  # The largest share that was failing at least.
    confirmed: dict[Fault, float] = field(default_factory=dict)  # `late` goes as `holding`.
    steady: dict[Fault | None, float] = field(default_factory=dict)  # Reason to page; None: by all.
    rechecked: float = -math.inf
    found: Assessment = field(default_factory=Assessment)
    details: Details | None = None
    detailed: float = -math.inf  # When the details were put into words.

    @property
    def is_hard(self) -> bool:
        """Whether most probes fail."""
        return self.share is None or self.share.low >= MOST_SHARE

    @property
    def is_confirmed(self) -> bool:
        """Whether it may page."""
        return bool(self.confirmed)

    def is_over(self, now: float) -> bool:
        """Whether its recovery is proven."""
        quiet = not self.is_confirmed and now - self.found.last_failed >= QUIET
        return self.found.is_over(now, MOST_SHARE if quiet else self.worst)

    def update(self, found: Assessment, now: float, threshold: float) -> None:
        """Take in what was found; what cannot be told any more stays as it was."""
        before = (tuple(self.faults), tuple(self.confirmed))
        self.found = found
        share = found.share
        if share is not None:
            self.share = share
            self.worst = max(self.worst, share.low)
        if faults := found.faults():
            faults = self._with_confirmed(faults)
            known = {confirmable(fault): since for fault, since in self.faults.items()}
            firsts = {fault: known.get(confirmable(fault), now) for fault in faults}
            if not self.faults:
                firsts = dict.fromkeys(faults, self.since)
            if self.share is not None and self.share.high < _INTERMITTENT:
                firsts[Fault.INTERMITTENT] = self.faults.get(Fault.INTERMITTENT, now)
            self.faults = firsts
        self._confirm(found, now, threshold)
        if (tuple(self.faults), tuple(self.confirmed)) != before:
            self.detailed = -math.inf

    def _with_confirmed(self, faults: list[Fault]) -> list[Fault]:
        """These, and what is confirmed unless one of these is: nothing has become well by that."""
        named = {confirmable(fault) for fault in faults}
        if named.isdisjoint(self.confirmed):
            return [*faults, *self.confirmed]
        self.confirmed = {one: since for one, since in self.confirmed.items() if one in named}
        return faults

    def _confirm(self, found: Assessment, now: float, threshold: float) -> None:
        """Each fault earns it by itself; only the first of all, which leads, by whatever failed."""
        if not found.convicts(now, threshold):
            self.steady.clear()
            return
        faults = dict.fromkeys(confirmable(one) for one in self.faults)
        for place, fault in enumerate(one for one in faults if one is not Fault.INTERMITTENT):
            if fault in self.confirmed:
                continue
            by_all = not place and not self.confirmed
            grounds, name = (found, None) if by_all else (found.of(fault, now), fault)
            if not grounds.convicts(now, threshold):
                self.steady.pop(name, None)
                continue
            held = fault is Fault.HOLDING and grounds.persists(now)
            if now - self.steady.setdefault(name, now) >= STEADY or held:
                self.confirmed[fault] = now
