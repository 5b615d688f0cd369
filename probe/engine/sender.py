"""Starts a probe for every slot: every route on its own grid, whatever the others do."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from probe.core import schedule
from probe.core.model import Loop, Node, Route, RouteKey, SkipCause
from probe.engine.courier import Courier, Errand
from probe.engine.supervisor import Beat
from probe.ports import Clock, Metrics

log = logging.getLogger("probe.sender")

TURN = 5.0  # s: the loop turns at least this often.


@dataclass(slots=True)
class _Entry:
    """A route in force."""

    route: Route
    node: Node
    since: float  # Slots up to here have been seen to.
    due: float  # Its place among what is due; a route that has changed left an old one.
    running: int = 0


class Sender:
    """The loop that knows what is due."""

    def __init__(self, courier: Courier, *, metrics: Metrics, clock: Clock) -> None:
        self._courier = courier
        self._metrics = metrics
        self._clock = clock
        self._entries: dict[RouteKey, _Entry] = {}
        self._due: list[tuple[float, RouteKey]] = []
        self._probes: asyncio.TaskGroup | None = None  # Of the loop, while it turns.
        self._changed = asyncio.Event()
        self._stopping = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def ready(self) -> bool:
        """Whether a first slot has been scheduled."""
        return bool(self._due)

    def add(self, route: Route, node: Node) -> None:
        """A route is in force from now on, or is another than before."""
        now = self._clock.now()
        due = schedule.next_slot(route, now)
        if entry := self._entries.get(route.key):  # What is running goes on with it.
            entry.route, entry.node, entry.since, entry.due = route, node, now, due
        else:
            self._entries[route.key] = _Entry(route, node, since=now, due=due)
        heapq.heappush(self._due, (due, route.key))
        self._changed.set()

    def remove(self, key: RouteKey) -> None:
        """No further slot of this route comes due."""
        self._entries.pop(key, None)

    def confirm(self, key: RouteKey) -> bool:
        """Start a confirmation probe, outside the schedule; False where it cannot be right now.

        It takes no place of the slots, and waits for nothing.
        """
        entry = self._entries.get(key)
        if entry is None or self._probes is None or self._stopping:
            return False
        errand = self._courier.admit(entry.route, entry.node)
        if errand is None:
            return False
        task = self._probes.create_task(self._confirm(errand))
        task.add_done_callback(lambda _: errand.end())  # It may be cancelled before it begins.
        return True

    def follow(self, courier: Courier) -> None:
        """From now on this one carries what comes due; the one before ends what it has begun."""
        self._courier.retire()
        self._courier = courier

    async def stop(self) -> None:
        """From now on slots that come due are skipped; returns when no submission is under way."""
        self._stopping = True
        await self._idle.wait()

    async def run(self, beat: Beat) -> None:
        """Turn for ever. The probes under way end with the loop."""
        async with asyncio.TaskGroup() as probes:
            self._probes = probes
            try:
                while True:
                    beat()
                    self._changed.clear()
                    self._start_due(probes)
                    await self._pause()
            finally:
                self._probes = None

    async def _pause(self) -> None:
        """Until the next slot, the next change of routes, or the longest time for a turn."""
        pause = self._due[0][0] - self._clock.now() if self._due else TURN
        with suppress(TimeoutError):
            async with asyncio.timeout(min(max(0.0, pause), TURN)):
                await self._changed.wait()

    def _start_due(self, probes: asyncio.TaskGroup) -> None:
        now = self._clock.now()
        while self._due and self._due[0][0] <= now:
            due, key = heapq.heappop(self._due)
            entry = self._entries.get(key)
            if entry is None or entry.due != due:
                continue
            # Where rounding hides the slot from its own moment, it is that moment.
            *missed, slot = schedule.slots(entry.route, entry.since, now) or [due]
            entry.since, entry.due = now, schedule.next_slot(entry.route, now)
            heapq.heappush(self._due, (entry.due, key))
            for _ in missed:
                self._skip(entry, SkipCause.OVERLAP)
            self._start(entry, slot, probes)

    def _start(self, entry: _Entry, slot: float, probes: asyncio.TaskGroup) -> None:
        if self._stopping:
            self._skip(entry, SkipCause.SHUTDOWN)
        elif entry.running >= schedule.OVERLAP:
            self._skip(entry, SkipCause.OVERLAP)
        else:
            probes.create_task(self._run(entry, slot))

    def _skip(self, entry: _Entry, cause: SkipCause) -> None:
        self._metrics.scheduled(entry.route.key)
        self._metrics.skipped(entry.route.key, cause)

    async def _run(self, entry: _Entry, slot: float) -> None:
        """One slot."""
        entry.running += 1
        try:
            with self._underway(entry.route.key):
                while self._entries.get(entry.route.key) is entry:
                    if await self._courier.carry(entry.route, entry.node, slot):
                        break
        finally:
            entry.running -= 1

    async def _confirm(self, errand: Errand) -> None:
        """One confirmation probe."""
        with self._underway(errand.route.key):
            await self._courier.confirm(errand)

    @contextmanager
    def _underway(self, key: RouteKey) -> Iterator[None]:
        """What is waited for at the end. It breaks nothing else: the group would end with it."""
        self._running += 1
        self._idle.clear()
        try:
            yield
        except Exception:
            log.exception("A probe of %s broke.", key)
            self._metrics.failed(Loop.SENDER)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
