"""What a configuration will do before it does anything: its routes, and messages a day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from probe.core.limits import DAY
from probe.core.model import Route, RouteKey
from probe.core.provider import Provider


class Plan(Protocol):
    """How often a combination is probed, and how long is waited for it (s)."""

    @property
    def interval(self) -> float:
        """From one probe to the next."""

    @property
    def deadline(self) -> float:
        """Later after acceptance is late."""

    @property
    def give_up(self) -> float:
        """Later after acceptance is lost."""


def planned(
    plans: Mapping[tuple[str, str, str], Plan], nodes: Mapping[str, Sequence[str]]
) -> list[Route]:
    """The routes of all combinations (relay, sender, mailbox) through these nodes of relays."""
    return [
        Route(RouteKey(relay, node, sender, mailbox), plan.interval, plan.deadline, plan.give_up)
        for (relay, sender, mailbox), plan in plans.items()
        for node in nodes.get(relay, ())
    ]


def daily(routes: Iterable[Route], name: Callable[[RouteKey], str]) -> dict[str, float]:
    """Messages a day, summed over the routes of one name."""
    sums: dict[str, float] = defaultdict(float)
    for route in routes:
        sums[name(route.key)] += DAY / route.interval
    return dict(sums)


def daily_by_provider(
    routes: Iterable[Route], providers: Mapping[str, Provider]
) -> dict[Provider, float]:
    """Messages a day to all mailboxes of a provider; `providers` is by mailbox."""
    sums: dict[Provider, float] = defaultdict(float)
    for mailbox, messages in daily(routes, lambda key: key.mailbox).items():
        if mailbox in providers:
            sums[providers[mailbox]] += messages
    return dict(sums)
