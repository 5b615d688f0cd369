"""Every grid with every single fault: what is named, and how soon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

from probe.core.component import Component, Kind
from tests.simulation.archive import Archive
from tests.simulation.diary import Told
from tests.simulation.fault import Fault, Ill
from tests.simulation.figures import ROWS, SLACK, p95
from tests.simulation.grid import EVERYTHING, Grid
from tests.simulation.judge import is_alone, is_right, told
from tests.simulation.mind import real_mind
from tests.simulation.school import schooled
from tests.simulation.simulation import Simulation
from tests.simulation.world import Climate

SHARES = (1.0, 0.5, 0.25, 0.16)
LARGEST = (4, 4, 5)
HEALTH = Climate()
AFTER = 20.0  # s that a run goes on after the right name: a wrong one may follow.
_PATIENCE = 2.0  # Times the allowed time after which a run is ended without the right name.


@dataclass(frozen=True, slots=True)
class Case:
    """One fault in one grid."""

    grid: Grid
    fault: Fault
    climate: Climate = HEALTH

    def __str__(self) -> str:
        return f"{self.grid} {self.fault}"

    @property
    def allowed(self) -> float:
        """The time within which 95 % must have the right name (s)."""
        return SLACK * p95(self.grid, self.fault)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one run. Moments are from the beginning of the fault (s)."""

    case: Case
    seed: int
    named: float | None = None  # Rightly.
    confirmed: float | None = None
    called: str = ""  # By what it is first said to have, where that is wrong.
    wrong: tuple[str, ...] = ()  # What else was named alone, and when.
    early: tuple[str, ...] = ()  # What was named before the fault.

    @property
    def in_time(self) -> bool:
        return self.named is not None and self.named <= self.case.allowed

    def __str__(self) -> str:
        named = "never" if self.named is None else f"after {self.named:.1f} s"
        wrong = "".join(f"; WRONG: {one}" for one in self.wrong)
        early = "".join(f"; BEFORE: {one}" for one in self.early)
        called = f", but {self.called}" if self.called else ""
        late = "" if self.in_time else f" ({self.case.allowed:.0f} s are allowed)"
        return f"{self.case}, seed {self.seed}: named {named}{called}{late}{wrong}{early}"


def cases() -> Iterator[Case]:
    """All cases that topology can tell from each other."""
    for relays, nodes, mailboxes in product(*(range(1, most + 1) for most in LARGEST)):
        grid = Grid(relays, nodes, mailboxes)
        for where, share in product(components(grid), SHARES):
            for ill in ills(grid, where, share):
                yield Case(grid, Fault(where, ill, share=share))


def figured() -> Iterator[Case]:
    """The cases for which there are figures."""
    for size, kind, ill, share in ROWS:
        relays, nodes, mailboxes = map(int, size.split("x"))
        where = next(one for one in _SAMPLES if one.kind is kind)
        yield Case(Grid(relays, nodes, mailboxes), Fault(where, ill, share=share))


_SAMPLES = (
    EVERYTHING,
    Component(Kind.RELAY, "a"),
    Component(Kind.NODE, "a", "a1"),
    Component(Kind.MAILBOX, mailbox="m1"),
    Component(Kind.ROUTE, "a", "a1", mailbox="m1"),
)


def components(grid: Grid) -> list[Component]:
    """One of each kind; of those that cannot be told apart, the widest only."""
    by_reach: dict[object, Component] = {}
    for component in _SAMPLES:
        by_reach.setdefault(grid.reach(component), component)
    return list(by_reach.values())


def ills(grid: Grid, where: Component, share: float) -> tuple[Ill, ...]:
    """What may be wrong with it.

    Only relays and nodes refuse for a cause of their own. Several relays that refuse connections
    have answered: each has a fault of its own, so that is one of the scenes in `several`.
    """
    if where.kind in (Kind.MAILBOX, Kind.ROUTE):
        return (Ill.LOSE,)
    if share < 1.0:
        return (Ill.REFUSE, Ill.LOSE)
    if where.kind is Kind.PROBER and grid.relays > 1:
        return (Ill.HOLD,)
    return (Ill.HOLD, Ill.REFUSE_CONNECTIONS)


def play(case: Case, seed: int, *, until_confirmed: float = 0.0) -> Result:
    """One run: a healthy minute, then the fault, until it is rightly named, and a while longer.

    `until_confirmed`: for how long to wait for the confirmation (s).
    """
    run = Simulation(
        case.grid,
        case.climate,
        seed=seed,
        make_mind=real_mind,
        archive=archive_for(case.grid, case.climate),
    )
    # Where in its interval the fault begins is as random as all else.
    start = 60.0 + case.grid.interval * (seed * 0.6180339887 % 1.0)
    run.world.strike(replace(case.fault, start=start))
    result, moment = Result(case, seed), start
    while moment < start + max(_PATIENCE * case.allowed, until_confirmed):
        moment += 1.0
        run.until(moment)
        result = _judged(case, seed, run.diary.told, start)
        if result.named is not None and _is_enough(result, moment - start, until_confirmed):
            break
    return result


def _is_enough(result: Result, passed: float, until_confirmed: float) -> bool:
    assert result.named is not None
    confirmed = result.confirmed is not None or passed > until_confirmed
    return passed >= result.named + AFTER and confirmed


def archive_for(grid: Grid, climate: Climate) -> Archive:
    """What a prober of this grid has learned by watching for long."""
    return schooled(_whole(grid), climate)


@cache
def _whole(grid: Grid) -> Grid:
    """The grid that every other one is a part of: what it teaches is enough for all."""
    relays, nodes, mailboxes = LARGEST
    return replace(grid, relays=relays, nodes=nodes, mailboxes=mailboxes)


def _judged(case: Case, seed: int, all_told: list[Told], start: float) -> Result:
    named = confirmed = None
    called = ""
    wrong: dict[str, str] = {}
    early: list[str] = []
    for one in all_told:
        incident, after = one.incident, one.moment - start
        if after < 0:
            early.append(told(incident))
        elif incident.closed is not None or not is_alone(incident, case.grid):
            continue
        elif not is_right(incident, case.fault.where, case.grid):
            key = str(incident.component)
            wrong.setdefault(key, f"{told(incident)} after {after:.1f} s")
        else:
            if named is None:
                named = after
                leading = incident.faults[0].fault
                called = "" if leading in case.fault.names else leading
            if incident.confirmed and confirmed is None:
                confirmed = after
    return Result(case, seed, named, confirmed, called, tuple(wrong.values()), tuple(early))
