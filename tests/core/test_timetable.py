"""When the DNS checks run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.core.records.check import CheckKind
from probe.core.records.timetable import DnsTimes, confirming_run, first_run, next_run

intervals = st.floats(10.0, 86400.0)
moments = st.floats(0.0, 4e9)


@given(st.text(max_size=30), intervals, moments)
def test_what_turns_bad_is_known_for_sure_within_the_interval(
    domain: str, interval: float, now: float
) -> None:
    due = next_run(domain, interval, now)
    assert now + 0.79 * interval <= due
    assert confirming_run(CheckKind.SPF, interval, due) <= now + interval * 1.001 + 1e-6
    assert next_run(domain, interval, now) == due


def test_domains_are_not_checked_in_step() -> None:
    names = [f"shop{number}.example" for number in range(50)]
    dues = sorted(next_run(name, 300.0, 1000.0) for name in names)
    assert len(set(dues)) == 50
    assert dues[-1] - dues[0] > 20.0
    firsts = [first_run(name, DnsTimes(), 0.0) for name in names]
    assert min(firsts) >= 0.0 and max(firsts) <= 10.0 and len(set(firsts)) == 50


def test_blocklists_have_an_interval_of_their_own() -> None:
    times = DnsTimes(300.0, 1800.0)
    assert {kind: times.of(kind) for kind in CheckKind if times.of(kind) != 300.0} == {
        CheckKind.DNSBL: 1800.0
    }
