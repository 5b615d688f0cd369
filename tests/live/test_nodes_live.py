"""Nodes follow the zone of a real name server, NSD on loopback."""

import asyncio
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.core.model import Node, NodePlan, Relay
from probe.edges.resolver import DnsResolver
from probe.edges.route import KernelRoutes
from probe.engine.inspector import Inspector
from probe.ports import ResolveFailure
from tests.hand_turned import HandTurnedClock

pytestmark = pytest.mark.live

RELAY = Relay("pool", "smtp.pool.test", 587, plan=NodePlan.A)

CONF = """
server:
    ip-address: 127.0.0.1
    port: {port}
    username: ""
    chroot: ""
    database: ""
    server-count: 1
    zonesdir: "{folder}"
    pidfile: "{folder}/pid"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    logfile: "{folder}/log"
remote-control:
    control-enable: no
zone:
    name: pool.test
    zonefile: pool.zone
"""

ZONE = """
$ORIGIN pool.test.
@ 3600 IN SOA ns admin {serial} 3600 600 86400 3600
@ 3600 IN NS ns
ns 3600 IN A 127.0.0.1
{records}
"""


class Nsd:
    """A private name server for pool.test, whose records a test rewrites."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.serial = folder, port, 1
        (folder / "nsd.conf").write_text(CONF.format(folder=folder, port=port))
        self.write("smtp 20 A 192.0.2.1")
        self.process = self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> "subprocess.Popen[bytes]":
        with (self.folder / "out").open("wb") as out:
            command = ["nsd", "-d", "-c", str(self.folder / "nsd.conf")]
            return subprocess.Popen(command, stdout=out, stderr=out)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def write(self, *records: str) -> None:
        self.serial += 1
        lines = "\n".join((*records, f"serial{self.serial} 1 A 127.0.0.1"))
        (self.folder / "pool.zone").write_text(ZONE.format(serial=self.serial, records=lines))

    async def publish(self, *records: str) -> None:
        """Returns when the server answers with these records."""
        self.write(*records)
        self.process.send_signal(signal.SIGHUP)
        await self.serving()

    async def serving(self) -> None:
        """Returns when the zone as it was last written is served."""
        resolver = DnsResolver([self.address])
        while True:
            try:
                if (await resolver.addresses(f"serial{self.serial}.pool.test")).addresses:
                    return
            except ResolveFailure:
                assert self.process.poll() is None, (self.folder / "log").read_text()
            await asyncio.sleep(0.02)


@pytest.fixture
def nsd(tmp_path: Path) -> Iterator[Nsd]:
    server = Nsd(tmp_path, free_port())
    yield server
    server.stop()


def free_port() -> int:
    """A port that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            return int(tcp.getsockname()[1])


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


async def test_nodes_follow_the_zone(nsd: Nsd) -> None:
    await nsd.serving()
    clock, told = HandTurnedClock(), Told()
    inspector = Inspector(
        [RELAY], DnsResolver([nsd.address]), told, routes=KernelRoutes(), clock=clock, metrics=told
    )
    async with asyncio.TaskGroup() as group:
        running = group.create_task(inspector.run(unheard))
        await clock.turn(0)
        assert told.nodes == ["192.0.2.1"]

        await nsd.publish("smtp 20 A 192.0.2.1", "smtp 20 A 192.0.2.2", "smtp 20 AAAA 2001:db8::1")
        await clock.turn(19)
        assert told.nodes == ["192.0.2.1"], "asked again before the TTL was over"
        await clock.turn(20)
        assert told.nodes == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]

        await nsd.publish("smtp 20 CNAME mx", "mx 20 A 192.0.2.2", "mx 20 AAAA 2001:db8::1")
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

        nsd.write("other 20 A 192.0.2.9")
        nsd.process = nsd.start()
        await nsd.serving()
        await clock.turn(300)
        assert inspector.trouble == {"pool": "smtp.pool.test has no addresses"}
        await clock.turn(464)
        assert told.nodes == ["192.0.2.2", "2001:db8::1"]
        await clock.turn(465)
        assert told.nodes == ["smtp.pool.test"], "gone for good: the name stands for itself"
        running.cancel()
