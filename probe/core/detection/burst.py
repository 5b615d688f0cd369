"""Which probes to send beside the schedule: to confirm a suspicion, to decide, to see the end.

Every probe of ours is mail in somebody's queue, so they are few: 24 a minute for a node and 60 a
minute over all, of which a third is kept for deciding and rechecking.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

from probe.core.detection.observation import NodeName
from probe.core.model import RouteKey

SIZE = 12  # Probes of a burst,
SIBLING_SIZE = 4  # and beside them on a sibling, for comparison.
PACE = 1.0  # s between two probes of a burst,
HASTE = 0.5  # and between the first ones, and all on the sibling, which tell most.
HASTY = 2  # Probes on the node after which the next one comes in haste.
MOST_DECIDING = 60  # Probes that are spent on one question.
LASTING = 300.0  # s after which what could not be sent of a burst is not worth it any more.

_MINUTE = 60.0
_PER_NODE, _IN_ALL, _KEPT = 24, 60, 20


def turns(suspect: RouteKey, keys: Iterable[RouteKey]) -> list[RouteKey]:
    """Those of these routes that go through the same node, the suspect, one of them, first."""
    node = suspect.relay, suspect.node
    routes = sorted(key for key in keys if (key.relay, key.node) == node)
    place = routes.index(suspect)
    return [*routes[place:], *routes[:place]]


def sibling(suspect: RouteKey, keys: Iterable[RouteKey]) -> RouteKey | None:
    """Of these routes the same way through another node, of the same relay if it has one."""
    others = (
        key
        for key in keys
        if (key.sender, key.mailbox) == (suspect.sender, suspect.mailbox)
        and (key.relay, key.node) != (suspect.relay, suspect.node)
    )
    return min(
        others, key=lambda key: (key.relay != suspect.relay, key <= suspect, key), default=None
    )


@dataclass(slots=True)
class _Burst:
    """What is still to be sent of one burst."""

    keys: deque[RouteKey]
    due: float
    end: float
    hasty: int  # After so many the next one comes in haste.

    def take(self, now: float) -> RouteKey:
        """The one that is sent now; it is said when the next one is due."""
        pace = HASTE if self.hasty > 0 else PACE
        self.hasty -= 1
        self.due = max(self.due + pace, now + pace / 2)
        return self.keys.popleft()


@dataclass(slots=True)
class _Spent:
    """What was sent within the last minute."""

    moments: deque[float] = field(default_factory=deque)

    def count(self, now: float) -> int:
        while self.moments and self.moments[0] <= now - _MINUTE:
            self.moments.popleft()
        return len(self.moments)


@dataclass(frozen=True, slots=True)
class _Handed:
    """A probe that was handed out to be sent."""

    key: RouteKey
    burst: _Burst | None = None  # What it is of,
    decides: bool = False  # or whether it is to decide a question.


class Bursts:
    """Plans what is sent, and keeps it within bounds."""

    def __init__(self) -> None:
        self._active: dict[NodeName, _Burst] = {}
        self._siblings: dict[NodeName, _Burst] = {}
        self._began: dict[NodeName, float] = {}
        self._by_node: dict[NodeName, _Spent] = {}
        self._all = _Spent()
        self._spared: Collection[str] = ()
        self._handed: list[_Handed] = []  # At this look.
        self._decided = 0  # Probes spent on the open question.
        self._deciding_due = 0.0
        self._turn = 0

    def keep(self, nodes: Iterable[NodeName]) -> None:
        """These are all that there are now; of what is gone nothing is to be known any more."""
        living = frozenset(nodes)
        for known in (self._active, self._siblings, self._began, self._by_node):
            for gone in known.keys() - living:
                del known[gone]

    def began(self, node: NodeName) -> float:
        """When the newest burst on this node began."""
        return self._began.get(node, float("-inf"))

    def spare(self, relays: Collection[str]) -> None:
        """A new look begins; these relays get nothing, and what is meant for them waits."""
        self._spared = relays
        self._handed.clear()

    def suspect(
        self, node: NodeName, routes: Sequence[RouteKey], sibling: RouteKey | None, now: float
    ) -> None:
        """Confirm a suspicion on a node: over its routes in turn, which begin with the suspect."""
        end = now + LASTING
        self._began[node] = now
        self._active[node] = _Burst(deque(islice(cycle(routes), SIZE)), now, end, HASTY)
        if sibling is not None:
            keys = deque([sibling] * SIBLING_SIZE)
            self._siblings[node] = _Burst(keys, now + HASTE / 2, end, SIBLING_SIZE)

    def calm(self, node: NodeName) -> None:
        """Nothing is open about this node any more, or it is known what is wrong."""
        self._active.pop(node, None)
        self._siblings.pop(node, None)

    def settled(self) -> None:
        """No question is open."""
        self._decided = 0

    def due(self, now: float, ranked: Iterable[NodeName]) -> Iterator[RouteKey]:
        """What of the bursts is to be sent now, for the most suspicious node first."""
        for node in ranked:
            for bursts in (self._active, self._siblings):
                burst = bursts.get(node)
                if burst is None or burst.due > now:
                    continue
                if not burst.keys or burst.end <= now:
                    del bursts[node]
                    continue
                if self._all.count(now) >= _IN_ALL - _KEPT:
                    return
                if self._take(_Handed(burst.keys[0], burst), now):
                    yield burst.take(now)

    def deciding(self, now: float, routes: Sequence[RouteKey]) -> Iterator[RouteKey]:
        """A probe on one of the routes in which two explanations differ, if it is time for it."""
        if not routes or now < self._deciding_due or self._decided >= MOST_DECIDING:
            return
        self._turn += 1
        key = routes[self._turn % len(routes)]
        self._deciding_due = now + PACE
        if self._take(_Handed(key, decides=True), now):
            self._decided += 1
            yield key

    def recheck(self, now: float, key: RouteKey) -> Iterator[RouteKey]:
        """A probe to see whether it is over."""
        if self._take(_Handed(key), now):
            yield key

    def denied(self, key: RouteKey) -> None:
        """A probe of this look could not be sent: it is as if it had not been handed out."""
        handed = next((one for one in self._handed if one.key == key), None)
        if handed is None:
            return
        self._handed.remove(handed)
        if (spent := self._by_node.get((key.relay, key.node))) is not None:
            spent.moments.pop()
        self._all.moments.pop()
        self._decided -= handed.decides
        if handed.burst is not None:
            handed.burst.keys.append(key)

    def _take(self, handed: _Handed, now: float) -> bool:
        key = handed.key
        spent = self._by_node.setdefault((key.relay, key.node), _Spent())
        if key.relay in self._spared:
            return False
        if spent.count(now) >= _PER_NODE or self._all.count(now) >= _IN_ALL:
            return False
        spent.moments.append(now)
        self._all.moments.append(now)
        self._handed.append(handed)
        return True
