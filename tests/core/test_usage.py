"""A window that slides never holds more than its limit, and lets go as soon as it can."""

from hypothesis import given
from hypothesis import strategies as st

from probe.core.usage import Usage

MINUTE = 60.0


def test_below_the_limit_it_is_free_now() -> None:
    usage = Usage(MINUTE)
    usage.add(100.0, 2)
    assert usage.free_at(100.0, 3) == 100.0
    assert usage.free_at(100.0, None) == 100.0


def test_at_the_limit_it_is_free_when_the_oldest_has_left_the_window() -> None:
    usage = Usage(MINUTE)
    for moment in (100.0, 110.0, 120.0):
        usage.add(moment)
    assert 160.0 <= usage.free_at(121.0, 3) <= 160.1
    assert 170.0 <= usage.free_at(121.0, 2) <= 170.1
    assert usage.free_at(160.1, 3) == 160.1


def test_what_was_sent_at_once_leaves_at_once() -> None:
    usage = Usage(MINUTE)
    usage.add(100.0, 1000)
    assert 160.0 <= usage.free_at(130.0, 10) <= 160.1
    assert usage.free_at(161.0, 10) == 161.0


@given(
    limit=st.integers(1, 5),
    pauses=st.lists(st.floats(0, 40), max_size=60),
)
def test_no_window_holds_more_than_the_limit(limit: int, pauses: list[float]) -> None:
    usage, now, sent = Usage(MINUTE), 0.0, []
    for pause in pauses:
        now += pause
        if usage.free_at(now, limit) <= now:
            usage.add(now)
            sent.append(now)
        else:
            free = usage.free_at(now, limit)
            assert free <= now + MINUTE * 1.001
    for first in sent:
        assert sum(first <= moment < first + MINUTE for moment in sent) <= limit
