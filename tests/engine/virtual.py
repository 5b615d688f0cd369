"""A loop whose time jumps to the next timer when nothing else is to be done."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

Result = TypeVar("Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Hours pass in milliseconds."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._virtual = max(self._virtual, self._scheduled[0].when())
        super()._run_once()


class LoopClock:
    """The loop's own time, which the wall shares."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self, moment: float) -> float:
        return moment

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(moment - self.now())


def run(work: Coroutine[None, None, Result]) -> Result:
    """The result, at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
