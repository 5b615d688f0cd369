"""Which routes are in force: nodes come and go, and their routes with them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from probe.core.model import Node, Route, RouteKey
from probe.engine.books import Books
from probe.engine.sender import Sender
from probe.ports import Metrics

log = logging.getLogger("probe.roster")

Combination = tuple[str, str, str]  # relay, sender, mailbox


class Roster:
    """The nodes that are probed, and the routes through them."""

    def __init__(
        self,
        plans: Mapping[Combination, tuple[float, float, float]],
        *,
        sender: Sender,
        books: Books,
        metrics: Metrics,
    ) -> None:
        """`plans`: interval, deadline and give-up (s) of each combination that is probed."""
        self._plans = plans
        self._sender = sender
        self._books = books
        self._metrics = metrics
        self._nodes: dict[Node, list[Route]] = {}
        self._retired: set[RouteKey] = set()

    @property
    def routes(self) -> Iterable[Route]:
        """The routes in force."""
        return (route for routes in self._nodes.values() for route in routes)

    def joined(self, node: Node) -> None:
        """A node is probed from now on."""
        routes = [
            Route(RouteKey(relay, node.name, sender, mailbox), *plan)
            for (relay, sender, mailbox), plan in self._plans.items()
            if relay == node.relay
        ]
        self._nodes[node] = routes
        self._metrics.add_node(node)
        for route in routes:
            self._retired.discard(route.key)
            self._books.open(route.key)
            self._metrics.add_route(route)
            self._sender.add(route, node)

    def retired(self, node: Node) -> None:
        """A node is gone. What is in flight through it is still waited for."""
        for route in self._nodes.pop(node, []):
            self._sender.remove(route.key)
            self._metrics.retire_route(route.key)
            self._retired.add(route.key)
        self._metrics.retire_node(node)

    def known(self, key: RouteKey) -> bool:
        """Whether the configuration has this combination at all."""
        return (key.relay, key.sender, key.mailbox) in self._plans

    def adopt(self, key: RouteKey, deadline: float, give_up: float) -> None:
        """A route whose node is gone has something open from the last run."""
        if key in self._retired or any(route.key == key for route in self.routes):
            return
        interval = self._plans[key.relay, key.sender, key.mailbox][0]
        self._books.open(key)
        self._metrics.add_route(Route(key, interval, deadline, give_up))
        self._metrics.retire_route(key)
        self._retired.add(key)

    def forget_settled(self) -> None:
        """Let go of the retired routes that have nothing open any more."""
        for key in [key for key in self._retired if self._books.ledger.levels.of(key).empty]:
            self._retired.discard(key)
            self._metrics.forget_route(key)
            self._books.drop(key)
