"""Checks: which state is the worst, what is kept of what strangers write, and exit codes."""

import itertools

import pytest

from probe.core.records.check import (
    LINE_LIMIT,
    MAX_LINES,
    SUMMARY_LIMIT,
    Check,
    CheckKind,
    CheckState,
    Remark,
    concluded,
    overall,
    worst,
)
from probe.core.records.report import exit_code, report

OK, WARN, FAIL, ERROR, NONE = CheckState


def check(kind: CheckKind, state: CheckState) -> Check:
    return Check(kind, "shop.test", state, "It is so.")


def test_the_worst_is_fail_then_error_then_warn_then_ok() -> None:
    ranked = [FAIL, ERROR, WARN, OK, NONE]
    for first, second in itertools.combinations(ranked, 2):
        assert worst([second, first]) is first
    assert worst([]) is NONE


def test_a_domain_with_nothing_optional_is_ok() -> None:
    assert overall([check(CheckKind.BIMI, NONE)]) is OK
    assert overall([check(CheckKind.BIMI, NONE), check(CheckKind.NS, ERROR)]) is ERROR


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], 0),
        ([(CheckKind.MX, OK), (CheckKind.SPF, WARN), (CheckKind.BIMI, NONE)], 0),
        ([(CheckKind.NS, ERROR), (CheckKind.DNSBL, ERROR), (CheckKind.DANE, ERROR)], 0),
        ([(CheckKind.MX, ERROR)], 3),
        ([(CheckKind.SPF, ERROR)], 3),
        ([(CheckKind.DKIM, ERROR)], 3),
        ([(CheckKind.DMARC, ERROR)], 3),
        ([(CheckKind.DMARC, ERROR), (CheckKind.PTR, FAIL)], 1),
    ],
)
def test_exit_codes(found: list[tuple[CheckKind, CheckState]], code: int) -> None:
    assert exit_code([check(*each) for each in found]) == code


def test_the_object_for_programs() -> None:
    said = report("shop.test", [check(CheckKind.MTA_STS, WARN)])
    assert said == {
        "domain": "shop.test",
        "state": "warn",
        "checks": [
            {
                "check": "mta_sts",
                "subject": "shop.test",
                "state": "warn",
                "summary": "It is so.",
                "evidence": [],
            }
        ],
    }


def test_the_worst_remark_is_the_summary_and_the_others_are_evidence() -> None:
    remarks = [Remark(WARN, "It may."), Remark(FAIL, "It does."), Remark(WARN, "It might.")]
    made = concluded(CheckKind.MX, "a.test", remarks, well="Well.", evidence=["line"])
    assert (made.state, made.summary) == (FAIL, "It does.")
    assert made.evidence == ("It may.", "It might.", "line")
    well = concluded(CheckKind.MX, "a.test", [], well="Well.", records=["b", "a"])
    assert (well.state, well.summary, well.records) == (OK, "Well.", ("a", "b"))


def test_what_strangers_write_is_bounded_and_clean() -> None:
    hostile = "\x1b[2J\n" + "x" * 70_000
    made = concluded(
        CheckKind.SPF,
        "a.test",
        [Remark(FAIL, hostile)],
        well="",
        evidence=[f"{number}{hostile}" for number in range(1000)],
        records=[f"{number}{hostile}" for number in range(1000)],
    )
    assert len(made.summary) <= SUMMARY_LIMIT
    assert len(made.evidence) == MAX_LINES
    assert all(len(line) <= LINE_LIMIT and line.isprintable() for line in made.evidence)
    assert sum(map(len, made.records)) < 200_000
