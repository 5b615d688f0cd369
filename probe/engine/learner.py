"""Tells the nodes behind a load balancer apart, by their greetings."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from probe.core import learned
from probe.core.level import Flight
from probe.core.model import Attempt, Node, Relay, RouteKey
from probe.core.node_plan import NodePlan
from probe.engine.books import Books
from probe.ports import Clock, Metrics

log = logging.getLogger("probe.learner")


class Learner:
    """The learned nodes of all relays: whom each attempt went to, and what is on its way by them.

    Their component metrics exist from their first greeting until they are forgotten.
    """

    def __init__(
        self, relays: Iterable[Relay], *, books: Books, metrics: Metrics, clock: Clock
    ) -> None:
        self._books = books
        self._metrics = metrics
        self._clock = clock
        self._balancers = _balancers(relays)
        self._heard: dict[str, dict[str, float]] = {}  # By relay and node: when it last greeted.

    @property
    def nodes(self) -> frozenset[tuple[str, str]]:
        """Those that are known now, each with its relay."""
        return frozenset((relay, name) for relay, heard in self._heard.items() for name in heard)

    def follow(self, relays: Iterable[Relay]) -> None:
        """From now on these are the relays.

        What was learned of others is forgotten as soon as nothing is on its way by it any more.
        """
        before, self._balancers = self._balancers, _balancers(relays)
        for relay, heard in self._heard.items():
            if self._balancers.get(relay) != before.get(relay):
                heard.update(dict.fromkeys(heard, -math.inf))

    def node_of(self, node: Node, attempt: Attempt) -> str:
        """The learned node that an attempt went to; empty where the route says which it was."""
        if node.relay not in self._balancers:
            return ""
        name = learned.node_name(attempt)
        return self._met(node.relay, name) if name else ""

    def adopt(self, relay: str, name: str) -> None:
        """Something that this node took is still on its way from the last run."""
        if name:
            self._met(relay, name)

    def show(self) -> None:
        """Set the gauges of what is on its way by learned nodes."""
        for key, flight in self._flights(self._routes()):
            self._metrics.flying(key, in_flight=flight.in_flight, overdue=flight.overdue)

    def refresh(self) -> None:
        """Time has passed: forget those that are gone, and make room for others."""
        now, routes = self._clock.now(), self._routes()
        for relay, heard in [*self._heard.items()]:
            flying = {
                name
                for route in routes[relay]
                for name in self._books.ledger.levels.of(route).learned
            }
            for name in learned.forgotten(heard, now, in_flight=flying):
                log.info("Relay %r: node %s has not greeted for long.", relay, name)
                del heard[name]
                self._metrics.retire_node(_node(relay, name))
            if not heard:
                del self._heard[relay]

    def _met(self, relay: str, name: str) -> str:
        """The label of a node that is there at this moment."""
        heard = self._heard.setdefault(relay, {})
        label = learned.label(heard, name)
        if label not in heard:
            log.info("Relay %r: node %s is learned from its greeting.", relay, label)
            self._metrics.add_node(_node(relay, label))
        heard[label] = self._clock.now()
        return label

    def _flights(
        self, routes: Mapping[str, Sequence[RouteKey]]
    ) -> Iterator[tuple[RouteKey, Flight]]:
        """What is on its way, for every learned node on every route of its relay."""
        for relay, heard in self._heard.items():
            for route in routes[relay]:
                flights = self._books.ledger.levels.of(route).learned
                for name in heard:
                    yield replace(route, node=name), flights.get(name, Flight())

    def _routes(self) -> dict[str, list[RouteKey]]:
        """The routes whose probes may have gone to learned nodes, by relay."""
        routes: dict[str, list[RouteKey]] = {relay: [] for relay in self._heard}
        for key in self._books.histories:
            if not key.node and key.relay in routes:
                routes[key.relay].append(key)
        return routes


def _node(relay: str, name: str) -> Node:
    return Node(relay, name, "", 0)


def _balancers(relays: Iterable[Relay]) -> dict[str, tuple[str, int]]:
    """Where the load balancers are, by relay."""
    return {one.name: (one.host, one.port) for one in relays if one.plan is NodePlan.GREETING}
