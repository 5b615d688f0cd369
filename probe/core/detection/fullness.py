"""When mailboxes were full: then relays keep the mail for them, and are right to.

What is missing in a full mailbox is held against nobody, as with one that is blind, but for what
was on its way before: there had been room, since younger mail arrived. When there is room again,
each node has time to come back, until the first new message through it, at most `settle` seconds.
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


@dataclass(slots=True)
class _Stretch:
    """A time in which a mailbox was full."""

    start: float
    end: float | None = None
    back: dict[NodeKey, float] = field(default_factory=dict)  # When each node came back.

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
        before = {name for name, stretches in self._stretches.items() if stretches[-1].end is None}
        for mailbox in before - full:
            self._stretches[mailbox][-1].end = now
        for mailbox in full - before:
            arrived = (
                one.slot
                for one in reversed(observations)
                if one.key.mailbox == mailbox and one.arrived is not None
            )
            stretches = self._stretches.setdefault(mailbox, [])
            stretches.append(_Stretch(next(arrived, -math.inf)))
            del stretches[:-KEPT]
        return bool(full - before)

    def came(self, key: RouteKey, accepted: float, seen: float) -> None:
        """A message that was accepted at `accepted` was seen at `seen`."""
        for stretch in self._stretches.get(key.mailbox, ()):
            if stretch.end is not None and accepted >= stretch.end:
                stretch.back.setdefault((key.relay, key.node), seen)

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
