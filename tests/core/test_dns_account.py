"""What DNS has to say of an incident."""

from __future__ import annotations

import pytest

from probe.core.component import Fault
from probe.core.records.account import remarks
from probe.core.records.check import Check, CheckKind, CheckState
from probe.core.records.history import Courses, followed

NOW = 1_800_000_000.0
SPF = ("v=spf1 ip4:192.0.2.1 -all",)
REFUSED = [Fault.REFUSING]


def run(
    known: Courses, when: float, state: CheckState, *records: str, kind: CheckKind = CheckKind.SPF
) -> Courses:
    found = Check(kind, "shop.example", state, "It has no SPF record.", (), records)
    return followed(known, [found], {kind}, when)


def changed(when: float) -> Courses:
    return run(run({}, NOW - 90_000.0, CheckState.OK, *SPF), when, CheckState.FAIL)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (NOW - 240.0, "changed 4 min before: “v=spf1 ip4:192.0.2.1 -all” became nothing."),
        (NOW + 120.0, "changed 2 min later"),
        (NOW - 80_000.0, "changed 22 h before"),
    ],
)
def test_what_changed_before_an_incident_is_told(when: float, said: str) -> None:
    first, second = remarks("shop.example", changed(when), since=NOW, faults=REFUSED)
    assert first.startswith("The SPF of shop.example changed") and said in first
    assert second == "The SPF of shop.example is wrong: It has no SPF record."


def test_a_change_of_long_ago_or_of_another_day_is_not() -> None:
    for when in (NOW - 87_000.0, NOW + 3600.0):
        [only] = remarks("shop.example", changed(when), since=NOW, faults=REFUSED)
        assert "is wrong" in only


@pytest.mark.parametrize("fault", [Fault.MISFILING, Fault.BOUNCING, Fault.UNAUTHENTICATED])
def test_it_is_told_of_faults_that_come_of_it(fault: Fault) -> None:
    assert remarks("shop.example", changed(NOW - 60.0), since=NOW, faults=[fault])


@pytest.mark.parametrize("fault", [Fault.UNREACHABLE, Fault.HOLDING, Fault.DNS, Fault.SLOW])
def test_and_of_no_others(fault: Fault) -> None:
    assert remarks("shop.example", changed(NOW - 60.0), since=NOW, faults=[fault]) == ()


def test_that_all_is_well_is_told_too() -> None:
    known = run({}, NOW - 60.0, CheckState.OK, *SPF)
    known = run(known, NOW - 60.0, CheckState.WARN, kind=CheckKind.DMARC)
    [only] = remarks("shop.example", known, since=NOW, faults=REFUSED)
    assert only == "In DNS the DMARC, SPF of shop.example are well, and did not change before."
    assert remarks("shop.example", {}, since=NOW, faults=REFUSED) == ()
    other = run({}, NOW - 60.0, CheckState.FAIL, kind=CheckKind.MX)
    assert remarks("shop.example", other, since=NOW, faults=REFUSED) == ()
