"""What the detector takes of a core."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from probe.core.change import Change
from probe.core.component import Component, Kind
from probe.core.incident import Incident
from probe.core.model import Attempt, Phase, Probe, Relay, Route, RouteKey
from probe.core.sight import Sight
from tests.simulation.archive import Archive
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import Grid
from tests.simulation.mind import real_mind
from tests.simulation.prober import Detector, Diagnosis, Mind, Pace
from tests.simulation.school import schooled
from tests.simulation.simulation import Simulation
from tests.simulation.world import Climate

THOUSAND = Grid(10, 10, 10)
_HEALTHY, _ILL = 90.0, 90.0  # s


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one stretch of time."""

    what: str
    seconds: float  # Of simulated time.
    taken: float  # s of the processor, in all.
    ticks: int
    in_ticks: float  # s of the processor.
    longest: float  # The longest tick (s).

    @property
    def share(self) -> float:
        """Of one core."""
        return self.taken / self.seconds


@dataclass(slots=True)
class Metered:
    """A detector of which every call is timed."""

    detector: Detector
    taken: float = 0.0
    ticks: list[float] = field(default_factory=list)

    @property
    def open(self) -> Iterable[Incident]:
        return self.detector.open

    def follow(
        self, routes: Iterable[Route], relays: Mapping[str, Relay], *, slow_after: float = 5.0
    ) -> None:
        self.detector.follow(routes, relays, slow_after=slow_after)

    def launched(self, probe: Probe) -> None:
        began = time.process_time()
        self.detector.launched(probe)
        self.taken += time.process_time() - began

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        began = time.process_time()
        self.detector.entered(sequence, phase, moment)
        self.taken += time.process_time() - began

    def attempted(self, sequence: int, attempt: Attempt, learned: str) -> None:
        began = time.process_time()
        self.detector.attempted(sequence, attempt, learned)
        self.taken += time.process_time() - began

    def changed(self, change: Change) -> None:
        began = time.process_time()
        self.detector.changed(change)
        self.taken += time.process_time() - began

    def tick(self, now: float) -> Diagnosis:
        began = time.process_time()
        diagnosis = self.detector.tick(now)
        self.ticks.append(time.process_time() - began)
        self.taken += self.ticks[-1]
        return diagnosis

    def denied(self, key: RouteKey) -> None:
        self.detector.denied(key)

    def read(self, what: str, seconds: float) -> Cost:
        """What it took since it was last read."""
        cost = Cost(
            what, seconds, self.taken, len(self.ticks), sum(self.ticks), max(self.ticks, default=0)
        )
        self.taken, self.ticks = 0.0, []
        return cost


def costs(grid: Grid = THOUSAND) -> list[Cost]:
    """While all is well, while a node holds, and while a mailbox swallows a share besides."""
    climate = Climate(failures=0.0078)
    metered: list[Metered] = []

    def make_mind(sights: Mapping[str, Sight], archive: Archive) -> Mind:
        mind = real_mind(sights, archive)
        metered.append(Metered(mind.detector))
        return Mind(metered[0], mind.rows)

    run = Simulation(
        grid,
        climate,
        seed=1,
        make_mind=make_mind,
        archive=schooled(grid, climate),
        pace=Pace.FULL,
    )
    well = _HEALTHY
    run.world.strike(
        Fault(Component(Kind.NODE, "a", "a1"), Ill.HOLD, well, well + _ILL),
        Fault(Component(Kind.MAILBOX, mailbox="m1"), Ill.LOSE, well + _ILL / 2, share=0.25),
    )
    found = []
    for what, until in (
        ("all is well", well),
        ("a node holds", well + _ILL / 2),
        ("a mailbox swallows a quarter besides", well + _ILL),
    ):
        before = run.agenda.now
        run.until(until)
        found.append(metered[0].read(what, until - before))
    return found
