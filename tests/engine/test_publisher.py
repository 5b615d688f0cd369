"""The gauges are true, and the steps of our own clock are watched."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from probe.core.learned import MEMORY
from probe.core.model import Phase, PhaseTime
from probe.core.node_plan import NodePlan
from probe.engine import publisher
from probe.engine.learner import Learner
from probe.engine.publisher import PRUNING, Publisher
from probe.engine.roster import LINGER
from tests.engine.test_roster import World as RosterWorld
from tests.engine.world import ACCEPTED, KEY, NODE, RELAY
from tests.hand_turned import settle


class FakeDesk:
    conflict = False


class World(RosterWorld):
    """A publisher that is turned by hand; `steps` is what the wall clock does."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[float] = []
        self.shifted: list[float] = []
        self.pruned: list[float] = []
        self.journal.shift = self.shifted.append
        self.journal.prune = self.pruned.append
        balancer = replace(RELAY, name="other", plan=NodePlan.GREETING)
        self.learner = Learner([balancer], books=self.books, metrics=self.metrics, clock=self.clock)
        self.publisher = Publisher(
            books=self.books,
            desk=FakeDesk(),
            roster=self.roster,
            learner=self.learner,
            overview=self.overview,
            journal=self.journal,
            metrics=self.metrics,
            clock=self.clock,
            step=lambda: self.steps.pop(0) if self.steps else 0.0,
        )

    async def turn(self, times: int = 1) -> None:
        """So many turns; each one begins anew, that nobody has to wait for its pause."""
        for _ in range(times):
            task = asyncio.create_task(self.publisher.run(lambda: None))
            await settle(3)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_a_step_of_the_wall_clock_moves_what_is_stored_and_judges_nobody() -> None:
    world = World()
    world.roster.joined(NODE)
    world.accept(1, 1000.0)
    world.steps = [0.0, -7200.0, 0.0, 3.5]
    await world.turn(4)
    assert world.shifted == [-7200.0, 3.5]
    world.books.tick()
    assert world.metrics.count("judged") == world.metrics.count("unknown") == 0


async def test_many_small_steps_are_one_at_last() -> None:
    world = World()
    world.steps = [0.4] * 5
    await world.turn(5)
    assert [round(step, 3) for step in world.shifted] == [1.2]


async def test_the_account_is_shown_as_it_is_and_a_retired_route_as_long_as_it_has_one() -> None:
    world = World()
    world.roster.joined(NODE)
    world.launch(1, 1000.0)
    world.publisher.publish()
    assert world.metrics.count("level", KEY) == 1
    world.roster.retired(NODE)
    await world.turn()
    world.publisher.publish()
    assert world.metrics.count("level", KEY) == 2
    world.books.post(world.ledger.abandoned(1))
    await world.turn()
    world.clock.moment += LINGER
    await world.turn()
    world.publisher.publish()
    assert world.metrics.count("level", KEY) == 2
    assert world.metrics.count("forget_route", KEY) == 1
    assert world.metrics.count("forget_route", KEY) == 1


async def test_the_journal_is_pruned_now_and_then() -> None:
    world = World()
    await world.turn(2)
    assert world.pruned == []
    world.clock.moment += PRUNING
    await world.turn(2)
    assert world.pruned == [world.clock.moment]
    assert publisher.TURN < PRUNING


async def test_what_is_known_of_nodes_does_not_depend_on_whether_anybody_looks() -> None:
    world = World()
    greeted = replace(ACCEPTED, phases=(PhaseTime(Phase.EHLO, 0.1),), greeting_host="mx1.test")
    world.learner.node_of(replace(NODE, relay="other"), greeted)
    world.clock.moment += MEMORY + 1
    await world.turn()
    assert not world.learner.nodes
