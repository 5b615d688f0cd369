"""Loops end when they are told to, whatever else happens at that moment."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from probe.core.model import Loop
from probe.engine.crew import Crew
from probe.engine.supervisor import Beat, Supervisor
from tests.engine.world import FakeMetrics
from tests.hand_turned import HandTurnedClock


async def test_a_loop_whose_wait_runs_out_at_that_very_moment_ends_all_the_same() -> None:
    async def turn(beat: Beat) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(0):  # Over in the next round of the event loop,
                    asyncio.get_running_loop().call_soon(crew.dismiss)  # and then this.
                    await asyncio.Event().wait()
            await asyncio.Event().wait()

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        supervisor = Supervisor(clock=HandTurnedClock(), metrics=FakeMetrics())  # type: ignore[arg-type]
        crew = Crew(group, supervisor)
        crew.start(Loop.WATCHER, "corp inbox", turn)


async def test_a_loop_that_takes_leave_is_not_disturbed() -> None:
    left = []

    async def turn(beat: Beat) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            crew.dismiss()
            await asyncio.sleep(0)
            left.append("in order")

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        supervisor = Supervisor(clock=HandTurnedClock(), metrics=FakeMetrics())  # type: ignore[arg-type]
        crew = Crew(group, supervisor)
        crew.start(Loop.WATCHER, "corp inbox", turn)
        await asyncio.sleep(0)
        crew.stop(Loop.WATCHER, "corp inbox")
    assert left == ["in order"]
