"""One configuration takes the place of another: what goes on, what ends, what begins."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from probe.core.allowance import Limits, RelayLimits
from probe.core.model import Loop, Node, Relay, Route, RouteKey
from probe.core.node_plan import NodePlan
from probe.engine.courier import Line
from probe.engine.crew import Crew
from probe.engine.inspector import Inspector
from probe.engine.roster import Roster
from probe.engine.sender import Sender
from probe.engine.supervisor import Beat, Supervisor
from probe.engine.throttle import Throttle
from probe.ports import Addresses
from tests.engine.test_courier import World
from tests.engine.world import (
    ACCEPTED,
    KEY,
    LOGIN_REFUSED,
    NODE,
    RELAY,
    ROUTE,
    FakeMetrics,
    FakeSubmitter,
)
from tests.hand_turned import HandTurnedClock, settle
from tests.secret import FixedSecret

OTHER = Node("pool", "n2", "192.0.2.12", 25)


@dataclass(frozen=True)
class Waits:
    interval: float = 15.0
    deadline: float = 60.0
    give_up: float = 3600.0


# ---- routes


class Told:
    """A sender that only remembers what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, route: Route, node: Node) -> None:
        self.said.append(f"+{route.key} {route.interval:g}")

    def remove(self, key: RouteKey) -> None:
        self.said.append(f"-{key}")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def roster(told: Told) -> Roster:
    world = World([ACCEPTED])
    plans = {("pool", "shop", "corp"): Waits()}
    roster = Roster(
        plans,
        throttle=Throttle(Limits(), world.clock),
        sender=told,
        books=world.books,
        metrics=world.metrics,
    )
    roster.joined(NODE)
    told.said.clear()
    return roster


def test_the_same_plans_change_nothing(roster: Roster, told: Told) -> None:
    roster.follow({("pool", "shop", "corp"): Waits()}, Limits())
    roster.joined(NODE)
    assert told.said == []


def test_another_interval_is_told(roster: Roster, told: Told) -> None:
    roster.follow({("pool", "shop", "corp"): Waits(interval=30)}, Limits())
    assert told.said == [f"+{KEY} 30"]


def test_a_combination_that_goes_and_one_that_comes(roster: Roster, told: Told) -> None:
    roster.follow({("pool", "shop", "more"): Waits()}, Limits())
    assert told.said == [f"-{KEY}", f"+{replace(KEY, mailbox='more')} 15"]
    assert not roster.known(KEY)
    roster.follow({}, Limits())
    assert told.said[2:] == [f"-{replace(KEY, mailbox='more')}"]
    assert roster.nodes == (NODE,)


def test_other_limits_are_told(roster: Roster, told: Told) -> None:
    roster.follow({("pool", "shop", "corp"): Waits()}, Limits({"pool": RelayLimits(per_minute=1)}))
    assert [float(said.split()[-1]) for said in told.said] == [pytest.approx(60 / 0.99, abs=0.1)]
    roster.follow({("pool", "shop", "corp"): Waits()}, Limits())
    assert told.said[1:] == [f"+{KEY} 15"]


async def test_a_route_keeps_what_is_running_when_its_interval_changes() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(replace(ROUTE, interval=100.0), NODE)
    async with running(sender):
        for _ in range(4):
            await slot(world, sender, 100.0)
        assert len(world.submitter.letters) == 4
        sender.add(replace(ROUTE, interval=10.0), NODE)
        await slot(world, sender, 10.0)
        assert world.metrics.count("skipped", KEY, "overlap") == 1, "four are under way"
        assert world.metrics.count("scheduled", KEY) == 5


async def slot(world: World, sender: Sender, interval: float) -> None:
    world.clock.moment += interval
    sender._changed.set()
    await settle()


@asynccontextmanager
async def running(sender: Sender) -> AsyncIterator[None]:
    task = asyncio.create_task(sender.run(lambda: None))
    await settle()
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---- submissions


def successor(world: World, password: FixedSecret | None = None) -> FakeSubmitter:
    """Another way to the relay, which takes everything; the world's courier is by it now."""
    submitter = FakeSubmitter(world.clock, [ACCEPTED])
    world.courier = world.courier_by(Line(RELAY, submitter, password), world.courier)
    return submitter


async def test_what_is_under_way_ends_with_its_submitter_and_the_next_takes_the_new_one() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(ROUTE, NODE)
    async with running(sender):
        await slot(world, sender, ROUTE.interval)
        other = successor(world)
        sender.follow(world.courier)
        await slot(world, sender, ROUTE.interval)
        assert (len(world.submitter.letters), len(other.letters)) == (1, 1)
        world.submitter.gate.set()
        await settle()
    assert world.metrics.count("sent", KEY) == world.metrics.count("scheduled", KEY) == 2


