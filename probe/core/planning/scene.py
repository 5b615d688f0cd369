"""Where a fault strikes, what has been seen of it, and how well the truth explains that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from probe.core.detection.localise import SHARES
from probe.core.detection.observation import EVERYBODY, Weight
from probe.core.model import Route, RouteKey

_MOST_PARTS = 4  # Components that an explanation has at most.


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault strikes, and what it can be compared with."""

    struck: tuple[Route, ...]
    beside: tuple[Route, ...]  # What the next wider component has in addition.
    threshold: float  # nats
    hypotheses: int = 1  # Components that are thought of.
    per_minute: int | None = None  # Confirmation probes that limits leave.
    balanced: int = 1  # Nodes that take turns behind the address of `struck`.
    by_chance: bool = False  # They do not take turns: each is drawn.

    @property
    def nodes(self) -> int:
        """How many nodes are at fault."""
        return len({(route.key.relay, route.key.node) for route in self.struck})

    @property
    def rate_beside(self) -> float:
        """Scheduled probes a second through what is not at fault."""
        return sum(1.0 / route.interval for route in self.beside)


@dataclass(slots=True)
class Evidence:
    """What has been seen since the sum of evidence was 0 for the last time."""

    onset: float = math.inf
    failed: list[tuple[float, RouteKey]] = field(default_factory=list)
    good: int = 0  # Successes of what is at fault,
    extra: int = 0  # and confirmation probes beside it.
    nats: float = 0.0  # Of what is settled.


@lru_cache(maxsize=1024)
def nats(odds: float) -> float:
    """What a probe with these odds adds to the sum of evidence; with 0, a success (nats)."""
    return Weight(EVERYBODY, odds).nats()


SUCCESS = nats(0.0)


@lru_cache(maxsize=1024)
def _vector(odds: float) -> tuple[float, ...]:
    """The same for each share that may be failing."""
    return tuple(Weight(EVERYBODY, odds).nats(share) for share in SHARES)


@dataclass(frozen=True, slots=True)
class Margin:
    """By how much the truth explains what was seen better than others do (nats)."""

    over_wider: float  # The next wider component.
    over_parts: float  # A few nodes of what is at fault.

    @property
    def least(self) -> float:
        """Over the best of the others."""
        return min(self.over_wider, self.over_parts)


def margin_of(scene: Scene, seen: Evidence, weights: Mapping[float, int], now: float) -> Margin:
    """How sure it is what is at fault; `weights`: how many have failed, by their odds."""
    return Margin(_over_wider(scene, seen, weights, now), _over_parts(scene, seen, weights))


def _over_wider(scene: Scene, seen: Evidence, weights: Mapping[float, int], now: float) -> float:
    """The wider component has all successes beside the truth to explain as well."""
    if not scene.beside and scene.balanced == 1:
        return math.inf
    well = seen.extra + scene.rate_beside * (now - seen.onset)
    own = [
        sum(count * _vector(odds)[place] for odds, count in weights.items()) + seen.good * success
        for place, success in enumerate(_vector(0.0))
    ]
    wider = [one + well * success for one, success in zip(own, _vector(0.0), strict=True)]
    known = len(seen.failed) + seen.good
    return max(own) - max(wider) + 0.5 * math.log((known + well) / known)


def _over_parts(scene: Scene, seen: Evidence, weights: Mapping[float, int]) -> float:
    """A few nodes leave the failures of the others unexplained, or cost more to assume."""
    if scene.nodes == 1:
        return math.inf
    failed = Counter((key.relay, key.node) for _, key in seen.failed)
    ranked = [count for _, count in failed.most_common()]
    most = min(_MOST_PARTS, scene.nodes - 1)
    saved = math.log(4.0 * scene.hypotheses) * (len(ranked[:most]) - 1)
    sizes = sum(map(math.log, ranked[:most])) - math.log(sum(ranked))
    return _vector(max(weights))[-1] * sum(ranked[most:]) + saved + 0.5 * sizes
