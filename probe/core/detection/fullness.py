"""When mailboxes were full: then relays keep the mail for them, and are right to.

What is missing in a full mailbox is held against nobody, as with one that is blind, but for what
was on its way before: there had been room, since younger mail arrived. When there is room again,
each node has time to come back, until the first new message through it, at most `settle` seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

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

    def is_full(self, mailbox: str) -> bool:
        """Whether it is full now."""
        stretches = self._stretches.get(mailbox, [])
        return bool(stretches) and stretches[-1].end is None

    @property
    def full(self) -> frozenset[str]:
        """The mailboxes that are full now."""
        return frozenset(filter(self.is_full, self._stretches))

    def begin(self, mailbox: str, start: float) -> None:
        """It is full; what was accepted from `start` on may have found no room."""
        stretches = self._stretches.setdefault(mailbox, [])
        stretches.append(_Stretch(start))
        del stretches[:-KEPT]

    def end(self, mailbox: str, now: float) -> None:
        """It has room again."""
        self._stretches[mailbox][-1].end = now

    def came(self, key: RouteKey, accepted: float, seen: float) -> None:
        """A message that was accepted at `accepted` was seen at `seen`."""
        for stretch in self._stretches.get(key.mailbox, ()):
            if stretch.end is not None and accepted >= stretch.end:
                stretch.back.setdefault((key.relay, key.node), seen)

    def excuses(self, key: RouteKey, accepted: float) -> bool:
        """Whether it says nothing that a message which was accepted then is missing."""
        if key.mailbox not in self._stretches or key.mailbox not in self._sights:
            return False
        node, settle = (key.relay, key.node), self._sights[key.mailbox].settle
        return any(one.covers(node, accepted, settle) for one in self._stretches[key.mailbox])
