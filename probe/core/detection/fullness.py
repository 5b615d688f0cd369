"""When mailboxes were full: then relays keep the mail for them, and are right to.

What is missing in a full mailbox is held against nobody, as with one that is blind, but for what
was on its way before: there had been room, since younger mail arrived. When there is room again,
each node has time to come back, until the first new message through it, at most `settle` seconds.

Some servers go on taking mail over the quota. Where it keeps arriving there is room, and what is
older than the youngest arrival is missing for another reason. The first arrivals show nothing yet:
the mailbox may just have been emptied, and the quota not been read again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from probe.core.component import Fault
from probe.core.detection.observation import Observation
from probe.core.model import RouteKey
from probe.core.sight import KEPT, NodeKey, Sight

PAUSE = 60.0  # s without an arrival in which a mailbox may truly have been full.
REFUTED = 90.0  # s of arrivals that show that it is not; more, by far, than the quota lags behind.


@dataclass(slots=True)
class _Stretch:
    """A time in which a mailbox was full."""

    start: float  # What was accepted since then may have found no room.
    declared: float
    newest: float  # When mail of this stretch last arrived; until then, as `declared`.
    end: float | None = None
    back: dict[NodeKey, float] = field(default_factory=dict)  # When each node came back.

    def took(self, accepted: float, seen: float) -> None:
        """Mail arrived, and not after a pause."""
        self.newest = seen
        if seen - self.declared >= REFUTED:
            self.start = max(self.start, accepted)

    def is_refuted(self, now: float) -> bool:
        """Whether it has taken mail all the time."""
        return now - self.newest < PAUSE and self.newest - self.declared >= REFUTED

    def covers(self, node: NodeKey, accepted: float, settle: float) -> bool:
        if accepted < self.start:
            return False
        if self.end is None or accepted < self.end:
            return True
        return accepted < min(self.back.get(node, math.inf), self.end + settle)


class Fullness:
    """The stretches in which each mailbox was full."""

    def __init__(self, sights: Mapping[str, Sight]) -> None:
        """`sights` know how long relays are given to come back."""
        self._sights = sights
        self._stretches: dict[str, list[_Stretch]] = {}

    def follow(
        self, full: AbstractSet[str], now: float, observations: Sequence[Observation]
    ) -> bool:
        """These are known to be full now; whether observations count otherwise since.

        What was accepted since the youngest arrival was launched may have found no room.
        """
        before = {name for name in self._stretches if self._open(name) is not None}
        for mailbox in before - full:
            self._withdraw(mailbox, now)
        for mailbox in full - before:
            arrived = (
                one.slot
                for one in reversed(observations)
                if one.key.mailbox == mailbox and one.arrived is not None
            )
            self._begin(mailbox, next(arrived, -math.inf), now)
        return bool(full - before)

    def came(self, key: RouteKey, accepted: float, seen: float) -> None:
        """A message that was accepted at `accepted` was seen at `seen`."""
        for stretch in self._stretches.get(key.mailbox, ()):
            if stretch.end is not None and accepted >= stretch.end:
                stretch.back.setdefault((key.relay, key.node), seen)
        full = self._open(key.mailbox)
        if full is None or accepted < full.declared:
            return
        if seen - full.newest < PAUSE:
            full.took(accepted, seen)
        else:  # There is room again, for this one at least.
            full.end = seen
            self._begin(key.mailbox, seen, seen)

    def excuses(self, one: Observation) -> bool:
        """Whether it is missing, or was late, because its mailbox was full."""
        mailbox = one.key.mailbox
        if one.accepted is None or mailbox not in self._stretches or mailbox not in self._sights:
            return False
        missed = one.failure is not None and one.failure.fault is Fault.HOLDING
        if one.on_time or not (missed or one.failure is None):
            return False
        node, settle = (one.key.relay, one.key.node), self._sights[mailbox].settle
        return any(each.covers(node, one.accepted, settle) for each in self._stretches[mailbox])

    def _open(self, mailbox: str) -> _Stretch | None:
        stretches = self._stretches.get(mailbox)
        return stretches[-1] if stretches and stretches[-1].end is None else None

    def _begin(self, mailbox: str, start: float, now: float) -> None:
        stretches = self._stretches.setdefault(mailbox, [])
        stretches.append(_Stretch(start, declared=now, newest=now))
        del stretches[:-KEPT]

    def _withdraw(self, mailbox: str, now: float) -> None:
        """It is not full any more; if it was not at all, no node has to come back."""
        stretches = self._stretches[mailbox]
        if stretches[-1].is_refuted(now):
            stretches.pop()
        else:
            stretches[-1].end = now
