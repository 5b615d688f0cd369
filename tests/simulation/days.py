"""Days on which nothing is wrong, but for what happens every day.

Every node restarts once (30 s) and its queue stands still once (10 s), the prober is killed once,
and the wall clock is set by an hour: ahead on one day and back on the next, on half of the days
while nobody runs. Summer time moves no Unix clock; a machine that keeps its clock in local time
sets it by an hour, which is the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from random import Random

from probe.core.component import Component, Kind
from tests.simulation.diary import Diary
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import Grid
from tests.simulation.judge import CLOSED_WITHIN, LAG, is_right, told
from tests.simulation.mind import real_mind
from tests.simulation.prober import Pace
from tests.simulation.simulation import Simulation
from tests.simulation.world import Climate

DAY = 86400.0
RESTART, STALL, DOWN, HOUR = 30.0, 10.0, 5.0, 3600.0
_SLOT = 900.0  # s: nothing else happens within that.


@dataclass(frozen=True, slots=True)
class Account:
    """What was named on so many days."""

    days: float
    climate: Climate
    seed: int
    probes: int
    confirmations: int
    causes: int
    named: int  # Incidents that opened because of a cause.
    stray: tuple[str, ...]  # Those that opened at another time.
    beside: tuple[str, ...]  # Those that opened because of a cause, and name something else.
    confirmed: tuple[str, ...]
    lingering: tuple[str, ...]  # Those that closed too late, or not at all.


@dataclass(slots=True)
class Days:
    """A simulation with what happens every day."""

    grid: Grid
    climate: Climate
    seed: int
    pace: Pace = Pace.LAZY
    causes: list[Fault] = field(default_factory=list)
    run: Simulation = field(init=False)

    def __post_init__(self) -> None:
        self.run = Simulation(
            self.grid, self.climate, seed=self.seed, make_mind=real_mind, pace=self.pace
        )

    def live(self, days: float) -> None:
        """Let them pass."""
        random = Random(self.seed)
        for number in range(ceil(days)):
            self._plan(random, number)
            self.run.until(min(number + 1, days) * DAY)

    def account(self) -> Account:
        """What there is to say about the days so far."""
        return _Audit(self.grid, self.causes, self.run.diary).account(self)

    def _plan(self, random: Random, number: int) -> None:
        nodes = self.grid.node_names
        slots = random.sample(range(1, int(DAY / _SLOT)), 2 * len(nodes) + 2)
        moments = [number * DAY + slot * _SLOT + random.uniform(0.0, _SLOT / 3) for slot in slots]
        faults = []
        for relay, node in nodes:
            where = Component(Kind.NODE, relay, node)
            begin, stall = moments.pop(), moments.pop()
            faults.append(Fault(where, Ill.RESTART, begin, begin + RESTART))
            faults.append(Fault(where, Ill.HOLD, stall, stall + STALL))
        self.run.world.forget(number * DAY - HOUR)
        self.run.world.strike(*faults)
        self.causes += faults
        kill, step = moments.pop(), moments.pop()
        self.run.agenda.at(kill, self.run.restart, DOWN)
        down = number // 2 % 2
        seconds = -HOUR if number % 2 else HOUR
        self.run.agenda.at(kill + 1.0 if down else step, self.run.set_clock, seconds)


def live(failures: float, days: float, seed: int) -> Account:
    """So many days of a pool of three nodes with one mailbox."""
    life = Days(Grid(1, 3, 1), Climate(failures=failures), seed=seed)
    life.live(days)
    return life.account()


@dataclass(frozen=True, slots=True)
class _Audit:
    """Looks at what was told in the light of what has happened."""

    grid: Grid
    causes: list[Fault]
    diary: Diary

    def account(self, days: Days) -> Account:
        stray, beside, named = [], [], 0
        for one in self.diary.opened:
            reigning = self._reigning(one.moment)
            line = f"{told(one.incident)} at {one.moment:.0f} s"
            if reigning is None:
                stray.append(line)
                continue
            named += 1
            if not is_right(one.incident, reigning.where, self.grid):
                beside.append(f"{line} while {reigning}")
        return Account(
            days=days.run.agenda.now / DAY,
            climate=days.climate,
            seed=days.seed,
            probes=self.diary.probes,
            confirmations=self.diary.confirmations,
            causes=len(self.causes),
            named=named,
            stray=tuple(stray),
            beside=tuple(beside),
            confirmed=tuple(
                f"{told(one.incident)} at {one.moment:.0f} s"
                for one in self.diary.last
                if one.incident.confirmed
            ),
            lingering=tuple(self._lingering()),
        )

    def _reigning(self, moment: float) -> Fault | None:
        return next((one for one in self.causes if one.start <= moment < one.end + LAG), None)

    def _lingering(self) -> Iterator[str]:
        opened = {one.incident.id: one.moment for one in self.diary.opened}
        for one in self.diary.last:
            cause = self._reigning(opened[one.incident.id])
            end = opened[one.incident.id] if cause is None else cause.end
            if one.incident.closed is None:
                yield f"{told(one.incident)} never closed"
            elif one.moment > max(end, opened[one.incident.id]) + CLOSED_WITHIN:
                late = one.moment - end
                yield f"{told(one.incident)} closed {late:.0f} s after {cause} until {end:.0f} s"
