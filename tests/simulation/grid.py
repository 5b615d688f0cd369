"""What is probed: relays x nodes x mailboxes, and which routes a component covers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

from probe.core.allowance import NO_LIMITS, Limits, RelayLimits
from probe.core.component import Component, Kind
from probe.core.limits import fitted
from probe.core.model import Relay, Route, RouteKey, Timeouts, TlsMode

DEFAULT = Timeouts()
Reach = frozenset[RouteKey]  # All routes of a component.


@dataclass(frozen=True, slots=True)
class Grid:
    """Relays a, b, …; nodes a1, a2, …, so many of each relay; mailboxes m1, …; senders s1, …"""

    relays: int
    nodes: int
    mailboxes: int
    senders: int = 1
    interval: float = 15.0  # Of each route (s).
    deadline: float = 60.0
    timeouts: Timeouts = DEFAULT
    limits: RelayLimits = NO_LIMITS  # Of each relay.

    def __str__(self) -> str:
        return f"{self.relays}x{self.nodes}x{self.mailboxes}"

    @property
    def relay_names(self) -> list[str]:
        return [chr(ord("a") + number) for number in range(self.relays)]

    @property
    def mailbox_names(self) -> list[str]:
        return [f"m{number}" for number in range(1, self.mailboxes + 1)]

    @property
    def node_names(self) -> list[tuple[str, str]]:
        """All nodes, each with its relay."""
        numbers = range(1, self.nodes + 1)
        return [(relay, f"{relay}{number}") for relay in self.relay_names for number in numbers]

    @property
    def sender_names(self) -> list[str]:
        return [f"s{number}" for number in range(1, self.senders + 1)]

    def routes(self) -> tuple[Route, ...]:
        """Every node x sender x mailbox, as often as the limits allow."""
        return _routes(self)

    def relay_table(self) -> dict[str, Relay]:
        return {
            name: Relay(
                name,
                f"{name}.example",
                587,
                tls=TlsMode.STARTTLS,
                username="probe",
                timeouts=self.timeouts,
                limits=self.limits,
            )
            for name in self.relay_names
        }

    def reach(self, component: Component) -> Reach:
        """The routes that all its names fit."""
        return _reach(self, component)


def covers(component: Component, key: RouteKey) -> bool:
    """Whether a route is one of a component's."""
    return (
        component.relay in ("", key.relay)
        and component.node in ("", key.node)
        and component.sender in ("", key.sender)
        and component.mailbox in ("", key.mailbox)
    )


@cache
def _routes(grid: Grid) -> tuple[Route, ...]:
    ends = list(product(grid.sender_names, grid.mailbox_names))
    keys = [
        RouteKey(relay, node, sender, mailbox)
        for relay, node in grid.node_names
        for sender, mailbox in ends
    ]
    routes = [Route(key, grid.interval, grid.deadline, 86400.0) for key in keys]
    return tuple(fitted(routes, Limits(dict.fromkeys(grid.relay_names, grid.limits))))


@cache
def _reach(grid: Grid, component: Component) -> Reach:
    return frozenset(route.key for route in grid.routes() if covers(component, route.key))


EVERYTHING = Component(Kind.PROBER)
