"""The observations by the route that they went, as far as it is known."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from probe.core.detection.observation import Observation
from probe.core.model import RouteKey

MOST_OF_A_CASE = 4000  # The newest of them by which one component is looked at.


class Filing:
    """Finds those of one route, or of a few, without a look at all others."""

    def __init__(self) -> None:
        self._by_route: dict[RouteKey, deque[Observation]] = {}

    def add(self, one: Observation) -> None:
        """It was launched, or its greeting has told the node."""
        self._by_route.setdefault(one.key, deque()).append(one)

    def remove(self, one: Observation) -> None:
        """It is the oldest of its route, or of those that it has been filed under."""
        for key in {one.key, replace(one.key, node="")}:
            filed = self._by_route.get(key)
            while filed and filed[0].slot <= one.slot:
                filed.popleft()
            if filed is not None and not filed:
                del self._by_route[key]

    def of(self, key: RouteKey) -> Sequence[Observation]:
        """Those of one route, oldest first; some may have gone by another node than it seemed."""
        return self._by_route.get(key, ())

    def through(self, routes: Iterable[RouteKey], since: float) -> Iterator[Observation]:
        """Those of these routes that were launched since then, oldest first."""
        found = [
            one
            for key in routes
            for one in self._by_route.get(key, ())
            if one.slot >= since and one.key == key
        ]
        found.sort(key=lambda one: one.slot)
        return islice(found, max(0, len(found) - MOST_OF_A_CASE), None)
