"""Slots lie on a fixed grid, and nothing moves them."""

from hypothesis import given
from hypothesis import strategies as st

from probe.core import schedule
from probe.core.model import Route, RouteKey


def a_route(interval: float = 15.0, node: str = "n1") -> Route:
    return Route(RouteKey("pool", node, "shop", "corp"), interval, 60.0, 3600.0)


@given(st.floats(1.0, 3600.0), st.floats(0, 1e6), st.floats(0, 1e5))
def test_slots_do_not_depend_on_when_one_looks(interval: float, start: float, span: float) -> None:
    route = a_route(max(interval, span / 100))
    middle, end = start + span / 3, start + span
    whole = schedule.slots(route, start, end)
    assert whole == schedule.slots(route, start, middle) + schedule.slots(route, middle, end)
    assert all(start < slot <= end for slot in whole)


def test_the_next_slot_is_the_first_one_after_now() -> None:
    route = a_route()
    due = schedule.next_slot(route, 1000.0)
    assert schedule.slots(route, 1000.0, due) == [due]
    assert schedule.next_slot(route, due) > due


@given(st.floats(1.0, 3600.0), st.floats(1.7e9, 1.9e9))
def test_no_slot_is_lost_in_rounding(interval: float, now: float) -> None:
    route = a_route(interval)
    due = schedule.next_slot(route, now)
    assert schedule.slots(route, now, due) == [due]
    assert schedule.next_slot(route, due) > due


def test_routes_are_spread_over_their_interval() -> None:
    phases = [schedule.phase(a_route(node=f"n{n}")) for n in range(200)]
    assert all(0 <= phase < 15 for phase in phases)
    assert all(any(third * 5 <= p < third * 5 + 5 for p in phases) for third in range(3))


def test_a_stranger_is_tried_again_after_1_2_5_and_5_minutes() -> None:
    assert [schedule.greylist_pause(tries) for tries in range(1, 6)] == [60, 120, 300, 300, None]


def test_a_relay_that_accepted_us_within_35_days_knows_us() -> None:
    day = 86400.0
    assert schedule.is_stranger(None, 0.0)
    assert schedule.is_stranger(0.0, 35 * day + 1)
    assert not schedule.is_stranger(0.0, 35 * day - 1)
