"""Nodes follow the zone of a real name server, NSD on loopback."""

import asyncio

from probe.core.model import Node, NodePlan, Relay
from probe.edges.resolver import DnsResolver
from probe.edges.route import KernelRoutes
from probe.engine.inspector import Inspector
from tests.hand_turned import HandTurnedClock
from tests.live.world import Nsd, World

ZONE = "pool.test"
RELAY = Relay("pool", "smtp.pool.test", 587, plan=NodePlan.A)


class Told:
    """The roster and the metrics of the test."""

    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.successes = 0

    def joined(self, node: Node) -> None:
        self.nodes.append(node.name)

    def retired(self, node: Node) -> None:
        self.nodes.remove(node.name)

    def resolved(self, relay: str, when: float) -> None:
        self.successes += 1


def unheard() -> None:
    """Heartbeats are another test's subject."""


async def test_nodes_follow_the_zone(world: World) -> None:
    nsd = world.run(Nsd(world, {ZONE: "smtp 20 A 192.0.2.1"}))
    clock, told = HandTurnedClock(), Told()
    inspector = Inspector(
        [RELAY],
        DnsResolver([f"{nsd.address}:{nsd.port}"]),
        told,
        routes=KernelRoutes(),
        clock=clock,
        metrics=told,
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(inspector.run(unheard))
        await clock.turn(0)
        assert told.nodes == ["192.0.2.1"]

        nsd.publish(ZONE, "smtp 20 A 192.0.2.1\nsmtp 20 A 192.0.2.2\nsmtp 20 AAAA 2001:db8::1")
        await clock.turn(19)
        assert told.nodes == ["192.0.2.1"], "asked again before the TTL was over"
        await clock.turn(20)
        assert told.nodes == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]

        nsd.publish(ZONE, "smtp 20 CNAME mx\nmx 20 A 192.0.2.2\nmx 20 AAAA 2001:db8::1")
        await clock.turn(40)
        await clock.turn(239)
        assert "192.0.2.1" in told.nodes, "retired before it was gone for ten TTLs"
        await clock.turn(240)
        assert told.nodes == ["192.0.2.2", "2001:db8::1"]
        assert inspector.trouble == {}

        nsd.stop()
        successes = told.successes
        await clock.turn(261)
        assert "said: " in inspector.trouble["pool"]
        assert (told.nodes, told.successes) == (["192.0.2.2", "2001:db8::1"], successes)

        nsd.publish(ZONE, "other 20 A 192.0.2.9")
        nsd.start()
        await clock.turn(300)
        assert inspector.trouble == {"pool": "smtp.pool.test has no addresses"}
        await clock.turn(464)
        assert told.nodes == ["192.0.2.2", "2001:db8::1"]
        await clock.turn(465)
        assert told.nodes == ["smtp.pool.test"], "gone for good: the name stands for itself"
        running.cancel()
