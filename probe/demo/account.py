"""What the prober says about its routes."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

_SERIES = re.compile(r"(mailprobe_\w+)\{(.*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_ROUTE = ("relay", "node", "sender", "mailbox")
_SENT = "mailprobe_sent_total"
_ARRIVED = "mailprobe_delivered_total"
_LAST_DELAY = "mailprobe_last_delivery_duration_seconds"
_WRONG = (
    "mailprobe_probe_failures_total",
    "mailprobe_probes_unknown_total",
    "mailprobe_duplicates_total",
)


@dataclass(frozen=True, slots=True)
class RouteAccount:
    """One route's figures."""

    route: str
    state: str
    sent: int
    arrived: int
    in_flight: int  # Accepted and unseen, those of bursts too.
    wrong: int  # Failed, never to be judged, or come twice.
    last_delay: float | None  # From acceptance to sighting (s).


@dataclass(frozen=True, slots=True)
class Account:
    """All routes' figures at one moment."""

    routes: tuple[RouteAccount, ...] = ()

    @property
    def sent(self) -> int:
        """Messages that the nodes accepted."""
        return sum(route.sent for route in self.routes)

    @property
    def arrived(self) -> int:
        """Messages that were seen."""
        return sum(route.arrived for route in self.routes)

    @property
    def slowest(self) -> float:
        """The longest of the routes' last delays (s)."""
        return max((route.last_delay or 0.0 for route in self.routes), default=0.0)

    @property
    def fewest(self) -> int:
        """How many messages were seen on the route where the fewest were."""
        return min((route.arrived for route in self.routes), default=0)


def account_of(status: Any, metrics: str) -> Account:
    """The account that `/api/v1/status` and `/metrics` give."""
    figures: Counter[tuple[str, tuple[str, ...]]] = Counter()
    delays: dict[tuple[str, ...], float] = {}
    for metric, labels, value in _SERIES.findall(metrics):
        given = dict(_LABEL.findall(labels))
        route = tuple(given.get(label, "") for label in _ROUTE)
        if metric == _LAST_DELAY:
            delays[route] = float(value)
        elif metric in (_SENT, _ARRIVED, *_WRONG):
            figures[metric, route] += int(float(value))
    routes = []
    for shown in status["routes"]:
        route = tuple(shown[label] for label in _ROUTE)
        delay = delays.get(route, float("nan"))
        routes.append(
            RouteAccount(
                route="/".join(route[:2]),  # There is but one sender, and one mailbox.
                state=shown["state"],
                sent=figures[_SENT, route],
                arrived=figures[_ARRIVED, route],
                in_flight=shown["in_flight"],
                wrong=sum(figures[metric, route] for metric in _WRONG),
                last_delay=delay if delay == delay else None,  # NaN: none has arrived.
            )
        )
    return Account(tuple(routes))
