"""Sends one probe on each route, once: what a check has in the place of a schedule."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

from probe.core import schedule
from probe.core.model import Node, Route, RouteKey
from probe.engine.courier import Courier
from probe.ports import Clock


class Volley:
    """The routes as they come in force, until they are all probed at once."""

    def __init__(self, courier: Courier, *, clock: Clock) -> None:
        self._courier = courier
        self._clock = clock
        self._routes: dict[RouteKey, tuple[Route, Node]] = {}
        self._done: set[RouteKey] = set()
        self.fired = False  # From now on messages of ours may be in the mailboxes.
        self.over = False  # No submission is under way any more.

    @property
    def ready(self) -> bool:
        """Whether the probes have been sent off."""
        return self.fired

    @property
    def routes(self) -> list[RouteKey]:
        """The routes that are in force."""
        return sorted(self._routes)

    @property
    def nodes(self) -> set[Node]:
        """The nodes that they go through."""
        return {node for _, node in self._routes.values()}

    def is_done(self, key: RouteKey) -> bool:
        """Whether the turn of this route has come, and is over."""
        return key in self._done

    def add(self, route: Route, node: Node) -> None:
        """A route is in force."""
        self._routes[route.key] = (route, node)

    def remove(self, key: RouteKey) -> None:
        """A route is not in force any more."""
        self._routes.pop(key, None)

    async def fire(self) -> None:
        """One probe on each route; a node is not given more at a time than on a schedule."""
        self.fired = True
        room = {node: asyncio.Semaphore(schedule.OVERLAP) for _, node in self._routes.values()}
        async with asyncio.TaskGroup() as group:
            for route, node in self._routes.values():
                group.create_task(self._send(route, node, room[node]))
        self.over = True

    async def _send(self, route: Route, node: Node, room: asyncio.Semaphore) -> None:
        endless = replace(route, interval=math.inf)  # No slot follows that it would have to make.
        async with room:
            await self._courier.carry(endless, node, self._clock.now())
        self._done.add(route.key)
