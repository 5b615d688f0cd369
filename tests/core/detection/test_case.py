"""A case, from what was seen of a component: its faults, whether it may page, when it is over."""

import random
from collections.abc import Iterator, Sequence

import pytest

from probe.core.component import Component, Fault, Kind
from probe.core.detection.accusation import grievances
from probe.core.detection.assessment import Seen, assess
from probe.core.detection.case import Case
from probe.core.detection.observation import EVERYBODY, SUCCESS, Failure, Observation, Weight
from probe.core.detection.share import failing_share, wilson
from probe.core.model import RouteKey

NODE = Component(Kind.NODE, "pool", "n1")
THRESHOLD = 14.5
ODDS = 200.0
FACT = 8000.0


def good(slot: float, node: str = "n1", *, relay: str = "pool") -> Seen:
    one = Observation(1, RouteKey(relay, node, "shop", "corp"), slot, 60.0, scheduled=True)
    return Seen(one, SUCCESS)


def bad(
    slot: float,
    fault: Fault = Fault.REFUSING,
    *,
    node: str = "n1",
    relay: str = "pool",
    fact: bool = False,
    arrived: float | None = None,
) -> Seen:
    one = Observation(1, RouteKey(relay, node, "shop", "corp"), slot, 60.0, scheduled=True)
    one.failure = Failure(fault, EVERYBODY, "550 no", is_fact=fact)
    one.known, one.arrived = slot, arrived
    if fault is Fault.HOLDING:
        one.accepted = slot
    return Seen(one, Weight(EVERYBODY, FACT if fact else ODDS))


def held(slot: float) -> Seen:
    one = Observation(1, RouteKey("pool", "n1", "shop", "corp"), slot, 60.0, scheduled=True)
    one.accepted = slot
    return Seen(one, Weight(EVERYBODY, ODDS))


def case() -> Case:
    return Case(NODE, opened=0.0, since=0.0, blames=EVERYBODY)


def follow(case: Case, seen: Sequence[Seen], *times: float) -> Case:
    for now in times:
        case.update(assess(seen, now), now, THRESHOLD)
    return case


# ---- the faults


def test_the_most_frequent_fault_leads_and_a_rare_one_is_none() -> None:
    seen = [bad(n, Fault.UNREACHABLE) for n in range(12)] + [bad(12, Fault.REFUSING)]
    assert assess(seen, 13.0).faults() == [Fault.UNREACHABLE]
    seen += [bad(13 + n, Fault.REFUSING) for n in range(4)]
    assert assess(seen, 20.0).faults() == [Fault.UNREACHABLE, Fault.REFUSING]


def test_what_is_held_is_late_once_half_of_it_has_come() -> None:
    seen = [bad(n, Fault.HOLDING) for n in range(4)]
    assert assess(seen, 70.0).faults() == [Fault.HOLDING]
    seen = [bad(n, Fault.HOLDING, arrived=65.0 if n < 2 else None) for n in range(4)]
    assert assess(seen, 70.0).faults() == [Fault.LATE]


def test_what_is_not_all_is_intermittent_in_addition() -> None:
    seen = [bad(n) if n % 3 == 0 else good(n) for n in range(60)]
    assert list(follow(case(), seen, 60.0).faults) == [Fault.REFUSING, Fault.INTERMITTENT]
    seen = [bad(n) for n in range(60)]
    assert list(follow(case(), seen, 60.0).faults) == [Fault.REFUSING]


# ---- whether it may page


def test_a_restart_of_thirty_seconds_is_not_confirmed() -> None:
    down = [bad(n, Fault.UNREACHABLE) for n in range(0, 30, 5)]
    one = case()
    for now in range(30):
        follow(one, [seen for seen in down if seen.observation.slot <= now], float(now))
    up = [*down, *(good(n) for n in range(30, 60, 5))]
    for now in range(30, 60):
        follow(one, [seen for seen in up if seen.observation.slot <= now], float(now))
    assert not one.is_confirmed


def test_a_node_that_fails_for_longer_than_a_restart_is_confirmed() -> None:
    one = case()
    for now in range(60):
        follow(one, [bad(n, Fault.UNREACHABLE) for n in range(0, now + 1, 5)], float(now))
    assert one.confirmed == {Fault.UNREACHABLE: 55.0}, "45 s and then without a break for 10 s"


