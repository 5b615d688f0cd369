"""Every route has the interval that the limits leave to it, however nodes come and go."""

import asyncio
from itertools import pairwise

import pytest

from probe.core.allowance import Limits, RelayLimits
from probe.core.ledger import Ledger
from probe.core.model import Node, Route, RouteKey
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.roster import Roster
from probe.engine.sender import Sender
from probe.engine.throttle import Throttle
from tests.engine.world import FakeJournal, FakeMetrics
from tests.hand_turned import HandTurnedClock, settle

PLAN = Route(RouteKey("", "", "", ""), 10.0, 60.0, 3600.0)
NODES = [Node("pool", name, "127.0.0.1", 25) for name in ("n1", "n2", "n3")]


class Carrier:
    """A courier that remembers what it was given, and takes no time."""

    def __init__(self, clock: HandTurnedClock) -> None:
        self.clock = clock
        self.carried: list[tuple[str, float]] = []
        self.gate: asyncio.Event | None = None

    async def carry(self, route: Route, node: Node, slot: float) -> None:
        self.carried.append((node.name, slot))
        if self.gate is not None:
            await self.gate.wait()


class World:
    def __init__(self, limits: Limits) -> None:
        self.clock, self.metrics = HandTurnedClock(1000.0), FakeMetrics()
        self.intervals: dict[str, float] = {}
        self.metrics.add_route = self._see  # type: ignore[attr-defined]
        self.carrier = Carrier(self.clock)
        self.sender = Sender(self.carrier, metrics=self.metrics, clock=self.clock)  # type: ignore[arg-type]
        self.throttle = Throttle(limits, self.clock)
        sights = {"corp": Sight(frozenset({"inbox"}), 0.0, None)}
        books = Books(Ledger(sights), journal=FakeJournal(), metrics=self.metrics, clock=self.clock)
        self.roster = Roster(
            {("pool", "shop", "corp"): PLAN},
            throttle=self.throttle,
            sender=self.sender,
            books=books,
            metrics=self.metrics,
        )

    def _see(self, route: Route) -> None:
        self.intervals[route.key.node] = route.interval

    async def turn(self, seconds: float, step: float = 0.5) -> None:
        """Let the sender see so much time go by."""
        end = self.clock.moment + seconds
        while self.clock.moment < end:
            self.clock.moment += step
            self.sender._changed.set()
            await settle(6)


def test_every_node_that_joins_makes_room_and_every_one_that_goes_gives_it_back() -> None:
    world = World(Limits({"pool": RelayLimits(per_minute=6)}))
    seen = []
    for node in NODES:
        world.roster.joined(node)
        seen.append(dict(world.intervals))
    assert seen == [
        {"n1": pytest.approx(10 / 0.99)},
        dict.fromkeys(("n1", "n2"), pytest.approx(20 / 0.99)),
        dict.fromkeys(("n1", "n2", "n3"), pytest.approx(30 / 0.99)),
    ]
    world.roster.retired(NODES[2])
    assert world.intervals["n1"] == pytest.approx(20 / 0.99)


def test_without_limits_a_node_that_joins_changes_nobody_else() -> None:
    world = World(Limits())
    for node in NODES:
        world.intervals.clear()
        world.roster.joined(node)
        assert world.intervals == {node.name: 10.0}


def test_a_mailbox_that_is_found_to_be_limited_stretches_what_is_in_force() -> None:
    world = World(Limits())
    world.roster.joined(NODES[0])
    world.roster.limit_mailbox("corp", 2000)
    assert world.intervals["n1"] == pytest.approx(43.2 / 0.99)
    assert world.throttle.limits.mailboxes == {"corp": 2000}


async def test_slots_keep_to_one_grid_while_intervals_change_and_nodes_come_back() -> None:
    world = World(Limits({"pool": RelayLimits(per_minute=6)}))
    world.roster.joined(NODES[0])
    running = asyncio.create_task(world.sender.run(lambda: None))
    await world.turn(60)
    assert 5 <= len(world.carrier.carried) <= 6
    for _ in range(3):  # A node that comes back before its old slot was due.
        world.roster.joined(NODES[1])
        world.roster.retired(NODES[1])
    world.roster.joined(NODES[1])
    world.carrier.carried.clear()
    await world.turn(200)
    assert not running.done(), "the loop goes on"
    by_node = {
        name: [slot for node, slot in world.carrier.carried if node == name]
        for name in ("n1", "n2")
    }
    for slots in by_node.values():
        steps = {round(b - a, 6) for a, b in pairwise(slots)}
        assert steps == {round(20 / 0.99, 6)}, "one slot in each interval, none twice"
    running.cancel()
    await asyncio.wait({running})


async def test_what_is_running_still_counts_when_the_interval_changes() -> None:
    world = World(Limits())
    world.carrier.gate = asyncio.Event()
    world.roster.joined(NODES[0])
    running = asyncio.create_task(world.sender.run(lambda: None))
    await world.turn(30)
    world.roster.limit_mailbox("corp", 8000)
    await world.turn(60)
    assert len(world.carrier.carried) == 4, "never more than the overlap that is allowed"
    world.carrier.gate.set()
    await world.turn(60)
    assert len(world.carrier.carried) > 4
    running.cancel()
    await asyncio.wait({running})
