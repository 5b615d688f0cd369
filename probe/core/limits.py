"""What the limits of relays and mailboxes leave of the slots."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from probe.core.allowance import Limits, RelayLimits
from probe.core.model import Route

MINUTE, DAY = 60.0, 86400.0
# Slots take this share of a limit, so that one which began late does not push those after it.
SHARE = 0.99


@dataclass(slots=True)
class _Group:
    """The routes that share a limit. Rates are messages a second."""

    room: float  # What the limit leaves to the routes that are open.
    open: set[int] = field(default_factory=set)  # Routes whose factor is not known.
    wanted: float = 0.0  # Their rates as planned.

    @property
    def factor(self) -> float:
        """How much rarer the open routes must come; 1 or less where they fit."""
        return self.wanted / self.room if self.open else 0.0

    def add(self, number: int, rate: float) -> None:
        """One more route."""
        self.open.add(number)
        self.wanted += rate

    def settle(self, number: int, rate: float, factor: float) -> None:
        """The factor of a route is known."""
        self.open.discard(number)
        self.wanted = self.wanted - rate if self.open else 0.0
        self.room = max(self.room - rate / factor, 1e-12)


def fitted(routes: Iterable[Route], limits: Limits) -> list[Route]:
    """The same routes, in the same order, each as often as all its limits allow (interval in s).

    All routes of a relay, or of a mailbox, are stretched by the same factor, so that the sum of
    their rates fits, but for those that another limit makes even slower. What these leave free
    is the others' (max-min fairness; Bertsekas and Gallager, Data Networks, 6.5.2).
    """
    routes = list(routes)
    groups = _groups(limits)
    if not groups:
        return routes
    sharing = [[groups[name] for name in _names(route) if name in groups] for route in routes]
    for number, route in enumerate(routes):
        for group in sharing[number]:
            group.add(number, 1 / route.interval)
    factors = _factors(routes, list(groups.values()), sharing)
    return [
        route if factor == 1.0 else replace(route, interval=route.interval * factor)
        for route, factor in zip(routes, factors, strict=True)
    ]


def _factors(
    routes: Sequence[Route], groups: Sequence[_Group], sharing: Sequence[Sequence[_Group]]
) -> list[float]:
    """The factor of each route: the tightest limit is met first, and leaves most to the others."""
    factors = [1.0] * len(routes)
    while True:
        tightest = max(groups, key=lambda group: group.factor)
        factor = tightest.factor
        if factor <= 1.0:
            return factors
        for number in tuple(tightest.open):
            factors[number] = factor
            for group in sharing[number]:
                group.settle(number, 1 / routes[number].interval, factor)


def _names(route: Route) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("relay", route.key.relay), ("mailbox", route.key.mailbox)


def _groups(limits: Limits) -> dict[tuple[str, str], _Group]:
    most = {("relay", name): _most(relay) for name, relay in limits.relays.items()}
    most |= {("mailbox", name): per_day / DAY for name, per_day in limits.mailboxes.items()}
    return {name: _Group(SHARE * rate) for name, rate in most.items()}


def _most(limits: RelayLimits) -> float:
    """How many messages a second these limits allow for long."""
    minute = math.inf if limits.per_minute is None else limits.per_minute / MINUTE
    day = math.inf if limits.per_day is None else limits.per_day / DAY
    return min(minute, day)