def test_what_is_held_is_confirmed_earlier_for_no_restart_does_that() -> None:
    one = case()
    for now in range(60):
        follow(one, [held(n) for n in range(0, now + 1, 5)], float(now))
    assert one.confirmed == {Fault.HOLDING: 20.0}


def test_enough_separate_failures_confirm_and_a_row_of_them_counts_once() -> None:
    row = [bad(n) for n in range(6)]
    assert assess(row, 6.0).separate == pytest.approx(row[0].weight.nats())
    apart = [bad(n) if n % 2 else good(n) for n in range(12)]
    assert assess(apart, 12.0).separate > THRESHOLD
    assert follow(case(), apart, 12.0, 22.0).confirmed == {Fault.REFUSING: 22.0}


def test_two_facts_are_two_however_close_they_are() -> None:
    seen = [bad(n, Fault.DUPLICATING, fact=True) for n in range(2)]
    assert assess(seen, 2.0).separate > THRESHOLD


def lived(*told: tuple[float, Seen]) -> Iterator[tuple[float, Case]]:
    """A case second by second, to a minute after the last that is told, each at its moment."""
    one = case()
    for now in range(int(told[-1][0]) + 60):
        yield now, follow(one, [seen for at, seen in told if at <= now], float(now))


def refused_for(seconds: int) -> list[tuple[float, Seen]]:
    return [(n, bad(n)) for n in range(0, seconds, 5)]


def test_a_second_fault_is_not_confirmed_because_a_first_one_is() -> None:
    """A node that refuses for minutes is restarted: that is no second reason to page."""
    restart = [(n, bad(n, Fault.UNREACHABLE)) for n in range(300, 330, 2)]
    after = [(n, good(n) if n % 2 else bad(n)) for n in range(330, 360)]
    ever = dict[Fault, float]()
    for _, one in lived(*refused_for(300), *restart, *after):
        ever |= one.confirmed
        assert one.is_confirmed or not ever
    assert list(ever) == [Fault.REFUSING]


def test_a_second_fault_that_persists_by_itself_is_confirmed() -> None:
    dead = [(n, bad(n, Fault.UNREACHABLE)) for n in range(300, 400, 5)]
    confirmed = dict[Fault, float]()
    for _, one in lived(*refused_for(300), *dead):
        confirmed |= one.confirmed
    assert confirmed[Fault.UNREACHABLE] == 355.0, "45 s and then without a break for 10 s"


def test_a_second_fault_with_enough_separate_failures_is_confirmed() -> None:
    copies = [(n, bad(n, Fault.DUPLICATING, fact=True)) for n in (300, 303)]
    *_, (_, one) = lived(*refused_for(298), *copies)
    assert one.confirmed[Fault.DUPLICATING] == 313.0


def test_what_is_accepted_before_a_restart_and_comes_after_it_is_no_fault_of_its_own() -> None:
    """Three held messages alone would be confirmed after 20 s."""
    before = [(n, bad(n, Fault.HOLDING)) for n in (290, 291, 292)]
    restart = [(n, bad(n, Fault.UNREACHABLE)) for n in range(294, 322, 2)]
    for now, one in lived(*refused_for(290), *before, *restart):
        assert now > 325 or set(one.confirmed) <= {Fault.REFUSING}


def test_what_was_held_and_comes_late_is_the_same_fault() -> None:
    one = follow(case(), [bad(n, Fault.HOLDING) for n in range(0, 60, 5)], 60.0)
    assert one.is_confirmed
    follow(one, [bad(n, Fault.HOLDING, arrived=61.0) for n in range(0, 60, 5)], 90.0)
    told = [(g.fault, g.since, g.confirmed) for g in grievances(one)]
    assert told == [(Fault.LATE, 0.0, 60.0)]


def test_what_is_confirmed_is_named_until_something_else_is_confirmed() -> None:
    """Else its page would end while nothing is well."""
    one = follow(case(), [bad(n) for n in range(0, 60, 5)], 55.0, 65.0)
    assert list(one.confirmed) == [Fault.REFUSING]
    blip = [bad(60 + n, Fault.UNREACHABLE) for n in range(25)]
    follow(one, [*(bad(n) for n in range(0, 60, 5)), *blip], 85.0)
    assert list(one.faults) == [Fault.UNREACHABLE, Fault.REFUSING]
    assert [g.confirmed is not None for g in grievances(one)] == [False, True]


