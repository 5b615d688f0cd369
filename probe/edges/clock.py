"""The system's clocks as the prober's timeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class SystemClock:
    """A timeline that begins at the wall's time and then grows monotonically (`ports.Clock`)."""

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._began = wall() - monotonic()
        self._told = 0.0

    def now(self) -> float:
        """Seconds on the timeline."""
        return self._began + self._monotonic()

    def wall(self, moment: float) -> float:
        """The Unix time of a moment on the timeline, by the wall clock as it is set now."""
        return moment + self._offset()

    def step(self) -> float:
        """How far the wall clock has moved against the timeline since this was last asked (s)."""
        offset = self._offset()
        moved, self._told = offset - self._told, offset
        return moved

    async def sleep_until(self, moment: float) -> None:
        """Return at `moment` on the timeline; a past one only lets the other tasks run."""
        await asyncio.sleep(max(0.0, moment - self.now()))
        while (left := moment - self.now()) > 0:  # noqa: ASYNC110 - timers may fire early.
            await asyncio.sleep(left)

    def _offset(self) -> float:
        return self._wall() - self.now()
