"""What `mailprobe demo` plays: a real prober at work while the demo's mail world has trouble."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from probe.demo.account import Account, account_of
from probe.demo.behaviour import NO_TROUBLE
from probe.demo.configuration import write_configuration
from probe.demo.course import Course, Phase
from probe.demo.name import Names, names_of
from probe.demo.page import read_page
from probe.demo.scenario import Scenario
from probe.demo.screen import Scene, Screen
from probe.demo.world import World, demo_world

Prober = Callable[[Path, asyncio.Event, Callable[[str], None]], Coroutine[None, None, None]]
"""Runs a prober by a configuration file until the event is set; calls with its pages' address."""

_TURN = 0.25  # Between two looks at the prober's pages (s).
_START = 30.0  # For the prober to come up (s).
_SETTLE = 10.0  # For what is on its way at the end to arrive (s).


async def play(
    scenario: Scenario, prober: Prober, *, port: int, duration: float, keep: bool
) -> int:
    """Healthy, the scenario's fault, recovery; 0 if exactly that was named and cleared, else 1.

    It takes `duration` (s), or with `keep` goes on until Ctrl-C.
    """
    over = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, over.set)
    with TemporaryDirectory(prefix="mailprobe-demo-") as name:
        folder = Path(name)
        async with demo_world(folder) as world, asyncio.TaskGroup() as group:
            stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
            file = write_configuration(world, folder, port=port, interval=scenario.interval)
            group.create_task(prober(file, stop, ready.set_result))
            try:
                async with asyncio.timeout(_START):
                    performance = _Performance(scenario, duration, await ready)
                well = await performance.run(world, over, None if keep else duration)
            finally:
                stop.set()
    return 0 if well else 1


class _Performance:
    """A scenario as it is played, watched from outside through the prober's pages."""

    def __init__(self, scenario: Scenario, duration: float, url: str) -> None:
        self._scenario = scenario
        self._course = Course(scenario, duration)
        self._url = url
        self._slowest = 0.0  # Delay that was seen (s).

    async def run(self, world: World, over: asyncio.Event, until: float | None) -> bool:
        """Play until so many seconds have passed, or it is over; whether all went as expected."""
        screen = Screen(Console(), until)
        base = self._url.rstrip("/")
        screen.say(f"The prober's pages: {base}/ {base}/metrics {base}/api/v1/status")
        started = time.monotonic()
        with screen:
            while True:
                account, names = await self._look()
                elapsed = time.monotonic() - started
                for line in await self._go_on(world, account, names, elapsed):
                    screen.say(line)
                screen.show(Scene(account, names, self._course.phase, elapsed))
                if over.is_set() or (until is not None and elapsed >= until):
                    break
                await _pause(over)
        screen.say(self._verdict(await self._settled(account)))
        return not self._course.problems

    async def _go_on(
        self, world: World, account: Account, names: Names, elapsed: float
    ) -> list[str]:
        """Break or mend the world when it is time; what there is to say."""
        before = self._course.phase
        said = self._course.see(names, fewest=account.fewest, now=elapsed)
        if self._course.phase is not before:
            broken = self._course.phase is Phase.FAULT
            await world.suffer(self._scenario.trouble if broken else NO_TROUBLE)
        return said

    async def _look(self) -> tuple[Account, Names]:
        """What the prober says now."""
        paths = ("/api/v1/status", "/api/v1/incidents", "/metrics")
        pages = [await asyncio.to_thread(read_page, self._url, path) for path in paths]
        status, incidents = (json.loads(page) for page in pages[:2])
        account = account_of(status, pages[2])
        self._slowest = max(self._slowest, account.slowest)
        return account, names_of(status, incidents)

    async def _settled(self, account: Account) -> Account:
        """The account at a moment when nothing is on its way, if there is one soon."""
        until = time.monotonic() + _SETTLE
        while account.sent != account.arrived and time.monotonic() < until:
            await asyncio.sleep(_TURN / 5)
            account, _ = await self._look()
        return account

    def _verdict(self, account: Account) -> str:
        """How it went, in one line."""
        arrived = f"{account.arrived} of {account.sent} accepted probes arrived"
        if self._scenario.expected is None:
            arrived += f", the slowest after {self._slowest:.2f} s"
        return f"{self._course.verdict} {arrived}."


async def _pause(over: asyncio.Event) -> None:
    """Wait a turn, or less if it is over."""
    try:
        async with asyncio.timeout(_TURN):
            await over.wait()
    except TimeoutError:
        pass
