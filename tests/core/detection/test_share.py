"""The failing share is one interval, and no way back makes it smaller."""

from __future__ import annotations

from random import Random

import pytest

from probe.core.detection.share import failing_share, wilson

_TRUTH = 0.16


def outcomes(text: str) -> list[bool]:
    """`x` failed."""
    return [one == "x" for one in text]


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert failing_share([]) is None
    assert failing_share(outcomes("x")) is None
    assert failing_share(outcomes("xx")) is None


def test_the_first_failure_and_the_last_are_left_out() -> None:
    assert failing_share(outcomes("x..x.x")) == wilson(1, 4)


@pytest.mark.parametrize("after", range(30))
def test_when_everything_had_failed_the_first_success_is_the_way_back(after: int) -> None:
    assert failing_share(outcomes("x" * 9 + "." * after)) == wilson(7, 7)


def test_where_some_got_through_before_some_more_are_no_end() -> None:
    assert failing_share(outcomes("x...x....x...x" + "....")) == wilson(2, 16)


def test_so_many_that_it_is_hardly_chance_are_the_way_back() -> None:
    assert failing_share(outcomes("x.xx.xx.xx" + "." * 30)) == wilson(5, 8)


def test_in_95_of_100_cases_the_truth_is_in_it() -> None:
    random = Random(1)
    held = 0
    for _ in range(1000):
        seen = [True, *(random.random() < _TRUTH for _ in range(60))]
        share = failing_share(seen)
        assert share is not None
        held += share.low <= _TRUTH <= share.high
    assert held >= 930
