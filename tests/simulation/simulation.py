"""One world and its prober, which may be killed, and whose clock may be set."""

from __future__ import annotations

from tests.simulation.agenda import Agenda
from tests.simulation.archive import Archive
from tests.simulation.diary import Diary
from tests.simulation.grid import Grid
from tests.simulation.prober import Ground, MakeMind, Pace, Prober
from tests.simulation.world import Climate, World

EPOCH = 1_800_000_000.0  # What the wall clock says when simulated time begins.


class Simulation:
    """Runs for as long as it is told to."""

    def __init__(
        self,
        grid: Grid,
        climate: Climate,
        *,
        seed: int,
        make_mind: MakeMind,
        archive: Archive | None = None,
        pace: Pace = Pace.LAZY,
    ) -> None:
        """`archive`: what an earlier run has left."""
        self.grid = grid
        self.agenda = Agenda()
        self.world = World(climate, seed, grid.timeouts.hard)
        self.diary = Diary()
        self.archive = archive or Archive()
        self._ground = Ground(
            grid=grid,
            world=self.world,
            agenda=self.agenda,
            archive=self.archive,
            diary=self.diary,
            make_mind=make_mind,
            pace=pace,
            seed=seed,
        )
        self._ahead = EPOCH
        self._set_while_running = 0.0
        self._set_while_down = False
        self._runs = True
        self.prober = Prober(self._ground, self._ahead)

    def until(self, moment: float) -> None:
        """Let time pass until then (s)."""
        self.agenda.run(moment)

    def restart(self, down: float) -> None:
        """Kill the prober now, and start it again after so long (s)."""
        self.prober.kill()
        self._runs = False
        self.agenda.at(self.agenda.now + down, self._start)

    def set_clock(self, seconds: float) -> None:
        """Set the wall clock so far ahead, or back."""
        self._ahead += seconds
        if self._runs:
            self._set_while_running += seconds
        else:
            self._set_while_down = True

    def _start(self) -> None:
        self.archive.shift(self._set_while_running)
        self.prober = Prober(self._ground, self._ahead, clock_stepped=self._set_while_down)
        self._set_while_running, self._set_while_down = 0.0, False
        self._runs = True
