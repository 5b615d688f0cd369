"""Where a fault strikes, and what it can be compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from probe.core.detection.observation import NodeName
from probe.core.model import Route, RouteKey
from probe.core.planning.habit import Habit

_ENOUGH = 24  # Routes of a scene: more are as so many that come more often.


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
    def nodes(self) -> list[NodeName]:
        """All nodes, those at fault and others."""
        return sorted(_nodes((*self.struck, *self.beside)))

    @property
    def keys(self) -> list[RouteKey]:
        """All routes, those at fault and others."""
        return [route.key for route in (*self.struck, *self.beside)]

    @property
    def faulty_nodes(self) -> int:
        """How many nodes are at fault."""
        return len(_nodes(self.struck))

    @property
    def rate_beside(self) -> float:
        """Scheduled probes a second through what is not at fault."""
        return sum(1.0 / route.interval for route in self.beside)

    def shape(self, habit: Habit) -> object:
        """What of it matters, without names: what is equal here goes the same way."""
        numbers: dict[str, int] = {}

        def numbered(routes: Iterable[Route]) -> tuple[object, ...]:
            return tuple(
                (*_places(route.key, numbers), habit.usual(route.key.mailbox), route.interval)
                for route in routes
            )

        return replace(self, struck=(), beside=()), numbered(self.struck), numbered(self.beside)


def thinned(routes: Sequence[Route]) -> tuple[Route, ...]:
    """As many probes, on no more routes than are needed."""
    if len(routes) <= _ENOUGH:
        return tuple(routes)
    ordered = sorted(routes, key=lambda route: (route.key.mailbox, route.key.sender, route.key))
    kept = [ordered[number * len(ordered) // _ENOUGH] for number in range(_ENOUGH)]
    wanted = sum(1.0 / route.interval for route in routes)
    factor = sum(1.0 / route.interval for route in kept) / wanted
    return tuple(replace(route, interval=route.interval * factor) for route in kept)


def _nodes(routes: Iterable[Route]) -> set[NodeName]:
    return {(route.key.relay, route.key.node) for route in routes}


def _places(key: RouteKey, numbers: dict[str, int]) -> Iterator[int]:
    names = (f"r {key.relay}", f"n {key.relay} {key.node}", f"s {key.sender}", f"m {key.mailbox}")
    return (numbers.setdefault(name, len(numbers)) for name in names)
