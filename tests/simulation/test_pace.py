"""To leave out ticks while nothing is undecided changes nothing of what is told."""

from __future__ import annotations

from probe.core.component import Component, Kind
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import Grid
from tests.simulation.mind import real_mind
from tests.simulation.prober import Pace
from tests.simulation.simulation import Simulation
from tests.simulation.world import Climate

HOURS = 1.0


def lived(pace: Pace) -> Simulation:
    """An eventful while: a restart, a stall, a share of refusals, a kill, a clock that is set."""
    run = Simulation(Grid(1, 3, 1), Climate(failures=0.01), seed=5, make_mind=real_mind, pace=pace)
    node = Component(Kind.NODE, "a", "a1")
    run.world.strike(
        Fault(node, Ill.RESTART, 400.0, 430.0),
        Fault(node, Ill.HOLD, 1000.0, 1010.0),
        Fault(Component(Kind.NODE, "a", "a2"), Ill.REFUSE, 1500.0, 2000.0, share=0.5),
        Fault(Component(Kind.NODE, "a", "a3"), Ill.DUPLICATE, 3000.0, 3200.0),
    )
    run.agenda.at(1600.0, run.set_clock, 3600.0)
    run.agenda.at(1700.0, run.restart, 5.0)
    run.until(HOURS * 3600.0)
    return run


def test_the_lazy_pace_tells_the_same_as_the_full_one() -> None:
    full, lazy = lived(Pace.FULL), lived(Pace.LAZY)
    assert lazy.diary.told == full.diary.told
    assert lazy.diary.told, "nothing was named at all"
    assert lazy.diary.verdicts == full.diary.verdicts
    assert lazy.diary.confirmations == full.diary.confirmations
    assert lazy.diary.ticks < 0.8 * full.diary.ticks
