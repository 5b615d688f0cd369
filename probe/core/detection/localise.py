"""The likeliest explanation of what was seen: by penalised maximum likelihood.

A hypothesis is a series whose probes fail with some share; an explanation is a few of them. All
that none of them covers fails as seldom as it does when all is well.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from probe.core.component import Kind
from probe.core.detection.observation import DESIGN_SHARE, Weight
from probe.core.detection.topology import Topology
from probe.core.model import RouteKey

SHARES = (0.05, 0.1, 0.16, 0.25, 0.35, 0.5, 0.7, 0.85, 0.98)
"""The failing shares that are tried."""

_MOST = 4  # Components that are thought to be at fault at once.
_STARTS = 3  # Hypotheses of each sort that an explanation is built on.
_CLEAR = DESIGN_SHARE / 4  # A probability below it is called a failure.

Vector = tuple[float, ...]  # One value for each of SHARES (nats).
_NOTHING: Vector = (0.0,) * len(SHARES)

Evidence = Mapping[RouteKey, Counter[Weight]]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Some series, by their numbers, and how well they explain what was seen (nats)."""

    members: frozenset[int]
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The explanations that were tried, the best one first; never empty."""

    explanations: tuple[Explanation, ...]

    @property
    def best(self) -> Explanation:
        """The best one."""
        return self.explanations[0]

    def margin(self, member: int) -> float:
        """By how much the best one is better than any without this member (nats)."""
        others = (one.score for one in self.explanations if member not in one.members)
        return self.best.score - max(others, default=0.0)

    def rivals(self, within: float) -> list[Explanation]:
        """Those that are nearly as good as the best one, itself first."""
        return [one for one in self.explanations if self.best.score - one.score < within]


def collect(weighed: Iterable[tuple[RouteKey, Weight]]) -> Evidence:
    """What was seen, by route."""
    evidence: dict[RouteKey, Counter[Weight]] = defaultdict(Counter)
    for key, weight in weighed:
        evidence[key][weight] += 1
    return evidence


def rank(
    evidence: Evidence,
    topology: Topology,
    *,
    struck: int = 0,
    given: Sequence[int] = (),
) -> Ranking:
    """Try what could explain the evidence.

    `struck`: kinds (as bits) that are out of the question; `given`: series that are known to be
    at fault, which cost nothing to assume.
    """
    table = _Table(evidence, topology, struck)
    known = [number for number in given if table.gain(number, frozenset()) > 0.0]
    starts = [frozenset({number}) for number in table.starts()]
    if known:
        starts.append(frozenset(known))
    found: dict[frozenset[int], float] = {frozenset(): 0.0}
    for start in starts:
        for members in table.grown(start, frozenset(given)):
            found[members] = max(found.get(members, -math.inf), table.total(members, given))
    ranked = sorted(found.items(), key=lambda item: (-item[1], sorted(item[0])))
    return Ranking(tuple(Explanation(members, score) for members, score in ranked))


def failures(evidence: Evidence, routes: Iterable[RouteKey], kinds: int) -> int:
    """How many failures, clear ones, there are on these routes for these kinds."""
    return sum(
        count
        for key in routes
        for weight, count in evidence.get(key, Counter()).items()
        if weight.blames & kinds and is_clear(weight)
    )


def is_clear(weight: Weight) -> bool:
    """Whether this is hardly how it goes when all is well."""
    return weight.odds > 1.0 / _CLEAR


class _Table:
    """The evidence as vectors, so that every hypothesis is a sum of a few."""

    def __init__(self, evidence: Evidence, topology: Topology, struck: int) -> None:
        self._topology = topology
        self._struck = struck
        self._vectors: dict[RouteKey, dict[int, Vector]] = {}
        self._counts: dict[RouteKey, dict[int, int]] = {}
        for key, weights in evidence.items():
            by_blame: dict[int, Counter[Weight]] = defaultdict(Counter)
            for weight, count in weights.items():
                by_blame[weight.blames][weight] += count
            self._vectors[key] = {blame: _vector(some) for blame, some in by_blame.items()}
            self._counts[key] = {blame: some.total() for blame, some in by_blame.items()}
        self._penalties = _penalties(topology)
        self._alone = {n: self.gain(n, frozenset()) for n in range(len(topology.series))}

    def starts(self) -> list[int]:
        """The best single hypotheses of each sort."""
        by_sort: dict[str, list[int]] = defaultdict(list)
        for number, score in sorted(self._alone.items(), key=lambda item: -item[1]):
            sort = self._topology.series[number].first.kind
            if score > 0.0 and len(by_sort[sort]) < _STARTS:
                by_sort[sort].append(number)
        return [number for numbers in by_sort.values() for number in numbers]

    def grown(self, start: frozenset[int], given: frozenset[int]) -> Iterable[frozenset[int]]:
        """This explanation, and those that grow from it by the best addition at a time."""
        members = self._tidy(start)
        yield members
        hopeful = [n for n, score in self._alone.items() if score > 0.0]
        while len(members) < _MOST:
            gains = {n: self.gain(n, members) for n in hopeful if not self._holds(n, members)}
            best = max(gains, key=gains.__getitem__, default=None)
            if best is None or gains[best] <= 0.0:
                return
            grown = self._tidy(members | {best})
            if grown == members or (best not in grown and not grown - members):
                return
            members = grown
            yield members

    def _holds(self, number: int, members: Iterable[int]) -> bool:
        """Whether one of these is a part of it: the whole is tried by itself.

        Routes alone may grow into what they are part of: many of them are no explanation.
        """
        whole = self._topology.series[number].routes
        parts = (self._topology.series[one] for one in members)
        return any(
            part.routes == whole or (part.routes < whole and part.first.kind is not Kind.ROUTE)
            for part in parts
        )

    def total(self, members: frozenset[int], given: Sequence[int]) -> float:
        """How well these explain the evidence together; what is given costs nothing."""
        score, explained = 0.0, frozenset[int]()
        for number in sorted(members, key=lambda n: -self._alone[n]):
            score += self.gain(number, explained)
            if number in given:
                score += self._penalty(number, explained)
            explained |= {number}
        return score

    def gain(self, number: int, explained: frozenset[int]) -> float:
        """What a hypothesis adds to those that explain a part already (nats)."""
        best = max(self._likelihood(number, explained))
        return best - self._penalty(number, explained)

    def _likelihood(self, number: int, explained: frozenset[int]) -> Vector:
        total = [0.0] * len(SHARES)
        for _, _, vector in self._parts(number, explained):
            for place, value in enumerate(vector):
                total[place] += value
        return tuple(total)

    def _penalty(self, number: int, explained: frozenset[int]) -> float:
        count = sum(self._counts[key][blame] for key, blame, _ in self._parts(number, explained))
        return self._penalties[number] + 0.5 * math.log(max(count, 1))

    def _parts(
        self, number: int, explained: frozenset[int]
    ) -> Iterable[tuple[RouteKey, int, Vector]]:
        series = self._topology.series[number]
        kinds = series.kinds & ~self._struck
        taken = [self._topology.series[one] for one in explained]
        for key in series.routes:
            for blame, vector in self._vectors.get(key, {}).items():
                if blame & kinds and not any(
                    key in one.routes and blame & one.kinds & ~self._struck for one in taken
                ):
                    yield key, blame, vector

    def _tidy(self, members: frozenset[int]) -> frozenset[int]:
        """Without those that are part of another; parts that make up one whole are that one."""
        series = self._topology.series
        routes = {number: series[number].routes for number in members}
        kept = {
            number
            for number in members
            if not any(routes[number] < routes[other] for other in members)
        }
        if len(kept) > 1:
            union = frozenset().union(*(routes[number] for number in kept))
            for number, one in enumerate(series):
                if one.routes == union and one.kinds & ~self._struck:
                    return frozenset({number})
        return frozenset(kept)


def _vector(weights: Counter[Weight]) -> Vector:
    return tuple(
        sum(count * weight.nats(share) for weight, count in weights.items()) for share in SHARES
    )


def _penalties(topology: Topology) -> list[float]:
    """What it costs to assume that something is at fault: there are so many of its sort."""
    sorts = [_sort(topology.series[n].first.kind) for n in range(len(topology.series))]
    counts = Counter(sorts)
    return [math.log(4.0 * counts[sort]) for sort in sorts]


def _sort(kind: Kind) -> bool:
    """Routes are one sort of hypothesis, all else is the other."""
    return kind is Kind.ROUTE
