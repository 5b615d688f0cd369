"""Everything at once is us only if nothing else answers: what counts as an answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.core.component import Component, Kind
from probe.core.model import Attempt, Break, Phase, PhaseTime, Probe, Relay, Route, RouteKey
from probe.core.reach import Reach, furthest, reach_of
from tests.core.detection.test_detector import RELAY, World

PROBER = Component(Kind.PROBER)
SILENT = Attempt((PhaseTime(Phase.CONNECT, 3.0),), Phase.CONNECT, ended=0.0, broken=Break.TIMED_OUT)


def dark(resolver: Reach | None, aim: Reach = Reach.WORLD, *, named: bool = False) -> World:
    """Relay and mailbox have been silent for a while; `resolver`: from where one answers.

    `named`: the relay's name is looked up anew for each probe.
    """
    world = World()
    routes = [Route(key, 15.0, 60.0, 600.0) for key in world.keys]
    world.detector.follow(routes, {"pool": Relay("pool", "pool.test", 25)}, aim=aim)
    for moment in range(100, 160):
        world.read(moment)
        world.came(world.sent(moment, node=f"n{moment % 3 + 1}"), moment)
    for moment in range(160, 185):
        if resolver is not None and moment % 5 == 0:
            world.detector.resolved(moment, resolver)
        probe = Probe(
            10_000 + moment, RouteKey("pool", f"n{moment % 3 + 1}", "shop", "corp"),
            moment, moment, "", deadline=60.0, give_up=600.0,
        )  # fmt: skip
        world.detector.launched(probe)
        if named:
            world.detector.entered(probe.sequence, Phase.DNS, moment)
        world.detector.entered(probe.sequence, Phase.CONNECT, moment)
        world.detector.attempted(probe.sequence, SILENT, "")
        world.tick(moment + 0.5)
    return world


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


def silent(world: World, since: int, until: int, *, resolver: Reach | None) -> None:
    """No node takes a connection."""
    for moment in range(since, until):
        if resolver is not None:
            world.detector.resolved(moment, resolver)
        key = RouteKey("pool", f"n{moment % 3 + 1}", "shop", "corp")
        probe = Probe(20_000 + moment, key, moment, moment, "", deadline=60.0, give_up=600.0)
        world.detector.launched(probe)
        world.detector.entered(probe.sequence, Phase.CONNECT, moment)
        world.detector.attempted(probe.sequence, replace(SILENT, ended=moment), "")
        world.tick(moment + 0.5)


def test_if_a_resolver_answers_later_it_is_the_relay_after_all() -> None:
    world = dark(None)
    silent(world, 185, 200, resolver=Reach.WORLD)
    assert world.named == [RELAY]


def test_a_network_that_is_back_leaves_no_relay_accused() -> None:
    world = dark(None)
    silent(world, 185, 200, resolver=None)
    world.read(200.0)
    world.detector.resolved(200.0, Reach.WORLD)
    for moment in range(200, 240):
        world.read(moment)
        world.came(world.sent(moment, node=f"n{moment % 3 + 1}"), moment)
        world.tick(moment + 0.5)
        assert RELAY not in world.named
    assert world.named == []


def test_that_a_name_was_known_is_no_answer() -> None:
    """It may be in /etc/hosts, or in a cache."""
    assert dark(None, named=True).named == [PROBER]


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("127.0.0.53", Reach.HOST),
        ("::1", Reach.HOST),
        ("169.254.20.10", Reach.HOST),
        ("fe80::1", Reach.HOST),
        ("10.0.0.2", Reach.SITE),
        ("192.168.1.1", Reach.SITE),
        ("fd00::2", Reach.SITE),
        ("8.8.8.8", Reach.WORLD),
        ("2606:4700::1111", Reach.WORLD),
        ("smtp.example.com", Reach.WORLD),
        ("", Reach.WORLD),
    ],
)
def test_how_far_away_an_address_is(host: str, reach: Reach) -> None:
    assert reach_of(host) is reach


def test_the_furthest_node_is_what_has_to_be_reached() -> None:
    assert furthest(["10.0.0.1", "192.0.2.1", "1.1.1.1"]) is Reach.WORLD
    assert furthest(["10.0.0.1", "127.0.0.1"]) is Reach.SITE
    assert furthest([]) is Reach.HOST
