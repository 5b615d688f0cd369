"""Time that passes only while the prober runs, and an event loop that goes by it.

The process may be stopped, its machine suspended or moved, or something may hold up the event
loop. What waits for us meanwhile is not late, and whoever gave us up is not broken. So that time
does not count: no timer, no age and no phase of a submission sees it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from probe.core.standstill import LEAST, Standstill

READING = 0.25  # s after which the clock is read, if nobody else has done so.

Answer = TypeVar("Answer")


def uptime() -> float:
    """Seconds since the machine was started; time in which it was suspended counts."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Steady:
    """A monotonic clock that leaves out every gap between two readings that is a standstill.

    It has to be read all the time: who does not read it stands still.
    """

    def __init__(self, source: Callable[[], float] = uptime) -> None:
        self.standstill: Standstill | None = None  # The last one, by this clock.
        self._source = source
        self._read = source()
        self._left_out = 0.0
        self._lock = threading.RLock()  # The journal's thread reads it, too.

    def __call__(self) -> float:
        """The time (s)."""
        with self._lock:
            now = self._source()
            gap = now - self._read
            self._read = now
            if gap > LEAST:
                self._left_out += gap
                self.standstill = Standstill(now - self._left_out, gap)
            return now - self._left_out


class SteadyLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers do not go on while it stands still."""

    def __init__(self) -> None:
        self.steady = Steady()
        super().__init__()
        self._keep_reading()

    def time(self) -> float:
        """The time of its timers (s)."""
        return self.steady()

    def _keep_reading(self) -> None:
        self.call_later(READING, self._keep_reading)


def run(main: Coroutine[Any, Any, Answer]) -> Answer:
    """As asyncio.run, on such a loop."""
    with asyncio.Runner(loop_factory=SteadyLoop) as runner:
        return runner.run(main)
