"""When a failing check is a fault, what a change is, and what a restart leaves of it."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from probe.core.records.check import Check, CheckKind, CheckState
from probe.core.records.history import (
    Course,
    Courses,
    Unit,
    faults,
    followed,
    last_change,
    suspects,
)
from probe.core.records.written import course_of, name_of, text_of, unit_of

SPF = Unit(CheckKind.SPF, "shop.example")
S1, S2 = Unit(CheckKind.DKIM, "s1"), Unit(CheckKind.DKIM, "s2")
STATES = {"o": CheckState.OK, "w": CheckState.WARN, "f": CheckState.FAIL, "e": CheckState.ERROR}
STATES["n"] = CheckState.NONE


def check(unit: Unit, letter: str, *records: str) -> Check:
    return Check(unit.kind, unit.subject, STATES[letter], f"it is {letter}", (), records)


def course(*runs: dict[Unit, str], used: Collection[str] = ()) -> Courses:
    """The courses after these runs, one a second from second 1 on; each says what it found."""
    known: Courses = {}
    for now, run in enumerate(runs, 1):
        checks = [check(unit, letter) for unit, letter in run.items()]
        kinds = frozenset({CheckKind.SPF, CheckKind.DKIM})
        known = followed(known, checks, kinds, float(now), used=used)
    return known


@pytest.mark.parametrize(
    ("runs", "since"),
    [
        ("off", 2.0),
        ("offfff", 2.0),
        ("owff", 3.0),
        ("of", None),  # One run is none.
        ("ff", None),  # It was never ok: a finding.
        ("wff", None),
        ("fffffff", None),
        ("offo", None),  # Over.
        ("offw", None),
        ("offn", None),
        ("ofof", None),
        ("ofoff", 4.0),
        # What heard nothing is as if it had not been.
        ("oeeeee", None),
        ("oeeff", 4.0),
        ("ofef", 2.0),
        ("offeee", 2.0),
        ("eeeee", None),
    ],
)
def test_the_fault(runs: str, since: float | None) -> None:
    found = faults(course(*({SPF: letter} for letter in runs)))
    assert [one.since for one in found] == ([] if since is None else [since])


def test_one_more_run_is_due_when_what_was_well_failed_once() -> None:
    assert suspects(course({SPF: "o"}, {SPF: "f"})) == {CheckKind.SPF}
    assert suspects(course({SPF: "f"})) == set()
    assert suspects(course({SPF: "o"}, {SPF: "f"}, {SPF: "f"})) == set()


def test_a_selector_that_is_new_in_the_mail_is_as_good_as_the_others_were() -> None:
    runs = {S1: "o"}, {S1: "o", S2: "f"}, {S1: "o", S2: "f"}
    found = faults(course(*runs, used=["s2"]))
    assert [(one.unit, one.since) for one in found] == [(S2, 2.0)]
    assert faults(course({S1: "f", S2: "f"}, {S1: "f", S2: "f"}, used=["s1", "s2"])) == ()


def test_a_selector_that_is_configured_before_it_is_published_is_no_fault() -> None:
    runs = {S1: "o"}, {S1: "o", S2: "f"}, {S1: "o", S2: "f"}
    early = course(*runs, used=["s1"])
    assert faults(early) == () and suspects(course(*runs[:2], used=["s1"])) == set()
    # Nor does it stay one when the mail takes it up.
    checks = [check(S1, "o"), check(S2, "f")]
    later = followed(early, checks, {CheckKind.DKIM}, 9.0, used=["s1", "s2"])
    assert [one.unit for one in faults(later)] == [S2]


def test_what_is_not_asked_for_any_more_is_no_fault() -> None:
    known = course({S1: "o"}, {S1: "f"}, {S1: "f"})
    assert [one.unit for one in faults(known)] == [S1]
    assert followed(known, [], {CheckKind.DKIM}, 9.0) == {}


def ns(known: Courses, now: float, *checks: Check) -> Courses:
    return followed(known, checks, {CheckKind.NS}, now)


def test_a_subject_that_dns_names_no_more_is_soon_no_fault_and_long_known() -> None:
    server = Unit(CheckKind.NS, "ns1.example")
    known = ns({}, 1.0, check(server, "o"))
    for now in (2.0, 3.0):
        known = ns(known, now, check(server, "f"))
    assert faults(ns(known, 4.0)) and not faults(ns(ns(known, 4.0), 5.0))
    gone = known
    for now in range(50):
        gone = ns(gone, 4.0 + now)
    for now in (60.0, 61.0):
        gone = ns(gone, now, check(server, "f"))
    assert [one.since for one in faults(gone)] == [60.0]
    # Where nobody says who the servers are, nothing is known of them.
    silent = known
    for now in range(200):
        silent = ns(silent, 4.0 + now, check(Unit(CheckKind.NS, "shop.example"), "e"))
    assert faults(silent) == faults(known) != ()
    for now in range(200):
        known = ns(known, 4.0 + now)
    assert known == {}


def test_a_run_of_other_kinds_leaves_it_as_it_is() -> None:
    known = course({SPF: "o"})
    assert followed(known, [], frozenset({CheckKind.MX}), 9.0) == known


def run(known: Courses, now: float, letter: str, *records: str) -> Courses:
    return followed(known, [check(SPF, letter, *records)], frozenset({CheckKind.SPF}), now)


def test_a_change_is_kept_with_both_values_and_its_time() -> None:
    known = run(run({}, 1.0, "o", "v=spf1 -all"), 2.0, "o", "v=spf1 -all")
    assert last_change(known, CheckKind.SPF) is None
    known = run(known, 3.0, "e")
    known = run(known, 4.0, "f")
    known = run(known, 5.0, "f")
    change = known[SPF].change
    assert change is not None
    assert (change.old, change.new, change.when) == (("v=spf1 -all",), (), 4.0)
    assert last_change(known, CheckKind.SPF) == 4.0
    assert "Before, it was “v=spf1 -all”." in faults(known)[0].sentence


def test_a_change_far_behind_in_a_long_record_is_seen() -> None:
    long = "v=DKIM1; p=" + "A" * 1000
    known = run(run({}, 1.0, "o", long + "A"), 2.0, "o", long + "B")
    assert last_change(known, CheckKind.SPF) == 2.0
    assert all(len(text) <= 400 for text in known[SPF].records)


def test_it_survives_as_text() -> None:
    known = run(run(run({}, 1.0, "o", "v=spf1 -all"), 2.0, "f", "x"), 3.0, "f", "x")
    assert course_of(SPF, text_of(known[SPF])) == known[SPF]
    [*_, used] = course({S1: "f"}, used=["s1"]).values()
    assert used.used and course_of(S1, text_of(used)) == used
    listed = Unit(CheckKind.DNSBL, "192.0.2.1 bl.example")
    assert unit_of(name_of("shop.example", listed)) == ("shop.example", listed)
    assert unit_of("nonsense") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", "3", "null", '{"change": 3}', "[" * 99999])
def test_a_text_that_makes_no_sense_is_nothing(text: str) -> None:
    assert course_of(SPF, text) is None


def test_a_first_run_knows_no_change() -> None:
    assert run({}, 1.0, "f", "x")[SPF] == Course(
        CheckState.FAIL, "it is f", run({}, 1.0, "f", "x")[SPF].digest, ("x",), None, 1.0, 1
    )
