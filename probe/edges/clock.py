"""The system's clocks as the prober's timeline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from probe.core.standstill import Standstill
from probe.edges.steady import Steady, SteadyLoop


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
        self._steady = monotonic if isinstance(monotonic, Steady) else None
        self._began = wall() - monotonic()
        self._told = 0.0

    @classmethod
    def of_loop(cls) -> SystemClock:
        """That of the event loop that is running, which may leave out where it stood still."""
        loop = asyncio.get_running_loop()
        return cls(monotonic=loop.steady) if isinstance(loop, SteadyLoop) else cls()

    @property
    def standstill(self) -> Standstill | None:
        """When the prober last stood still, if it ever did; the timeline leaves that out."""
        last = None if self._steady is None else self._steady.standstill
        return last and replace(last, moment=self._began + last.moment)

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
