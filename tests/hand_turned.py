"""A clock that stands still until a test turns it."""

from __future__ import annotations

import asyncio
from itertools import count

from probe.core.standstill import Standstill


class HandTurnedClock:
    """Fulfils ports.Clock for any number of sleepers; the wall is ahead by `offset` seconds."""

    def __init__(self, moment: float = 0.0, *, offset: float = 0.0) -> None:
        self.moment = moment
        self.offset = offset
        self.standstill: Standstill | None = None
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._order = count()
        self._asleep = asyncio.Event()

    def now(self) -> float:
        return self.moment

    def wall(self, moment: float) -> float:
        return moment + self.offset

    async def sleep_until(self, moment: float) -> None:
        if moment <= self.moment:
            await asyncio.sleep(0)
            return
        sleeper = (moment, next(self._order), asyncio.Event())
        self._sleepers.append(sleeper)
        self._asleep.set()
        try:
            await sleeper[-1].wait()
        finally:
            if sleeper in self._sleepers:  # It was cancelled.
                self._sleepers.remove(sleeper)

    async def advance(self, seconds: float) -> None:
        """Let time pass for whoever waits for nothing else; returns when nobody has more to do."""
        end = self.moment + seconds
        await settle()
        while self._wake_next(end):
            await settle()
        self.moment = end

    async def turn(self, until: float) -> None:
        """Let time pass for a loop that waits for the world too; returns when it sleeps again."""
        await self._has_sleepers()
        while self._wake_next(until):
            await self._has_sleepers()
        self.moment = until

    def _wake_next(self, until: float) -> bool:
        sleeper = min(self._sleepers, default=None)
        if sleeper is None or sleeper[0] > until:
            return False
        self._sleepers.remove(sleeper)
        self.moment = sleeper[0]
        sleeper[-1].set()
        return True

    async def _has_sleepers(self) -> None:
        while not self._sleepers:
            self._asleep.clear()
            await self._asleep.wait()


async def settle(rounds: int = 30) -> None:
    """Let every task run until it waits for something."""
    for _ in range(rounds):
        await asyncio.sleep(0)
