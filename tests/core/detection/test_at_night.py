"""What seems to be wrong with others, and is not: whom nobody may be woken up for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.core.model import Attempt, Break, Phase, PhaseTime, Reply, RouteKey
from probe.core.reach import Reach
from probe.core.record import Record
from tests.core.detection.world import CLOSED, N1, N2, PROBER, REFUSED, RELAY, TAKEN, World, in_turn

TOO_MANY = replace(TAKEN, phase=Phase.MAIL, reply=Reply(421, "4.7.0", "Too many messages"))
NAMELESS = Attempt(
    (PhaseTime(Phase.DNS, 4.0),), Phase.DNS, ended=0.0, broken=Break.NAME_ERROR, detail="silent"
)


def healthy() -> World:
    """All was well for a minute, a probe a second."""
    world = World()
    world.follow()
    world.all_well(100, 160)
    return world


def others_work(world: World, now: float) -> None:
    """Probes come through the other nodes."""
    for node in ("n2", "n3"):
        world.came(world.sent(now + 0.1, node=node), now + 0.1)


# ---- a relay for which our bursts are too many


def test_a_relay_that_our_burst_is_too_much_for_is_well() -> None:
    world = healthy()
    for moment in range(160, 220):
        world.read(moment)
        world.sent(moment, TOO_MANY, burst=True)
        world.sent(moment + 0.1, TOO_MANY)
        world.tick(moment + 0.5)
    assert world.named == []


def test_a_relay_that_the_schedule_is_too_much_for_refuses() -> None:
    world = healthy()
    for moment in range(160, 220):
        world.read(moment)
        world.sent(moment, TOO_MANY)
        others_work(world, moment)
        world.tick(moment + 0.5)
    assert world.named == [N1]


def test_a_relay_that_was_seldom_asked_when_it_began_to_refuse_is_not_excused_by_bursts() -> None:
    """It refused the schedule before there was any burst, so those that follow are no cause."""
    world = healthy()
    for moment in range(160, 600):
        world.read(moment)
        if moment % 60 == 40:
            world.sent(moment, TOO_MANY, burst=moment % 120 != 40)
            others_work(world, moment)
        world.tick(moment + 0.5)
    assert world.named == [N1]


def rechecked(world: World, since: int, until: int, *, seldom: int) -> None:
    """A node is rechecked, closed as it is; meanwhile a second one refuses what is scheduled."""
    for moment in range(since, until):
        world.read(moment)
        if moment % 5 == 0:
            world.sent(moment, CLOSED, burst=True)
        if moment % seldom == 0:
            world.sent(moment + 0.1, TOO_MANY, node="n2")
        world.came(world.sent(moment + 0.2, node="n3"), moment + 0.2)
        world.tick(moment + 0.5)


@pytest.mark.parametrize(("seldom", "within"), [(15, 180), (120, 720)])
def test_a_second_node_that_refuses_the_schedule_is_not_excused_while_the_first_is_rechecked(
    seldom: int, within: int
) -> None:
    world = healthy()
    rechecked(world, 160, 160 + within, seldom=seldom)
    assert set(world.named) == {N1, N2}


def test_a_second_node_that_refuses_for_a_moment_while_the_first_is_rechecked_is_excused() -> None:
    world = healthy()
    rechecked(world, 160, 210, seldom=15)
    assert world.named == [N1]
    world.came(world.sent(211, node="n2"), 211)
    rechecked(world, 215, 265, seldom=15)
    assert world.named == [N1]


# ---- a resolver that is dead


@pytest.mark.parametrize("alive", [False, True])
def test_while_no_resolver_answers_it_is_us_though_a_mailbox_does(alive: bool) -> None:
    """It cannot say where the relay is; whether it says something else tells of whom it is."""
    world = healthy()
    asked = False
    for moment in range(160, 200):
        world.read(moment)
        world.sent(moment, NAMELESS, node=in_turn(moment))
        if alive and moment > 161:
            world.detector.resolved(moment, Reach.HOST)
        asked = world.tick(moment + 0.5).wonders or asked
    assert world.named == [RELAY if alive else PROBER]
    assert asked, "a resolver has to be asked before anybody is named"


def test_a_relay_by_name_is_not_named_for_a_dead_resolver_beside_one_by_address() -> None:
    world = World(relays=("pool", "other"))
    world.keys = [key for key in world.keys if key.relay == "pool" or key.node == "n1"]
    world.follow()
    for moment in range(100, 240):
        world.read(moment)
        world.came(world.sent(moment, relay="other"), moment)
        if moment < 160:
            world.came(world.sent(moment, node=in_turn(moment)), moment)
        else:
            world.sent(moment + 0.2, NAMELESS, node=in_turn(moment))
        world.tick(moment + 0.5)
        assert RELAY not in world.named
    assert world.named == [PROBER]


# ---- a mailbox that is slow to be read


def test_a_mailbox_whose_searches_take_ten_seconds_makes_nobody_guilty() -> None:
    """What it shows was there for a while, and nobody had looked."""
    world = healthy()
    waiting: list[Record] = []
    for moment in range(160, 300):
        waiting.append(world.sent(moment, node=in_turn(moment)))
        if moment % 10 == 0:  # A search ends, which began ten seconds ago.
            shown = [one for one in waiting if one.probe.launched < moment - 10]
            for record in shown:
                world.came(record, moment)
                waiting.remove(record)
            world.read(moment - 10)
        world.tick(moment + 0.5)
        assert world.named == []


# ---- a node that is taken out, and a configuration that is read again


def test_a_node_that_is_taken_out_of_dns_is_no_fault_any_more() -> None:
    world = healthy()
    for moment in range(160, 180):
        world.read(moment)
        world.sent(moment, REFUSED)
        others_work(world, moment)
        world.tick(moment + 0.5)
    assert world.named == [N1]
    world.keys = [key for key in world.keys if key.node != "n1"]
    world.follow()
    world.detector.retire(N1, 180.0)
    for moment in range(180, 240):
        world.read(moment)
        others_work(world, moment)
        world.tick(moment + 0.5)
        assert world.named == []


def test_a_configuration_that_is_read_again_amid_a_fault_changes_no_name() -> None:
    world = healthy()
    for moment in range(160, 220):
        world.read(moment)
        world.sent(moment, REFUSED)
        others_work(world, moment)
        if moment in (163, 190):
            world.follow()
        world.tick(moment + 0.5)
        assert set(world.named) <= {N1}
    (incident,) = world.detector.open
    assert incident.component == N1
    assert incident.opened < 175.0


# ---- a relay that does not know us yet


def test_a_relay_that_puts_strangers_off_is_waited_for() -> None:
    world = World()
    world.follow()
    put_off = [
        world.launched(100.0 + n, RouteKey("pool", in_turn(n), "shop", "corp")) for n in range(12)
    ]
    for one in put_off:
        world.detector.entered(one.probe.sequence, Phase.RCPT, one.probe.launched)
        world.detector.entered(one.probe.sequence, None, one.probe.launched + 0.1)
    for moment in range(112, 800, 2):
        world.read(moment)
        assert world.tick(moment + 0.5).wishes == ()
        assert world.named == []
    for one in put_off:
        world.detector.entered(one.probe.sequence, Phase.CONNECT, 800.0)
        world.came(world.ended(one, TAKEN, 800.0), 800.1)
    world.tick(801.0)
    assert world.named == []
