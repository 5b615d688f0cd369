"""Whatever looks wrong is looked into at once, whoever it may be blamed on."""

from __future__ import annotations

import pytest

from probe.core.component import Component, Kind
from probe.core.schedule import next_slot
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import Grid
from tests.simulation.judge import is_right
from tests.simulation.matrix import HEALTH, archive_for
from tests.simulation.mind import real_mind
from tests.simulation.simulation import EPOCH, Simulation

NODE = Component(Kind.NODE, "a", "a1")
START = 60.0


@pytest.mark.parametrize("grid", [Grid(1, 3, 1), Grid(2, 2, 3)], ids=str)
@pytest.mark.parametrize("ill", [Ill.HOLD, Ill.LOSE, Ill.REFUSE_CONNECTIONS])
def test_the_first_failure_is_followed_by_a_burst_that_names(grid: Grid, ill: Ill) -> None:
    run = Simulation(grid, HEALTH, seed=3, make_mind=real_mind, archive=archive_for(grid, HEALTH))
    run.world.strike(Fault(NODE, ill, start=START))
    run.until(START + 40.0)
    struck = [route for route in grid.routes() if route.key.node == "a1"]
    first = min(next_slot(route, EPOCH + START) for route in struck) - EPOCH
    named = [one.moment for one in run.diary.told if is_right(one.incident, NODE, grid)]
    assert named, "it is not named at all"
    assert named[0] < first + 8.0, "as late as if nothing had been sent outside the schedule"
