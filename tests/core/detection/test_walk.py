"""The sums are what a walk over all observations gives, however they are kept."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from probe.core.detection.observation import (
    EVERYBODY,
    NOT_MAILBOX,
    RELAY_SIDE,
    SUCCESS,
    TAKEN,
    Observation,
    Weight,
)
from probe.core.detection.topology import Topology
from probe.core.detection.walk import Walk
from probe.core.model import Route, RouteKey

ROUTES = [
    Route(RouteKey("pool", f"n{n}", "shop", f"m{m}"), 15.0, 60.0, 3600.0)
    for n, m in product(range(2), range(2))
]
TOPOLOGY = Topology(ROUTES)
ENDS = (SUCCESS, TAKEN, None, Weight(EVERYBODY, 200.0), Weight(RELAY_SIDE, 200.0))


def naive(observations: list[Observation]) -> list[float]:
    """One step after the other, for every series."""
    nats = [0.0] * len(TOPOLOGY.series)
    for one in observations:
        if one.weight is None:
            continue
        for number in TOPOLOGY.members[one.key]:
            if one.weight.blames & TOPOLOGY.series[number].kinds:
                nats[number] = max(0.0, nats[number] + one.weight.nats())
    return nats


def observation(slot: float, key: RouteKey) -> Observation:
    return Observation(int(slot), key, slot, 60.0, scheduled=True)


moves = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, len(ENDS) - 1), st.integers(0, 9)), max_size=60
)


@given(moves)
def test_whatever_settles_in_whatever_order(moves: list[tuple[int, int, int]]) -> None:
    walk = Walk()
    observations: list[Observation] = []
    for number, (route, end, which) in enumerate(moves):
        observations.append(observation(float(number), ROUTES[route].key))
        pending = [one for one in observations if not one.settled]
        for one in pending:  # What is on its way counts by its age.
            one.weight = Weight(EVERYBODY, 1.0 + (number - one.slot))
        chosen = pending[which % len(pending)]
        chosen.settled, chosen.weight = True, ENDS[end]
        sums = walk.on(observations, TOPOLOGY, weigh=lambda one: one.weight)
        expected = naive(observations)
        assert all(
            math.isclose(a, b, abs_tol=1e-9) for a, b in zip(sums.nats, expected, strict=True)
        )
        assert sorted(sums.alive) == [n for n, nats in enumerate(sums.nats) if nats > 0.0]


@given(moves, st.integers(0, 59))
def test_what_rests_counts_the_same_and_is_not_looked_at_again(
    moves: list[tuple[int, int, int]], blind: int
) -> None:
    walk = Walk()
    observations: list[Observation] = []
    looks: list[Observation] = []

    def weigh(one: Observation) -> Weight | None:
        looks.append(one)
        return one.weight

    for number, (route, end, _) in enumerate(moves):
        one = observation(float(number), ROUTES[route].key)
        one.settled = number < blind
        one.weight = ENDS[end] if one.settled else TAKEN
        observations.append(one)
        sums = walk.on(observations, TOPOLOGY, weigh=weigh, rests=lambda one: not one.settled)
        expected = naive(observations)
        assert all(
            math.isclose(a, b, abs_tol=1e-9) for a, b in zip(sums.nats, expected, strict=True)
        )
    resting = [one for one in observations if one.resting]
    assert len(resting) == max(0, len(moves) - blind)
    assert all(sum(look is one for look in looks) <= 2 for one in resting)


def test_the_onset_is_the_slot_of_the_first_that_failed() -> None:
    walk, key = Walk(), ROUTES[0].key
    observations = [observation(float(slot), key) for slot in range(10)]
    for one in observations:
        one.settled = True
        one.weight = Weight(EVERYBODY, 200.0) if one.slot >= 6 else SUCCESS
    sums = walk.on(observations, TOPOLOGY, weigh=lambda one: one.weight)
    assert sums.onset[sums.highest] == 6.0


def test_what_is_forgotten_stays_in_the_sum() -> None:
    walk, key = Walk(), ROUTES[0].key
    observations = [observation(float(slot), key) for slot in range(3)]
    for one in observations:
        one.settled, one.weight = True, Weight(EVERYBODY, 200.0)
    before = walk.on(observations, TOPOLOGY, weigh=lambda one: one.weight).nats
    walk.dropped(3)
    assert walk.on([], TOPOLOGY, weigh=lambda one: one.weight).nats == before


def test_a_node_that_its_greeting_tells_later_is_counted_where_it_belongs() -> None:
    walk = Walk()
    one = observation(1.0, replace(ROUTES[0].key, node=""))
    walk.on([one], TOPOLOGY, weigh=lambda one: one.weight)
    one.key, one.settled, one.weight = ROUTES[0].key, True, Weight(NOT_MAILBOX, 200.0)
    sums = walk.on([one], TOPOLOGY, weigh=lambda one: one.weight)
    assert sums.nats[TOPOLOGY.narrow[ROUTES[0].key]] == 0.0, "a route is not to blame for it"
    assert sums.highest in TOPOLOGY.members[ROUTES[0].key]


def test_a_mailbox_that_stays_blind_leaves_nothing_behind() -> None:
    history = [observation(float(n), ROUTES[0].key) for n in range(10)]
    topology = Topology(ROUTES[:1])
    walk = Walk()
    lost = Weight(EVERYBODY, 200.0)
    assert walk.on(history, topology, weigh=lambda _: lost).alive == [0]
    del history[:10]
    walk.dropped(10)
    assert walk.on(history, topology, weigh=lambda _: lost).alive == []
