"""What seems to be wrong with others, and is not: whom nobody may be woken up for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.core.change import Change, Judged
from probe.core.component import Component, Kind
from probe.core.model import (
    Attempt,
    Break,
    Phase,
    PhaseTime,
    Probe,
    Reason,
    Relay,
    Reply,
    Route,
    RouteKey,
)
from probe.core.reach import Reach
from probe.core.record import Bad, Record
from tests.core.detection.test_detector import CLOSED, N1, RELAY, TAKEN, World

PROBER = Component(Kind.PROBER)
TOO_MANY = replace(TAKEN, phase=Phase.MAIL, reply=Reply(421, "4.7.0", "Too many messages"))
NAMELESS = Attempt(
    (PhaseTime(Phase.DNS, 4.0),), Phase.DNS, ended=0.0, broken=Break.NAME_ERROR, detail="silent"
)


def healthy(until: int = 160, **told: object) -> World:
    """All is well, a probe a second."""
    world = World(**told)  # type: ignore[arg-type]
    world.follow()
    for moment in range(100, until):
        world.read(moment)
        world.came(world.sent(moment, node=f"n{moment % 3 + 1}"), moment)
        world.tick(moment + 0.5)
    return world


def probe(world: World, now: float, *, burst: bool, relay: str = "pool", node: str) -> Probe:
    """One that is launched now."""
    world._sequence += 1
    key = RouteKey(relay, node, "shop", "corp")
    one = Probe(world._sequence, key, now, now, "", 60.0, 600.0, confirmation=burst)
    world.detector.launched(one)
    return one


def answered(
    world: World, now: float, attempt: Attempt, *, burst: bool = False, node: str = "n1"
) -> None:
    """A probe, of a burst or not, that was refused."""
    one = probe(world, now, burst=burst, node=node)
    world.detector.entered(one.sequence, attempt.phase, now)
    reason = Reason.DNS_ERROR if attempt is NAMELESS else Reason.TEMP_REJECT
    world.detector.changed(Change(Record(one), (Judged(Bad(reason)),)))
    world.detector.attempted(one.sequence, replace(attempt, ended=now), "")


def others_work(world: World, now: float) -> None:
    """Probes come through the other nodes."""
    for node in ("n2", "n3"):
        world.came(world.sent(now + 0.1, node=node), now + 0.1)


# ---- a relay for which our bursts are too many


def test_a_relay_that_our_burst_is_too_much_for_is_well() -> None:
    world = healthy()
    for moment in range(160, 220):
        world.read(moment)
        answered(world, moment, TOO_MANY, burst=True)
        answered(world, moment + 0.1, TOO_MANY)
        world.tick(moment + 0.5)
    assert world.named == []


def test_a_relay_that_the_schedule_is_too_much_for_refuses() -> None:
    world = healthy()
    for moment in range(160, 220):
        world.read(moment)
        answered(world, moment, TOO_MANY)
        others_work(world, moment)
        world.tick(moment + 0.5)
    assert world.named == [N1]


def test_a_relay_that_was_seldom_asked_when_it_began_to_refuse_is_not_excused_by_bursts() -> None:
    """It refused the schedule before there was any burst, so those that follow are no cause."""
    world = healthy()
    for moment in range(160, 600):
        world.read(moment)
        if moment % 60 == 40:
            answered(world, moment, TOO_MANY, burst=moment % 120 != 40)
            others_work(world, moment)
        world.tick(moment + 0.5)
    assert world.named == [N1]


N2 = replace(N1, node="n2")


def rechecked(world: World, since: int, until: int, *, seldom: int) -> None:
    """A node is rechecked, closed as it is; meanwhile a second one refuses what is scheduled."""
    for moment in range(since, until):
        world.read(moment)
        if moment % 5 == 0:
            answered(world, moment, CLOSED, burst=True)
        if moment % seldom == 0:
            answered(world, moment + 0.1, TOO_MANY, node="n2")
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
        answered(world, moment, NAMELESS, node=f"n{moment % 3 + 1}")
        if alive and moment > 161:
            world.detector.resolved(moment, Reach.HOST)
        asked = world.tick(moment + 0.5).wonders or asked
    assert world.named == [RELAY if alive else PROBER]
    assert asked, "a resolver has to be asked before anybody is named"


def test_a_relay_by_name_is_not_named_for_a_dead_resolver_beside_one_by_address() -> None:
    world = World()
    world.keys.append(RouteKey("other", "192.0.2.1", "shop", "corp"))
    routes = [Route(key, 15.0, 60.0, 600.0) for key in world.keys]
    relays = {name: Relay(name, f"{name}.test", 25) for name in ("pool", "other")}
    world.detector.follow(routes, relays)
    for moment in range(100, 240):
        world.read(moment)
        one = probe(world, moment, burst=False, relay="other", node="192.0.2.1")
        world.detector.attempted(one.sequence, replace(TAKEN, ended=moment), "")
        world.came(Record(one, accepted=moment), moment)
        if moment < 160:
            world.came(world.sent(moment, node=f"n{moment % 3 + 1}"), moment)
        else:
            answered(world, moment + 0.2, NAMELESS, node=f"n{moment % 3 + 1}")
        world.tick(moment + 0.5)
        assert RELAY not in world.named
    assert world.named == [PROBER]


# ---- a mailbox that is slow to be read


def test_a_mailbox_whose_searches_take_ten_seconds_makes_nobody_guilty() -> None:
    """What it shows was there for a while, and nobody had looked."""
    world = healthy()
    waiting: list[Record] = []
    for moment in range(160, 300):
        waiting.append(world.sent(moment, node=f"n{moment % 3 + 1}"))
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
        answered(world, moment, replace(TOO_MANY, reply=Reply(550, "5.1.1", "no")))
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
        answered(world, moment, replace(TOO_MANY, reply=Reply(550, "5.1.1", "no")))
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
    put_off = [probe(world, 100.0 + n, burst=False, node=f"n{n % 3 + 1}") for n in range(12)]
    for one in put_off:
        world.detector.entered(one.sequence, Phase.RCPT, one.launched)
        world.detector.entered(one.sequence, None, one.launched + 0.1)
    for moment in range(112, 800, 2):
        world.read(moment)
        assert world.tick(moment + 0.5).wishes == ()
        assert world.named == []
    for one in put_off:
        world.detector.entered(one.sequence, Phase.CONNECT, 800.0)
        world.detector.attempted(one.sequence, replace(TAKEN, ended=800.0), "")
        world.came(Record(one, accepted=800.0), 800.1)
    world.tick(801.0)
    assert world.named == []