async def test_what_waits_for_a_login_is_left_to_the_successor() -> None:
    password = FixedSecret()
    world = World([LOGIN_REFUSED], password)
    world.submitter.gate = asyncio.Event()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(ROUTE, NODE)
    async with running(sender):
        for _ in range(4):  # Three log in, the fourth waits for what they learn.
            await slot(world, sender, ROUTE.interval)
        assert len(world.submitter.letters) == 3
        other = successor(world, FixedSecret("right"))
        sender.follow(world.courier)
        world.submitter.gate.set()
        await settle()
        assert len(world.submitter.letters) == 3, "nothing is begun any more"
        assert len(other.letters) == 1
    assert world.metrics.count("scheduled", KEY) == 4
    assert world.metrics.count("skipped", KEY) == 0


async def test_what_waits_for_its_turn_is_left_to_the_successor_and_counts_once() -> None:
    world = World([ACCEPTED], limits=Limits({"pool": RelayLimits(per_day=5, connections=1)}))
    world.submitter.gate = asyncio.Event()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(ROUTE, NODE)
    async with running(sender):
        for _ in range(2):  # The second waits for the connection of the first.
            await slot(world, sender, ROUTE.interval)
        other = successor(world)
        sender.follow(world.courier)
        world.throttle.follow(Limits({"pool": RelayLimits(per_day=2)}))
        await settle()
        assert (len(world.submitter.letters), len(other.letters)) == (1, 1)
        world.submitter.gate.set()
        await slot(world, sender, ROUTE.interval)
    assert world.metrics.count("sent", KEY) == 2
    assert world.metrics.count("skipped", KEY, "rate_limit") == 1, "what was sent still counts"


async def test_a_reload_does_not_make_a_locked_out_login_be_tried_again() -> None:
    password = FixedSecret("wrong")
    world = World([LOGIN_REFUSED], password)
    await world.carry(times=5)
    same = successor(world, password)
    await world.carry()
    assert same.letters == []
    right = successor(world, FixedSecret("right"))
    await world.carry()
    assert len(right.letters) == 1


# ---- nodes


class Names:
    """A resolver that counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def addresses(self, name: str) -> Addresses:
        self.asked += 1
        await self.gate.wait()
        return Addresses(("192.0.2.1",), 60)

    def reaches(self, address: str, source: str | None) -> bool:
        return True


class Nodes:
    def __init__(self) -> None:
        self.told: list[str] = []

    def joined(self, node: Node) -> None:
        self.told.append(node.name)

    def retired(self, node: Node) -> None:
        self.told.append(f"-{node.name}")


BY_NAME = Relay("pool", "smtp.test", 25, plan=NodePlan.A)


def an_inspector(
    relay: Relay, names: Names, nodes: Nodes, former: Inspector | None = None
) -> Inspector:
    return Inspector(
        [relay],
        names,
        nodes,
        routes=names,
        clock=HandTurnedClock(),
        metrics=FakeMetrics(),
        former=former,
    )


async def inspect(inspector: Inspector) -> None:
    task = asyncio.create_task(inspector.run(lambda: None))
    await settle()
    task.cancel()
    await asyncio.wait({task})


async def test_a_name_that_is_still_asked_for_is_not_asked_anew() -> None:
    names, nodes = Names(), Nodes()
    former = an_inspector(BY_NAME, names, nodes)
    await inspect(former)
    following = an_inspector(replace(BY_NAME, helo="other"), names, nodes, former)
    await inspect(following)
    assert (names.asked, nodes.told) == (1, ["192.0.2.1"])
    assert following.nodes == former.nodes == {Node("pool", "192.0.2.1", "192.0.2.1", 25)}


async def test_another_name_is_asked_for_and_its_nodes_are_others() -> None:
    names, nodes = Names(), Nodes()
    former = an_inspector(BY_NAME, names, nodes)
    await inspect(former)
    following = an_inspector(replace(BY_NAME, port=26), names, nodes, former)
    assert following.nodes == frozenset()
    await inspect(following)
    assert names.asked == 2


async def test_a_lookup_that_outlives_its_inspector_tells_nobody() -> None:
    names, nodes = Names(), Nodes()
    former = an_inspector(BY_NAME, names, nodes)
    names.gate.clear()
    task = asyncio.create_task(former.run(lambda: None))
    await settle()
    an_inspector(replace(BY_NAME, host="other.test"), names, nodes, former)
    names.gate.set()
    await settle()
    assert nodes.told == []
    task.cancel()


# ---- loops


async def test_a_loop_that_is_replaced_has_ended_before_the_next_begins() -> None:
    steps: list[str] = []
    leave = asyncio.Event()

    async def first(_: Beat) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await leave.wait()
            steps.append("first ended")

    async def second(_: Beat) -> None:
        steps.append("second began")
        await asyncio.Event().wait()

    async with asyncio.TaskGroup() as group:
        crew = Crew(group, Supervisor(clock=HandTurnedClock(), metrics=FakeMetrics()))
        crew.start(Loop.WATCHER, "corp inbox", first)
        await settle()
        crew.start(Loop.WATCHER, "corp inbox", second)
        await settle()
        crew.start(Loop.WATCHER, "corp inbox", second)
        await settle()
        assert steps == []
        leave.set()
        await settle()
        assert steps == ["first ended", "second began"]
        crew.dismiss()
        crew.start(Loop.WATCHER, "late", second)
    assert steps == ["first ended", "second began"]
