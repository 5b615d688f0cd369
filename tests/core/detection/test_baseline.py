"""What is normal is learned, and safe on the first day."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.detection.baseline import (
    LEAST_SHARE,
    MOST_PHASES,
    MOST_SHARE,
    POSTSCREEN,
    WEEK,
    Baselines,
)
from probe.core.detection.histogram import Histogram
from probe.core.detection.lesson import HELD_BACK, Lesson, Lessons
from probe.core.model import Phase


def taught(delays: list[float]) -> Baselines:
    baselines = Baselines()
    for seconds in delays:
        baselines.arrived("pool", "corp", seconds)
    return baselines


def test_the_share_of_failures_begins_at_the_prior_and_is_never_believed_to_be_nothing() -> None:
    baselines = Baselines()
    assert baselines.failing_share("pool") == pytest.approx(0.005)
    for n in range(20_000):
        baselines.ended("pool", failed=False, now=float(n))
    assert baselines.failing_share("pool") == LEAST_SHARE


def test_the_share_of_failures_follows_what_happens_up_to_a_bound() -> None:
    baselines = Baselines()
    for n in range(20_000):
        baselines.ended("pool", failed=n % 128 == 0, now=float(n))
    assert baselines.failing_share("pool") == pytest.approx(1 / 128, rel=0.1)
    for n in range(20_000):
        baselines.ended("pool", failed=True, now=20_000.0 + n)
    assert baselines.failing_share("pool") == MOST_SHARE


def test_failures_of_long_ago_are_forgotten() -> None:
    baselines = Baselines()
    for n in range(2000):
        baselines.ended("pool", failed=n % 50 == 0, now=float(n))
    before = baselines.failing_share("pool")
    baselines.ended("pool", failed=False, now=10 * WEEK)
    assert baselines.failing_share("pool") < before / 2


def test_on_the_first_day_mail_is_taken_to_be_slow() -> None:
    assert Baselines().outstanding("pool", "corp", 2.0) == pytest.approx(0.5)
    assert Baselines().outstanding("pool", "corp", 16.0) > 0.02


def test_ten_arrivals_are_enough_to_begin_with() -> None:
    assert taught([0.1] * 10).outstanding("pool", "corp", 4.0) < 0.01


def test_what_has_been_seen_for_long_is_believed_but_not_that_it_was_the_worst() -> None:
    chance = random.Random(1)
    baselines = taught([chance.lognormvariate(math.log(2.0), 0.9) for _ in range(2000)])
    assert baselines.outstanding("pool", "corp", 2.0) == pytest.approx(0.5, abs=0.05)
    assert 0.0 < baselines.outstanding("pool", "corp", 1000.0) < 0.01
    age = baselines.age("pool", "corp", 0.001)
    assert baselines.outstanding("pool", "corp", age) <= 0.0011


@given(st.lists(st.floats(0.001, 600.0), max_size=400))
def test_the_older_the_fewer_are_outstanding(delays: list[float]) -> None:
    baselines = taught(delays)
    ages = (0.0, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    shares = [baselines.outstanding("pool", "corp", age) for age in ages]
    assert shares == sorted(shares, reverse=True)
    assert all(0.0 < share <= 1.0 for share in shares)


def test_a_phase_is_normal_as_its_node_is_and_an_unknown_node_may_make_strangers_wait() -> None:
    baselines = Baselines()
    assert baselines.normal("pool", "n1", Phase.GREETING) == POSTSCREEN
    for _ in range(5):
        baselines.timed("pool", "n1", Phase.GREETING, 0.01)
    assert baselines.normal("pool", "n1", Phase.GREETING) < 0.02
    assert baselines.normal("pool", "n2", Phase.GREETING) < 0.02, "as its sibling"
    for _ in range(5):
        baselines.timed("pool", "n2", Phase.GREETING, 6.0)
    assert baselines.normal("pool", "n2", Phase.GREETING) >= 6.0, "this is how it always is"
    assert baselines.normal("pool", "n1", Phase.GREETING) < 0.02, "and its sibling stays as it is"


def test_nodes_that_come_and_go_for_ever_are_not_remembered_for_ever() -> None:
    baselines = Baselines()
    for n in range(MOST_PHASES + 100):
        baselines.timed("pool", f"n{n}", Phase.CONNECT, 0.01)
        baselines.timed("pool", "stays", Phase.CONNECT, 2.0)
    assert len(baselines.rows()) == MOST_PHASES
    assert baselines.normal("pool", "stays", Phase.CONNECT) >= 2.0


def test_everything_learned_comes_back_from_the_journal() -> None:
    before = taught([0.1 * n for n in range(1, 300)])
    before.ended("pool", failed=True, now=1000.0)
    for _ in range(9):
        before.timed("pool", "2001:db8::1", Phase.CONNECT, 0.3)
    after = Baselines(before.rows())
    assert after.failing_share("pool") == before.failing_share("pool")
    assert after.normal("pool", "2001:db8::1", Phase.CONNECT) == before.normal(
        "pool", "2001:db8::1", Phase.CONNECT
    )
    for age in (0.1, 1.0, 10.0, 40.0):
        known = before.outstanding("pool", "corp", age)
        assert after.outstanding("pool", "corp", age) == pytest.approx(known)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("failures pool", (math.nan, 1.0, 1.0)),
        ("failures pool", (1.0,) * 9),
        ("delays pool corp", ()),
        ("delays pool corp", (5.0, 1.0, 500.0, 1.0)),
        ("delays pool corp", (5.0, math.inf, 1.0, 1.0)),
        ("delays pool corp", (5.0, 1.0, 1.0, -1.0)),
        ("delays pool corp", (5.0, 1.0, 1.0)),
        ("phases pool nonsense n1", (5.0, 1.0, 1.0, 1.0)),
        ("nonsense", (1.0,)),
    ],
)
def test_what_makes_no_sense_in_the_journal_is_learned_anew(
    name: str, row: tuple[float, ...]
) -> None:
    baselines = Baselines({name: row})
    assert baselines.failing_share("pool") == pytest.approx(0.005)
    assert baselines.outstanding("pool", "corp", 2.0) == pytest.approx(0.5)
    assert baselines.normal("pool", "n1", Phase.CONNECT) == POSTSCREEN


def test_old_samples_fade() -> None:
    histogram = Histogram(100.0)
    for _ in range(1000):
        histogram.add(0.1)
    for _ in range(300):
        histogram.add(10.0)
    assert histogram.above(1.0) > 0.9


def test_lessons_are_held_back_until_it_is_known_whether_there_was_trouble() -> None:
    baselines = taught([0.1] * 50)
    lessons = Lessons(baselines)
    lessons.add("pool", Lesson(1000.0, failed=False, mailbox="corp", delay=50.0))
    quiet = baselines.outstanding("pool", "corp", 20.0)
    lessons.pass_on(1000.0 + HELD_BACK, {"pool": 990.0})
    assert baselines.outstanding("pool", "corp", 20.0) == quiet, "it is part of the trouble"
    lessons.pass_on(1001.0 + HELD_BACK, {})
    assert baselines.outstanding("pool", "corp", 20.0) > quiet


@pytest.mark.parametrize(("confirmed", "learned"), [(True, False), (False, True)])
def test_of_an_incident_only_a_blip_teaches_and_only_how_often_probes_fail(
    confirmed: bool, learned: bool
) -> None:
    baselines = taught([0.1] * 50)
    lessons = Lessons(baselines)
    for n in range(100):
        lessons.add("pool", Lesson(1000.0 + n, failed=True, mailbox="corp", delay=50.0))
    before, delay = baselines.failing_share("pool"), baselines.outstanding("pool", "corp", 20.0)
    lessons.ended("pool", 1000.0, 1200.0, confirmed=confirmed)
    lessons.pass_on(9999.0, {})
    assert (baselines.failing_share("pool") > before) is learned
    assert baselines.outstanding("pool", "corp", 20.0) == delay
