"""The inspector looks names up when it should, and tells the roster what follows."""

import asyncio
import logging
from collections.abc import Iterable

import pytest

from probe.core.model import Node, NodePlan, Relay
from probe.engine.inspector import TURN, Inspector
from probe.ports import Addresses, ResolveFailure
from tests.hand_turned import HandTurnedClock

POOL = Relay("pool", "smtp.test", 587, plan=NodePlan.A)
STAND_IN = "smtp.test"
A, B, C = "192.0.2.1", "192.0.2.2", "2001:db8::3"

Script = Addresses | ResolveFailure


class ScriptedResolver:
    """Answers what it is told to, and remembers when it was asked."""

    def __init__(self, clock: HandTurnedClock, **answers: Script) -> None:
        self.clock = clock
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked: list[tuple[float, str]] = []

    async def addresses(self, name: str) -> Addresses:
        self.asked.append((self.clock.now(), name))
        match self.answers[name]:
            case ResolveFailure() as failure:
                raise failure
            case answer:
                return answer


class World:
    """An inspector at work, and everything that it says."""

    def __init__(self, relays: Iterable[Relay] = (POOL,), **answers: Script) -> None:
        self.clock = HandTurnedClock(offset=1000.0)
        self.resolver = ScriptedResolver(self.clock, **answers)
        self.nodes: list[Node] = []
        self.told: list[str] = []
        self.successes: list[tuple[str, float]] = []
        self.beats: list[float] = []
        self.inspector = Inspector(
            tuple(relays), self.resolver, self, clock=self.clock, metrics=self
        )

    def joined(self, node: Node) -> None:
        assert node not in self.nodes
        self.nodes.append(node)
        self.told.append(f"+{node.name}")

    def retired(self, node: Node) -> None:
        self.nodes.remove(node)
        self.told.append(f"-{node.name}")

    def resolved(self, relay: str, when: float) -> None:
        self.successes.append((relay, when))

    def beat(self) -> None:
        self.beats.append(self.clock.now())

    def answer(self, *addresses: str, ttl: float = 60, silent: Iterable[int] = ()) -> None:
        self.resolver.answers["smtp.test"] = Addresses(addresses, ttl, frozenset(silent))

    def fail(self, text: str = "no server answered") -> None:
        self.resolver.answers["smtp.test"] = ResolveFailure(text)

    async def __aenter__(self) -> "World":
        self.running = asyncio.create_task(self.inspector.run(self.beat))
        await self.clock.turn(self.clock.now())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.running


def answer(*addresses: str, ttl: float = 60) -> Addresses:
    return Addresses(addresses, ttl)


async def test_addresses_join_are_looked_up_at_their_ttl_and_retire_by_the_rule() -> None:
    async with World(smtp_test=answer(A, B, ttl=60)) as world:
        assert world.told == ["+192.0.2.1", "+192.0.2.2"]
        world.answer(A, C)
        await world.clock.turn(59)
        assert len(world.resolver.asked) == 1
        await world.clock.turn(60)
        assert world.told[2:] == ["+2001:db8::3"]
        await world.clock.turn(659)
        assert world.told[3:] == []
        await world.clock.turn(660)
        assert world.told[3:] == ["-192.0.2.2"]


async def test_a_failure_keeps_the_nodes_and_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with World(smtp_test=answer(A)) as world:
        caplog.clear()
        world.fail("127.0.0.1@53 said: SERVFAIL")
        await world.clock.turn(60)
        assert world.inspector.trouble == {"pool": "127.0.0.1@53 said: SERVFAIL"}
        world.fail("127.0.0.1@53 said: REFUSED")
        await world.clock.turn(3000)
        assert world.inspector.trouble == {"pool": "127.0.0.1@53 said: REFUSED"}
        assert [moment for moment, _ in world.resolver.asked][1:6] == [60, 65, 75, 95, 125]
        assert world.told == ["+192.0.2.1"]
        world.answer(A)
        await world.clock.turn(3030)
        assert world.inspector.trouble == {}
    assert [record.getMessage() for record in caplog.records] == [
        "Relay 'pool': 127.0.0.1@53 said: SERVFAIL; the nodes stay as they are.",
        "Relay 'pool': smtp.test resolves again.",
    ]


async def test_only_answers_with_addresses_count_as_resolved() -> None:
    async with World(smtp_test=answer(A)) as world:
        world.fail()
        await world.clock.turn(100)
        world.answer()
        await world.clock.turn(130)
        assert world.inspector.trouble == {"pool": "smtp.test has no addresses"}
        assert world.successes == [("pool", 1000)]


async def test_half_an_answer_is_trouble_and_a_success() -> None:
    async with World(smtp_test=answer(A, C)) as world:
        world.answer(A, silent={6})
        await world.clock.turn(4000)
        assert world.told == ["+192.0.2.1", "+2001:db8::3"]
        text = "no server says which IPv6 addresses smtp.test has"
        assert world.inspector.trouble == {"pool": text}
        assert world.successes[-1][1] > 4900


async def test_a_name_that_never_resolved_is_probed_by_name_until_it_does() -> None:
    async with World(smtp_test=ResolveFailure("no")) as world:
        assert world.nodes == [Node("pool", STAND_IN, STAND_IN, 587)]
        world.answer(A)
        await world.clock.turn(5)
        assert world.told == ["+smtp.test", "+192.0.2.1", "-smtp.test"]


async def test_too_many_addresses_are_one_node_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with World(smtp_test=answer(*(f"192.0.2.{n}" for n in range(1, 34)))) as world:
        assert world.told == ["+smtp.test"]
    assert "it has 33 addresses, more than 32; it is one node for now." in caplog.text


async def test_other_plans_join_at_once_and_are_never_looked_up() -> None:
    single = Relay("single", "one.test", 25)
    listed = Relay("listed", "two.test", 25, plan=NodePlan.LIST)
    nodes = (Node("listed", "node1", A, 25), Node("listed", "node2", "b.test", 26))
    listed = Relay("listed", "two.test", 25, plan=NodePlan.LIST, listed=nodes)
    async with World([single, listed]) as world:
        await world.clock.turn(4000)
        assert world.nodes == [Node("single", "one.test", "one.test", 25), *nodes]
        assert world.resolver.asked == []


async def test_the_loop_turns_often_whatever_the_ttl() -> None:
    async with World(smtp_test=answer(A, ttl=86400)) as world:
        await world.clock.turn(8000)
        gaps = [b - a for a, b in zip(world.beats, world.beats[1:], strict=False)]
        assert max(gaps) <= TURN
        assert [moment for moment, _ in world.resolver.asked] == [0, 3600, 7200]


async def test_each_relay_has_its_own_times_and_a_failure_of_one_is_its_own() -> None:
    other = Relay("other", "other.test", 25, plan=NodePlan.A)
    answers = {"smtp_test": ResolveFailure("no"), "other_test": answer(B, ttl=40)}
    async with World([POOL, other], **answers) as world:
        await world.clock.turn(90)
        assert [moment for moment, name in world.resolver.asked if name == "other.test"] == [
            0,
            40,
            80,
        ]
        assert list(world.inspector.trouble) == ["pool"]


async def test_run_again_it_goes_on_where_it_was() -> None:
    world = World([POOL, Relay("single", "one.test", 25)], smtp_test=answer(A))
    async with world:
        pass
    async with world:
        await world.clock.turn(60)
    assert world.told == ["+one.test", "+192.0.2.1"]
    assert len(world.resolver.asked) == 2
