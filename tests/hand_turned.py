"""A clock that stands still until a test turns it."""

import asyncio


class HandTurnedClock:
    """Fulfils ports.Clock for one sleeper at a time; the wall is 1000 s ahead."""

    def __init__(self) -> None:
        self.moment = 0.0
        self._asleep = asyncio.Event()
        self._alarm = (0.0, asyncio.Event())

    def now(self) -> float:
        return self.moment

    def wall(self, moment: float) -> float:
        return moment + 1000

    async def sleep_until(self, moment: float) -> None:
        if moment <= self.moment:
            return
        self._alarm = (moment, asyncio.Event())
        self._asleep.set()
        try:
            await self._alarm[1].wait()
        finally:
            self._asleep.clear()

    async def turn(self, until: float) -> None:
        """Let time pass; returns when the sleeper sleeps again, however often it was woken."""
        await self._asleep.wait()
        while self._alarm[0] <= until:
            self.moment, alarm = self._alarm
            self._asleep.clear()
            alarm.set()
            await self._asleep.wait()
        self.moment = until
