"""Which routes are in force: nodes come and go, and their routes with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from probe.core.allowance import Limits
from probe.core.forecast import Plan
from probe.core.limits import fitted
from probe.core.model import Node, Probe, Route, RouteKey
from probe.engine.books import Books
from probe.engine.throttle import Throttle
from probe.ports import Metrics

LINGER = 60.0  # s for which the last numbers of a route are shown, that they may be scraped.

Combination = tuple[str, str, str]  # relay, sender, mailbox


class Sender(Protocol):
    """Who sends the probes of the routes in force."""

    def add(self, route: Route, node: Node) -> None:
        """A route is in force from now on, or is another than before."""

    def remove(self, key: RouteKey) -> None:
        """A route is not in force any more."""


class Roster:
    """The nodes that are probed, and the routes through them."""

    def __init__(
        self,
        plans: Mapping[Combination, Plan],
        *,
        throttle: Throttle,
        sender: Sender,
        books: Books,
        metrics: Metrics,
    ) -> None:
        """`plans`: one for each combination that is probed."""
        self._plans = plans
        self._throttle = throttle
        self._sender = sender
        self._books = books
        self._metrics = metrics
        self._nodes: dict[Node, list[Route]] = {}  # As planned.
        self._in_force: dict[RouteKey, Route] = {}  # As the limits allow.
        self._retired: dict[RouteKey, float | None] = {}  # Since when nothing of it is open.
        self.version = 0  # Another one for all other routes in force.

    @property
    def routes(self) -> tuple[Route, ...]:
        """Those in force."""
        return tuple(self._in_force.values())

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Those that are probed now."""
        return tuple(self._nodes)

    def follow(self, plans: Mapping[Combination, Plan], limits: Limits) -> None:
        """From now on these are in force; routes that stay as they are notice nothing."""
        self._plans = plans
        self._throttle.follow(limits)
        for node, before in self._nodes.items():
            routes = self._planned(node)
            keys = {route.key for route in routes}
            for route in before:
                if route.key not in keys:
                    self._end(route.key)
            for route in routes:
                self._begin(route.key)
            self._nodes[node] = routes
        self._fit()

    def joined(self, node: Node) -> None:
        """A node is probed from now on; one that is already goes on."""
        if node in self._nodes:
            return
        self._nodes[node] = self._planned(node)
        self._metrics.add_node(node)
        for route in self._nodes[node]:
            self._begin(route.key)
        self._fit()

    def retired(self, node: Node) -> None:
        """A node is gone. What is in flight through it is still waited for."""
        for route in self._nodes.pop(node, []):
            self._end(route.key)
        self._metrics.retire_node(node)
        self._fit()

    def limit_mailbox(self, name: str, per_day: int) -> None:
        """A mailbox takes no more than so many messages a day."""
        self._throttle.follow(self._throttle.limits.with_mailboxes({name: per_day}))
        self._fit()

    def _fit(self) -> None:
        """Bring every route into force at the interval that the limits leave to it."""
        self.version += 1
        planned = [(route, node) for node, routes in self._nodes.items() for route in routes]
        fitting = fitted([route for route, _ in planned], self._throttle.limits)
        for route, (_, node) in zip(fitting, planned, strict=True):
            if self._in_force.get(route.key) != route:
                self._in_force[route.key] = route
                self._metrics.add_route(route)
                self._sender.add(route, node)

    def _planned(self, node: Node) -> list[Route]:
        return [
            _route(RouteKey(relay, node.name, sender, mailbox), plan)
            for (relay, sender, mailbox), plan in self._plans.items()
            if relay == node.relay
        ]

    def _begin(self, key: RouteKey) -> None:
        self._retired.pop(key, None)
        self._books.open(key)

    def _end(self, key: RouteKey) -> None:
        del self._in_force[key]
        self._sender.remove(key)
        self._retire(key)

    def known(self, key: RouteKey) -> bool:
        """Whether the configuration has this combination at all."""
        return (key.relay, key.sender, key.mailbox) in self._plans

    def adopt(self, probe: Probe) -> None:
        """A probe is open from the last run; its route may not be in force any more."""
        key = probe.route
        if key in self._books.histories:
            return
        self._books.open(key)
        self._metrics.add_route(Route(key, math.inf, probe.deadline, probe.give_up))
        self._retire(key)

    def _retire(self, key: RouteKey) -> None:
        self._books.retire(key)
        self._metrics.retire_route(key)
        self._retired[key] = None

    def forget_settled(self, now: float) -> None:
        """Let go of the retired routes that have had nothing open for a while."""
        for key, settled in list(self._retired.items()):
            if not self._books.ledger.levels.of(key).empty:
                self._retired[key] = None
            elif settled is None:
                self._retired[key] = now
            elif now - settled >= LINGER:
                del self._retired[key]
                self._metrics.forget_route(key)
                self._books.drop(key)


def _route(key: RouteKey, plan: Plan) -> Route:
    return Route(key, plan.interval, plan.deadline, plan.give_up)