# ---- when it is over


def over(seen: Sequence[Seen], now: float, least: float = 0.0) -> bool:
    return assess(seen, now).is_over(now, least)


def test_after_a_hard_fault_seven_successes_are_enough() -> None:
    down = [bad(n) for n in range(10)]
    assert not over([*down, *(good(20 + n) for n in range(6))], 30.0)
    assert over([*down, *(good(20 + n) for n in range(7))], 30.0)


def test_one_failure_on_the_way_back_does_not_make_a_hard_fault_a_partial_one() -> None:
    down = [bad(n) for n in range(6)]
    back = [*(good(10 + n) for n in range(6)), bad(16), *(good(17 + n) for n in range(7))]
    assert not over([*down, *back], 30.0)
    assert over([*down, *back], 30.0, least=0.5)


def test_after_a_partial_one_it_takes_many_more() -> None:
    down = [bad(n) if n % 6 == 0 else good(n) for n in range(60)]
    assert not over([*down, *(good(60 + n) for n in range(20))], 80.0)
    assert over([*down, *(good(60 + n) for n in range(90))], 150.0)


def test_it_is_not_over_while_a_node_has_not_come_back() -> None:
    down = [bad(n, node=f"n{n % 3}") for n in range(12)]
    up = [good(20 + n, node=f"n{n % 2}") for n in range(20)]
    assert not over([*down, *up], 50.0)
    assert over([*down, *up, good(41, node="n2")], 50.0)


def test_it_is_not_over_while_a_backlog_drains() -> None:
    down = [bad(n, Fault.HOLDING, arrived=100.0 if n < 5 else None) for n in range(10)]
    up = [good(80 + n) for n in range(10)]
    assert not over([*down, *up], 110.0)
    assert over([*down, *up], 161.0), "nothing of it has come for a minute"
    drained = [bad(n, Fault.HOLDING, arrived=100.0) for n in range(10)]
    assert over([*drained, *up], 110.0), "all of it has come"


def test_it_is_not_over_while_something_is_missing() -> None:
    assert not over([bad(0), *(good(n) for n in range(1, 20)), held(12)], 30.0)


# ---- nodes of the same name


def test_a_node_that_is_well_does_not_hide_one_of_the_same_name_behind_another_relay() -> None:
    seen = [bad(n) if n % 2 else good(n, relay="spare") for n in range(60)]
    assert assess(seen, 60.0).persists(60.0)


def test_it_is_not_over_because_a_node_of_the_same_name_has_come_back() -> None:
    down = [bad(n, relay=f"r{n % 2}") for n in range(10)]
    up = [good(20 + n, relay="r0") for n in range(20)]
    assert not over([*down, *up], 50.0)
    assert assess([*down, *up], 50.0).recovered() == [("r0", "n1")]


# ---- the share


def test_the_interval_is_that_of_wilson() -> None:
    share = wilson(8, 40)
    assert share is not None
    assert (share.low, share.high) == (
        pytest.approx(0.105, abs=1e-3),
        pytest.approx(0.348, abs=1e-3),
    )
    assert wilson(0, 0) is None


def test_the_share_leaves_out_the_failures_at_both_ends_of_the_window() -> None:
    assert failing_share([True, False, False, True]) == wilson(0, 2)
    assert failing_share([True, True]) is None


def test_the_share_ends_with_the_last_failure() -> None:
    down = [bad(n) for n in range(20)]
    assert assess([*down, *(good(20 + n) for n in range(50))], 99.0).share == wilson(18, 18)


def test_the_interval_holds_the_truth() -> None:
    chance, held_it, runs = random.Random(1), 0, 1000
    for _ in range(runs):
        outcomes = [chance.random() < 0.16 for _ in range(120)]
        first = outcomes.index(True)
        last = len(outcomes) - outcomes[::-1].index(True)
        share = failing_share(outcomes[first:last])
        held_it += share is not None and share.low <= 0.16 <= share.high
    assert held_it / runs >= 0.93
