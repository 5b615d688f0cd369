"""Time that leaves out where we stood still, and an event loop whose timers go by it."""

from __future__ import annotations

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from probe.core.standstill import LEAST, Standstill
from probe.edges import steady
from probe.edges.clock import SystemClock
from probe.edges.steady import Steady


class Source:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_a_gap_takes_no_time_and_is_told() -> None:
    source = Source()
    clock = Steady(source)
    source.now += 0.5
    assert clock() == 50.5
    source.now += 20.0
    assert clock() == 50.5
    assert clock.standstill == Standstill(50.5, 20.0)
    source.now += 0.25
    assert clock() == 50.75


@given(st.lists(st.floats(0.0, 100.0)))
def test_it_never_goes_back_and_never_faster_than_the_time_outside(gaps: list[float]) -> None:
    source = Source()
    clock, before = Steady(source), 50.0
    for gap in gaps:
        source.now += gap
        after = clock()
        assert before - 1e-9 <= after <= before + min(gap, LEAST) + 1e-9
        before = after


def test_the_timeline_stands_still_and_the_wall_goes_on() -> None:
    source = Source()
    clock = SystemClock(wall=lambda: 1000.0 + source.now, monotonic=Steady(source))
    moment = clock.now()
    source.now += 30.0
    assert clock.now() == moment
    assert clock.standstill == Standstill(moment, 30.0)
    assert clock.step() == 30.0
    assert SystemClock().standstill is None


def test_timers_do_not_run_out_while_the_loop_is_held_up() -> None:
    async def hold_up() -> bool:
        clock = SystemClock.of_loop()
        async with asyncio.timeout(LEAST):
            await asyncio.sleep(0.1)
            time.sleep(LEAST + 0.5)  # noqa: ASYNC251 - nothing of ours happens now.
            await asyncio.sleep(0.1)
        return clock.standstill is not None

    assert steady.run(hold_up())


def test_an_idle_loop_does_not_stand_still() -> None:
    async def wait() -> Standstill | None:
        clock = SystemClock.of_loop()
        await asyncio.sleep(3 * LEAST)
        return clock.standstill

    assert steady.run(wait()) is None
