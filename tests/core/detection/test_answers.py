"""Everything at once is us only if nothing else answers: what counts as an answer."""

from __future__ import annotations

import pytest

from probe.core.model import Phase, RouteKey
from probe.core.reach import Reach
from tests.core.detection.world import PROBER, RELAY, SILENT, World, in_turn


def dark(resolver: Reach | None, aim: Reach = Reach.WORLD, *, named: bool = False) -> World:
    """Relay and mailbox have been silent for a while; `resolver`: from where one answers.

    `named`: the relay's name is looked up anew for each probe.
    """
    world = World()
    world.follow(aim=aim)
    world.all_well(100, 160)
    for moment in range(160, 185):
        if moment % 5 == 0:
            answered(world, moment, resolver)
        silent(world, moment, named=named)
    return world


def answered(world: World, now: int, resolver: Reach | None) -> None:
    """A resolver that is so far away has, unless there is none."""
    if resolver is not None:
        world.detector.resolved(now, resolver)


def silent(world: World, now: int, *, named: bool = False) -> None:
    """The node whose turn it is takes no connection."""
    record = world.launched(now, RouteKey("pool", in_turn(now), "shop", "corp"))
    if named:
        world.detector.entered(record.probe.sequence, Phase.DNS, now)
    world.detector.entered(record.probe.sequence, Phase.CONNECT, now)
    world.ended(record, SILENT, now)
    world.tick(now + 0.5)


def test_where_nothing_answers_it_is_us() -> None:
    assert dark(None).named == [PROBER]


@pytest.mark.parametrize(
    ("resolver", "aim"),
    [
        (Reach.WORLD, Reach.WORLD),
        (Reach.WORLD, Reach.SITE),
        (Reach.SITE, Reach.SITE),
        (Reach.HOST, Reach.HOST),
    ],
)
def test_a_resolver_that_answers_shows_that_it_is_the_relay(resolver: Reach, aim: Reach) -> None:
    assert dark(resolver, aim).named == [RELAY]


@pytest.mark.parametrize(
    ("resolver", "aim"),
    [(Reach.HOST, Reach.WORLD), (Reach.HOST, Reach.SITE), (Reach.SITE, Reach.WORLD)],
)
def test_a_resolver_nearer_than_the_relay_may_know_it_from_its_cache(
    resolver: Reach, aim: Reach
) -> None:
    assert dark(resolver, aim).named == [PROBER]


def test_if_a_resolver_answers_later_it_is_the_relay_after_all() -> None:
    world = dark(None)
    for moment in range(185, 200):
        answered(world, moment, Reach.WORLD)
        silent(world, moment)
    assert world.named == [RELAY]


def test_a_network_that_is_back_leaves_no_relay_accused() -> None:
    world = dark(None)
    for moment in range(185, 200):
        silent(world, moment)
    world.read(200.0)
    world.detector.resolved(200.0, Reach.WORLD)
    for moment in range(200, 240):
        world.read(moment)
        world.came(world.sent(moment, node=in_turn(moment)), moment)
        world.tick(moment + 0.5)
        assert RELAY not in world.named
    assert world.named == []


def test_that_a_name_was_known_is_no_answer() -> None:
    """It may be in /etc/hosts, or in a cache."""
    assert dark(None, named=True).named == [PROBER]
