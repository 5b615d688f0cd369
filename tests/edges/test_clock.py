import pytest

from probe.edges.clock import SystemClock


class Source:
    """A wall and a monotonic clock that are set by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_800_000_000.0, 50.0

    def clock(self) -> SystemClock:
        return SystemClock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def grow(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_the_timeline_begins_at_the_walls_time_and_ignores_its_steps() -> None:
    source = Source()
    clock = source.clock()
    assert clock.now() == 1_800_000_000.0
    source.grow(5.0)
    source.wall -= 3600.0
    assert clock.now() == 1_800_000_005.0


def test_wall_is_by_the_clock_as_it_is_set_now() -> None:
    source = Source()
    clock = source.clock()
    source.wall += 120.0
    assert clock.wall(1_800_000_000.0) == 1_800_000_120.0


def test_a_step_is_told_once() -> None:
    source = Source()
    clock = source.clock()
    source.grow(10.0)
    assert clock.step() == 0.0
    source.wall -= 7.0
    assert clock.step() == -7.0
    assert clock.step() == 0.0


async def test_sleep_until_never_returns_early() -> None:
    clock = SystemClock()
    moment = clock.now() + 0.02
    await clock.sleep_until(moment)
    assert clock.now() >= moment
    await clock.sleep_until(moment)


def test_the_system_clock_agrees_with_itself() -> None:
    clock = SystemClock()
    assert clock.wall(clock.now()) == pytest.approx(clock.now(), abs=0.5)
