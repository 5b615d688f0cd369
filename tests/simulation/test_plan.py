"""What `mailprobe plan` promises is what the detector does in the simulated world."""

from __future__ import annotations

from functools import cache
from statistics import fmean

import pytest

from probe.core.component import Component, Kind
from probe.core.planning.ailment import Ailment
from probe.core.planning.habit import assumed
from probe.core.planning.outlook import Outlook, Premises, Prospect
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import EVERYTHING, Grid
from tests.simulation.matrix import Case, play

RATIO = 1.5
THREE = Grid(1, 3, 1)
MANY = Grid(2, 2, 2)
NODE = Component(Kind.NODE, "a", "a1")
ILLS = {
    Ailment.HOLDS: (Ill.HOLD, 1.0),
    Ailment.STOPPED: (Ill.REFUSE_CONNECTIONS, 1.0),
    Ailment.DROPS: (Ill.DROP, 1.0),
    Ailment.GREETS_LATE: (Ill.GREET_LATE, 1.0),
    Ailment.HALF: (Ill.REFUSE, 0.5),
    Ailment.DUPLICATES: (Ill.DUPLICATE, 1.0),
    Ailment.BOUNCES: (Ill.BOUNCE, 1.0),
}


@cache
def promised(grid: Grid) -> dict[tuple[Kind, Ailment], Prospect]:
    premises = Premises(grid.routes(), grid.relay_table(), assumed({}))
    found = [one for one in Outlook(premises).prospects() if one.relay in ("a", "")]
    return {(one.kind, one.ailment): one for one in found}


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("grid", "where", "ailment", "runs"),
    [
        (THREE, NODE, Ailment.HOLDS, 6),
        (THREE, NODE, Ailment.STOPPED, 6),
        (THREE, NODE, Ailment.DROPS, 6),
        (THREE, NODE, Ailment.GREETS_LATE, 6),
        (THREE, NODE, Ailment.HALF, 48),
        (THREE, NODE, Ailment.DUPLICATES, 6),
        (THREE, NODE, Ailment.BOUNCES, 6),
        (THREE, EVERYTHING, Ailment.STOPPED, 24),
        (MANY, NODE, Ailment.HOLDS, 6),
    ],
    ids=str,
)
def test_a_fault_is_named_as_soon_as_promised(
    grid: Grid, where: Component, ailment: Ailment, runs: int
) -> None:
    ill, share = ILLS[ailment]
    case = Case(grid, Fault(where, ill, share=share))
    results = [play(case, seed) for seed in range(runs)]
    took = fmean(one.named for one in results if one.named is not None)
    kind = Kind.RELAY if where is EVERYTHING else where.kind
    expected = promised(grid)[kind, ailment].named
    assert expected.mean / RATIO <= took <= expected.mean * RATIO
    late = [one for one in results if one.named is None or one.named > expected.p95 * RATIO]
    assert len(late) <= 0.05 * runs


@pytest.mark.timeout(300)
@pytest.mark.parametrize("ailment", [Ailment.HOLDS, Ailment.STOPPED, Ailment.HALF], ids=str)
def test_it_may_page_as_soon_as_promised(ailment: Ailment) -> None:
    ill, share = ILLS[ailment]
    case = Case(THREE, Fault(NODE, ill, share=share))
    results = [play(case, seed, until_confirmed=300.0) for seed in range(4 if share == 1.0 else 10)]
    took = fmean(one.confirmed for one in results if one.confirmed is not None)
    expected = promised(THREE)[Kind.NODE, ailment].confirmed
    assert expected.mean / RATIO <= took <= expected.mean * RATIO
