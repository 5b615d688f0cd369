"""Which routes are in force: nodes come and go, and their routes with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from probe.core.model import Node, Probe, Route, RouteKey
from probe.engine.books import Books
from probe.engine.sender import Sender
from probe.ports import Metrics

LINGER = 300.0  # s for which the last numbers of a route are shown, that they may be scraped.

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
        self._retired: dict[RouteKey, float | None] = {}  # Since when nothing of it is open.

    def joined(self, node: Node) -> None:
        """A node is probed from now on."""
        routes = [
            _route(RouteKey(relay, node.name, sender, mailbox), plan)
            for (relay, sender, mailbox), plan in self._plans.items()
            if relay == node.relay
        ]
        self._nodes[node] = routes
        self._metrics.add_node(node)
        for route in routes:
            self._retired.pop(route.key, None)
            self._books.open(route.key)
            self._metrics.add_route(route)
            self._sender.add(route, node)

    def retired(self, node: Node) -> None:
        """A node is gone. What is in flight through it is still waited for."""
        for route in self._nodes.pop(node, []):
            self._sender.remove(route.key)
            self._retire(route.key)
        self._metrics.retire_node(node)

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
