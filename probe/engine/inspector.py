"""The loop that looks up the relays' names, and says which nodes come and go."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from probe.core.model import Node, Relay
from probe.core.node_plan import NodePlan
from probe.core.nodes import (
    Change,
    FellBack,
    Joined,
    NodeBook,
    Retired,
    answered,
    fixed_nodes,
    unanswered,
)
from probe.engine.lookup import Looked, Lookup, Routes
from probe.ports import Clock, Metrics, ResolveFailure, Resolver

TURN = 5.0  # The longest sleep between two turns (s).

log = logging.getLogger("probe.inspector")


class Roster(Protocol):
    """Who is told which nodes are in force."""

    def joined(self, node: Node) -> None:
        """From now on the node is probed."""

    def retired(self, node: Node) -> None:
        """From now on the node is not probed. A relay's new nodes join before others retire.

        One that takes over the name of another joins when that has retired.
        """


class Inspector:
    """Looks up each relay whose nodes are in DNS at its times; other nodes join at start.

    It may be run again after it failed: what it knew of the nodes is kept.
    """

    def __init__(
        self,
        relays: Sequence[Relay],
        resolver: Resolver,
        roster: Roster,
        *,
        routes: Routes,
        clock: Clock,
        metrics: Metrics,
        former: Inspector | None = None,
    ) -> None:
        """What a `former` one knows of names that are still asked for is not asked anew."""
        self.trouble: dict[str, str] = {}  # What is wrong with the names of relays, by relay.
        self._lookup: Lookup = Lookup(resolver, routes) if former is None else former._lookup
        self._roster = roster
        self._clock = clock
        self._metrics = metrics
        self._fixed = [node for relay in relays for node in fixed_nodes(relay)]
        self._joining = [*self._fixed]
        self._books = {r.name: NodeBook(r) for r in relays if r.plan.is_looked_up}
        self._ended = False
        if former is not None:
            self._succeed(former)

    def _succeed(self, former: Inspector) -> None:
        former._ended = True  # A lookup of its may come to its end before it hears of that.
        for name, book in self._books.items():
            known = former._books.get(name)
            same = known is not None and _asked_for(known.relay) == _asked_for(book.relay)
            if known is not None and same:
                self._books[name] = replace(known, relay=book.relay)
                if trouble := former.trouble.get(name):
                    self.trouble[name] = trouble
            else:
                self._lookup.forget(name)

    @property
    def informed(self) -> bool:
        """Whether every name has been asked for, and its nodes, if it has any, have joined."""
        asked = all(math.isfinite(book.next_lookup) for book in self._books.values())
        return asked and not self._joining

    @property
    def nodes(self) -> frozenset[Node]:
        """All nodes that should be probed, as far as is known."""
        known = (node for book in self._books.values() for node in book.nodes)
        return frozenset((*self._fixed, *known))

    async def run(self, beat: Callable[[], None]) -> None:
        """Turn for ever: look up what is due, or sleep until something is, at most `TURN`."""
        while self._joining:
            self._roster.joined(self._joining.pop(0))
        while True:
            beat()
            now = self._clock.now()
            if due := [book for book in self._books.values() if book.next_lookup <= now]:
                async with asyncio.TaskGroup() as group:
                    for book in due:
                        group.create_task(self._inspect(book))
                continue
            next_lookups = (book.next_lookup for book in self._books.values())
            await self._clock.sleep_until(min([now + TURN, *next_lookups]))

    async def _inspect(self, book: NodeBook) -> None:
        """One lookup, and what follows from it."""
        relay = book.relay
        looked: Looked | ResolveFailure
        try:
            looked = await self._lookup.ask(relay)
        except ResolveFailure as failure:
            looked = failure
        if self._ended:
            return
        if isinstance(looked, ResolveFailure):
            self._troubled(relay, str(looked))
            following, changes = unanswered(book, self._clock.now())
        else:
            self._note(relay, looked)
            following, changes = answered(book, looked.answer, self._clock.now())
        self._books[relay.name] = following
        for change in changes:
            self._tell(relay, change)

    def _note(self, relay: Relay, looked: Looked) -> None:
        """Take note of an answer; one without any address is no success."""
        if looked.is_success:
            self._metrics.resolved(relay.name, self._clock.wall(self._clock.now()))
        if looked.trouble:
            self._troubled(relay, looked.trouble)
        elif self.trouble.pop(relay.name, None):
            log.info("Relay %r: %s resolves again.", relay.name, relay.host)

    def _troubled(self, relay: Relay, text: str) -> None:
        """Keep what is wrong, and say it once for as long as it lasts."""
        if relay.name not in self.trouble:
            log.warning("Relay %r: %s; the nodes stay as they are.", relay.name, text)
        self.trouble[relay.name] = text

    def _tell(self, relay: Relay, change: Change) -> None:
        """Pass a change of the nodes on."""
        match change:
            case Joined(node):
                log.info("Relay %r: node %s joins.", relay.name, node.name)
                self._roster.joined(node)
            case Retired(node):
                log.info("Relay %r: node %s is retired.", relay.name, node.name)
                self._roster.retired(node)
            case FellBack(reason):
                log.warning("Relay %r: %s; it is one node for now.", relay.name, reason)


def _asked_for(relay: Relay) -> tuple[object, ...]:
    """What the nodes of a relay follow from."""
    tls = relay.tls if relay.plan is NodePlan.SRV else None
    return relay.host, relay.port, relay.plan, tls, relay.ip_version, relay.source_address
