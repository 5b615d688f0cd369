"""What the limits of relays and mailboxes leave of the slots."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from probe.core.allowance import Limits, RelayLimits
from probe.core.model import Route

MINUTE, DAY = 60.0, 86400.0
# Slots take this share of a limit, so that one which began late does not push those after it.
SHARE = 0.99


def fitted(routes: Iterable[Route], limits: Limits) -> list[Route]:
    """The same routes, in the same order, each as often as all its limits allow (interval in s).

    All routes of a relay, or of a mailbox, are stretched by the same factor, so that the sum of
    their rates fits; where both are too small, the larger factor holds.
    """
    routes = list(routes)
    if not (limits.relays or limits.mailboxes):
        return routes
    by_relay, by_mailbox = rates(routes)
    relays = {
        name: _factor(by_relay[name], _most(limits.relays[name]))
        for name in by_relay
        if name in limits.relays
    }
    mailboxes = {
        name: _factor(by_mailbox[name], limits.mailboxes[name] / DAY)
        for name in by_mailbox
        if name in limits.mailboxes
    }
    factors = (
        max(relays.get(route.key.relay, 1.0), mailboxes.get(route.key.mailbox, 1.0))
        for route in routes
    )
    return [
        route if factor == 1.0 else replace(route, interval=route.interval * factor)
        for route, factor in zip(routes, factors, strict=True)
    ]


def rates(routes: Iterable[Route]) -> tuple[dict[str, float], dict[str, float]]:
    """How many messages a second each relay, and each mailbox, is to take."""
    relays: dict[str, float] = defaultdict(float)
    mailboxes: dict[str, float] = defaultdict(float)
    for route in routes:
        relays[route.key.relay] += 1 / route.interval
        mailboxes[route.key.mailbox] += 1 / route.interval
    return dict(relays), dict(mailboxes)


def _most(limits: RelayLimits) -> float:
    """How many messages a second these limits allow for long."""
    minute = math.inf if limits.per_minute is None else limits.per_minute / MINUTE
    day = math.inf if limits.per_day is None else limits.per_day / DAY
    return min(minute, day)


def _factor(wanted: float, most: float) -> float:
    return max(1.0, wanted / (SHARE * most))
