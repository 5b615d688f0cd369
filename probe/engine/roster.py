"""Which routes are in force: nodes come and go, and their routes with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from probe.core.model import Node, Route, RouteKey
from probe.engine.books import Books
from probe.ports import Metrics

Combination = tuple[str, str, str]  # relay, sender, mailbox


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
        sender: Sender,
        books: Books,
        metrics: Metrics,
    ) -> None:
        """`plans`: one for each combination that is probed."""
        self._plans = plans
        self._sender = sender
        self._books = books
        self._metrics = metrics
        self._nodes: dict[Node, list[Route]] = {}
        self._retired: set[RouteKey] = set()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Those that are probed now."""
        return tuple(self._nodes)

    def follow(self, plans: Mapping[Combination, Plan]) -> None:
        """From now on these are the plans; routes that stay as they are notice nothing."""
        self._plans = plans
        for node, before in self._nodes.items():
            routes = self._planned(node)
            keys = {route.key for route in routes}
            for route in before:
                if route.key not in keys:
                    self._end(route.key)
            for route in routes:
                if route not in before:
                    self._begin(route, node)
            self._nodes[node] = routes

    def joined(self, node: Node) -> None:
        """A node is probed from now on; one that is already goes on."""
        if node in self._nodes:
            return
        self._nodes[node] = self._planned(node)
        self._metrics.add_node(node)
        for route in self._nodes[node]:
            self._begin(route, node)

    def retired(self, node: Node) -> None:
        """A node is gone. What is in flight through it is still waited for."""
        for route in self._nodes.pop(node, []):
            self._end(route.key)
        self._metrics.retire_node(node)

    def _planned(self, node: Node) -> list[Route]:
        return [
            _route(RouteKey(relay, node.name, sender, mailbox), plan)
            for (relay, sender, mailbox), plan in self._plans.items()
            if relay == node.relay
        ]

    def _begin(self, route: Route, node: Node) -> None:
        self._retired.discard(route.key)
        self._books.open(route.key)
        self._metrics.add_route(route)
        self._sender.add(route, node)

    def _end(self, key: RouteKey) -> None:
        self._sender.remove(key)
        self._metrics.retire_route(key)
        self._retired.add(key)

    def known(self, key: RouteKey) -> bool:
        """Whether the configuration has this combination at all."""
        return (key.relay, key.sender, key.mailbox) in self._plans

    def adopt(self, key: RouteKey) -> None:
        """Something of this route is open from the last run; its node may have gone since."""
        if key in self._books.histories:
            return
        self._books.open(key)
        self._metrics.add_route(_route(key, self._plans[key.relay, key.sender, key.mailbox]))
        self._metrics.retire_route(key)
        self._retired.add(key)

    def forget_settled(self) -> None:
        """Let go of the retired routes that have nothing open any more."""
        for key in [key for key in self._retired if self._books.ledger.levels.of(key).empty]:
            self._retired.discard(key)
            self._metrics.forget_route(key)
            self._books.drop(key)


def _route(key: RouteKey, plan: Plan) -> Route:
    return Route(key, plan.interval, plan.deadline, plan.give_up)
