"""A part of the matrix: the right component is named, in time, and hardly ever another one."""

from __future__ import annotations

from random import Random

import pytest

from probe.core.component import Component, Fault, Kind
from probe.core.incident import Grievance, Incident
from tests.simulation.fault import Fault as Wrong
from tests.simulation.fault import Ill
from tests.simulation.figures import p95
from tests.simulation.grid import EVERYTHING, Grid
from tests.simulation.judge import is_alone, is_right, is_true
from tests.simulation.matrix import SHARES, Case, Result, cases, figured, play

RUNS = {1.0: 60, 0.5: 40, 0.25: 30, 0.16: 40}  # By the failing share: small ones take longer.
IN_TIME = 0.95


def drawn(share: float) -> list[tuple[Case, int]]:
    """Some of all cases of this share, with the seeds of their runs."""
    random = Random(share)
    known = [case for case in cases() if case.fault.share == share]
    return [(case, random.randrange(1_000_000)) for case in random.sample(known, RUNS[share])]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("share", SHARES)
def test_a_single_fault_is_named_in_time_and_nothing_else_is(share: float) -> None:
    results = [play(case, seed) for case, seed in drawn(share)]
    wrong = [result for result in results if result.wrong or result.early]
    late = [result for result in results if not result.in_time]
    called = [f"{result}, called {result.called}" for result in results if result.called]
    assert len(wrong) <= 1, lines(wrong)
    assert len(late) <= (1.0 - IN_TIME) * len(results), lines(late)
    assert not called, "\n".join(called)


@pytest.mark.parametrize("case", [c for c in figured() if c.fault.share >= 0.5], ids=str)
def test_what_was_figured_out_beforehand_holds(case: Case) -> None:
    result = play(case, seed=4)
    assert not result.wrong, str(result)
    assert result.in_time, str(result)


def lines(results: list[Result]) -> str:
    return "\n".join(str(result) for result in results)


# ---- whether it is judged as it should be

GRID = Grid(2, 2, 2)
A, A1 = Component(Kind.RELAY, "a"), Component(Kind.NODE, "a", "a1")
SENDER = Component(Kind.SENDER, sender="s1")


def incident(component: Component, *alternatives: Component) -> Incident:
    grievance = Grievance(Fault.HOLDING, 0.0)
    return Incident("1", component, 0.0, 0.0, 0.0, (grievance,), alternatives=alternatives)


def test_what_has_the_same_routes_is_as_right() -> None:
    assert is_right(incident(SENDER, EVERYTHING), EVERYTHING, GRID)
    assert is_right(incident(A1), A, Grid(1, 1, 2))


def test_a_wider_or_narrower_component_is_wrong() -> None:
    assert not is_right(incident(A), A1, GRID)
    assert not is_right(incident(A1), A, GRID)
    assert not is_right(incident(A1), Component(Kind.NODE, "a", "a2"), GRID)


def test_the_one_or_the_other_is_not_alone() -> None:
    assert not is_alone(incident(A, A1), GRID)
    assert not is_right(incident(A, A1), A, GRID)


def test_true_is_what_has_nothing_but_routes_at_fault() -> None:
    struck = [Wrong(A1, Ill.HOLD), Wrong(Component(Kind.NODE, "a", "a2"), Ill.REFUSE)]
    assert is_true(incident(A), struck, GRID)
    assert is_true(incident(Component(Kind.ROUTE, "a", "a1", "s1", "m1")), struck[:1], GRID)
    assert not is_true(incident(A), struck[:1], GRID)
    assert not is_true(incident(EVERYTHING), struck, GRID)


def test_the_larger_the_component_the_sooner_it_must_be_named() -> None:
    big = Grid(4, 4, 5)
    reached = [p95(big, Wrong(one, Ill.LOSE, share=0.16)) for one in (A1, A, EVERYTHING)]
    assert reached == [101.0, 29.0, 29.0]
    assert p95(Grid(1, 3, 1), Wrong(A1, Ill.LOSE, share=0.5)) == 86.0
    assert p95(Grid(1, 3, 1, interval=60.0), Wrong(A1, Ill.LOSE)) == 76.0


def test_the_matrix_has_each_kind_of_component_that_can_be_told_apart() -> None:
    kinds = {case.fault.where.kind for case in cases() if case.grid == Grid(1, 3, 1)}
    assert kinds == {Kind.PROBER, Kind.NODE}
    assert {case.fault.where.kind for case in cases() if case.grid == GRID} == {
        Kind.PROBER,
        Kind.RELAY,
        Kind.NODE,
        Kind.MAILBOX,
        Kind.ROUTE,
    }
