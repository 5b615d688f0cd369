"""The inspector looks names up when it should, and tells the roster what follows."""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace

import pytest

from probe.core.model import Node, Relay, TlsMode
from probe.core.node_plan import IpVersion, NodePlan
from probe.core.targets import MxRecord, Records, SrvRecord
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
        self.records: dict[str, Records | ResolveFailure] = {}
        self.asked: list[tuple[float, str]] = []

    async def mx(self, name: str) -> Records[MxRecord]:
        return await self._records(name)

    async def srv(self, name: str) -> Records[SrvRecord]:
        return await self._records(name)

    async def _records(self, name: str) -> Records:
        match self.records.get(name, Records((), 60)):
            case ResolveFailure() as failure:
                raise failure
            case records:
                return records

    async def addresses(self, name: str) -> Addresses:
        self.asked.append((self.clock.now(), name))
        match self.answers.get(name, Addresses((), 60)):
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
        self.unrouted: tuple[str, ...] = ()  # How addresses begin that there is no route to.
        self.inspector = Inspector(
            tuple(relays), self.resolver, self, routes=self, clock=self.clock, metrics=self
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

    def reaches(self, address: str, source: str | None) -> bool:
        return not address.startswith(self.unrouted) if self.unrouted else True

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


class TestIpVersion:
    async def test_auto_leaves_out_what_has_no_route_and_says_so_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        world = World(smtp_test=answer(A, C))
        world.unrouted = ("2001:",)
        async with world:
            await world.clock.turn(600)
            assert world.told == ["+192.0.2.1"]
            assert world.inspector.trouble == {}
        text = "Relay 'pool': IPv6 is left out: there is no route to its addresses."
        assert [record.getMessage() for record in caplog.records] == [text]

    async def test_a_route_that_comes_brings_the_nodes_and_one_that_goes_keeps_them(self) -> None:
        world = World(smtp_test=answer(A, C))
        world.unrouted = ("2001:",)
        async with world:
            world.unrouted = ()
            await world.clock.turn(60)
            assert world.told == ["+192.0.2.1", "+2001:db8::3"]
            world.unrouted = ("2001:", "192.")
            await world.clock.turn(6000)
            assert world.told == ["+192.0.2.1", "+2001:db8::3"], "an outage retires nobody"

    async def test_without_any_route_nothing_is_left_out(self) -> None:
        world = World(smtp_test=answer(A, C))
        world.unrouted = ("",)
        async with world:
            assert world.told == ["+192.0.2.1", "+2001:db8::3"]

    async def test_what_is_not_wanted_is_no_node_and_no_trouble(self) -> None:
        six = replace(POOL, ip_version=IpVersion.SIX)
        async with World([six], smtp_test=answer(A, C)) as world:
            assert world.told == ["+2001:db8::3"]
            world.answer(C, silent={4})
            await world.clock.turn(60)
            assert world.inspector.trouble == {}
            world.answer(A)
            await world.clock.turn(120)
            text = "smtp.test has only addresses that are left out"
            assert world.inspector.trouble == {"pool": text}


class TestRecords:
    MX = replace(POOL, host="pool.test", port=25, plan=NodePlan.MX)
    SRV = replace(MX, plan=NodePlan.SRV)

    async def test_without_mx_records_the_name_is_its_own_host(self) -> None:
        async with World([self.MX], pool_test=answer(A)) as world:
            assert world.nodes == [Node("pool", "pool.test", A, 25, tls_name="pool.test")]

    async def test_a_null_mx_is_trouble_and_its_probes_fail(self) -> None:
        world = World([self.MX], pool_test=answer(A))
        world.resolver.records["pool.test"] = Records((MxRecord(0, ""),), 60)
        async with world:
            assert world.nodes == [Node("pool", "pool.test", "", 25)]
            text = "pool.test accepts no mail (null MX, RFC 7505)"
            assert world.inspector.trouble == {"pool": text}
            assert world.successes == []

    async def test_a_host_that_does_not_resolve_is_trouble_and_keeps_its_nodes(self) -> None:
        world = World([self.MX], mx1_test=answer(A), mx2_test=answer(B))
        hosts = (MxRecord(10, "mx1.test"), MxRecord(20, "mx2.test"))
        world.resolver.records["pool.test"] = Records(hosts, 60)
        async with world:
            assert world.told == ["+mx1.test", "+mx2.test"]
            world.resolver.answers["mx2.test"] = ResolveFailure("mx2.test: SERVFAIL")
            await world.clock.turn(3000)
            assert world.told == ["+mx1.test", "+mx2.test"]
            assert world.inspector.trouble == {"pool": "mx2.test: SERVFAIL"}
            world.resolver.records["pool.test"] = ResolveFailure("the MX records: SERVFAIL")
            await world.clock.turn(6000)
            assert world.told == ["+mx1.test", "+mx2.test"]

    async def test_submission_is_asked_for_where_submissions_is_not_offered(self) -> None:
        world = World([self.SRV], mx1_test=answer(A))
        records = world.resolver.records
        records["_submissions._tcp.pool.test"] = Records((SrvRecord(0, 0, 0, ""),), 60)
        records["_submission._tcp.pool.test"] = Records((SrvRecord(0, 1, 5870, "mx1.test"),), 60)
        async with world:
            (node,) = world.nodes
            assert (node.name, node.host, node.port) == ("mx1.test", A, 5870)
            assert (node.tls_name, node.tls) == ("mx1.test", TlsMode.STARTTLS)
            records["_submissions._tcp.pool.test"] = Records(
                (SrvRecord(0, 1, 4650, "mx1.test"),), 60
            )
            await world.clock.turn(60)
            (node,) = world.nodes
            assert (node.port, node.tls) == (4650, TlsMode.IMPLICIT)

    async def test_no_service_at_all_is_trouble_and_its_probes_fail(self) -> None:
        async with World([self.SRV], pool_test=answer(A)) as world:
            assert world.nodes == [Node("pool", "pool.test", "", 25)]
            text = "pool.test offers no submission (SRV, RFC 6186)"
            assert world.inspector.trouble == {"pool": text}


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
