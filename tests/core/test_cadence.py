"""When to look next."""

from __future__ import annotations

import pytest

from probe.core.cadence import (
    BUSY_DEADLINE,
    Expectation,
    is_calm,
    lull,
    next_chunk,
    next_poll,
    poll_deadline,
    retry_delay,
    search_period,
)

NOW = 1000.0


def pause(age: float | None, *, in_flight: int = 1, round_trip: float = 0.0) -> float:
    youngest = None if age is None else NOW - age
    expected = Expectation(in_flight, youngest)
    return next_poll(expected, NOW, NOW, least=0.005, round_trip=round_trip) - NOW


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (-1.0, 0.005),  # Accepted a moment ago, or so the clocks say.
        (0.0, 0.005),
        (0.02, 0.005),
        (0.1, 0.01),
        (5.0, 0.5),
        (20.0, 2.0),
        (60.0, 2.0),  # Overdue messages hurry nobody.
        (86400.0, 2.0),
    ],
)
def test_the_pause_is_a_tenth_of_the_age(age: float, expected: float) -> None:
    assert pause(age) == pytest.approx(expected)


def test_polls_are_not_closer_than_the_round_trip() -> None:
    assert pause(0.01, round_trip=0.08) == pytest.approx(0.08)


def test_a_message_that_is_still_being_submitted_does_not_hurry() -> None:
    assert pause(None) == 2.0


def test_nothing_in_flight_is_looked_for_every_half_minute() -> None:
    assert pause(None, in_flight=0) == 30.0
    assert pause(1.0, in_flight=0) == 30.0


def test_a_poll_is_no_later_than_the_search_that_is_due() -> None:
    expected = Expectation(1, NOW - 15)
    assert next_poll(expected, NOW, NOW - 1.5, least=0.005, round_trip=0) == NOW + 0.5
    assert next_poll(expected, NOW, NOW - 9, least=0.005, round_trip=0) == NOW + 0.005


def test_polling_a_delay_finds_it_within_a_tenth() -> None:
    for delay in (0.01, 0.03, 0.3, 3.0, 15.0):
        now, polls = 0.0, 0
        while now < delay:
            now = next_poll(Expectation(1, 0.0), now, now, least=0.005, round_trip=0.001)
            polls += 1
        assert now - delay <= max(0.005, 0.1 * delay) + 1e-9
        assert polls < 100


def test_a_search_is_due_every_two_seconds_or_every_thirty() -> None:
    assert search_period(Expectation(3, None)) == 2.0
    assert search_period(Expectation()) == 30.0


def test_a_dead_connection_is_given_up_sooner_while_something_is_in_flight() -> None:
    assert poll_deadline(Expectation(1)) == BUSY_DEADLINE
    assert poll_deadline(Expectation()) > BUSY_DEADLINE


def test_calm_is_when_nothing_is_expected_right_now() -> None:
    assert is_calm(Expectation(), NOW)
    assert is_calm(Expectation(4, NOW - 3), NOW)
    assert not is_calm(Expectation(4, NOW - 0.2), NOW)


def test_idle_waits_until_the_next_message_would_have_been_launched() -> None:
    assert lull(Expectation(), NOW) == 0.0
    assert lull(Expectation(0, NOW - 0.25), NOW) == 0.75
    assert lull(Expectation(0, NOW - 3), NOW) == 0.0


def test_retries_double_up_to_half_a_minute_with_jitter() -> None:
    assert [retry_delay(n, 1.0) for n in (1, 2, 3, 9, 5000)] == [0.2, 0.4, 0.8, 30.0, 30.0]
    assert retry_delay(1, 0.0) == 0.1


def test_a_scan_steps_as_far_as_its_time_allows() -> None:
    assert next_chunk(200, 0.0) == 400
    assert next_chunk(200, 0.1) == 100
    assert next_chunk(200, 10.0) == 50
    assert next_chunk(1500, 0.01) == 2000
