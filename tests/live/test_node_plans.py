"""Nodes behind MX and SRV records, and behind a load balancer, on real servers."""

from __future__ import annotations

import asyncio
import itertools
import re
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing, suppress

import pytest

from probe.core.model import TlsMode
from tests.live.prober import Prober, configuration, relay
from tests.live.world import (
    DOMAINS,
    LOOPBACK,
    Certificate,
    CertificateAuthority,
    Dovecot,
    Nsd,
    Pool,
    Postfix,
    World,
)

pytestmark = pytest.mark.timeout(180)

FIRST, SECOND, THIRD, FOURTH = (f"127.0.0.{n}" for n in range(31, 35))
RECORDS = f"""
@ MX 10 mx1
@ MX 20 mx2
mx1 A {FIRST}
mx1 A {SECOND}
mx2 A {THIRD}
mx2 AAAA fe80::1
_submissions._tcp SRV 0 1 {{port}} sub
sub A {FOURTH}
"""


def test_hosts_that_records_name_are_each_verified_by_their_own_name(
    world: World, authority: CertificateAuthority
) -> None:
    mail = Hosts(world, authority)
    prober = world.run(Prober(world, mail.configuration(authority)))
    expected = {
        ("mx", f"mx1.mail.test/{FIRST}"),
        ("mx", f"mx1.mail.test/{SECOND}"),
        ("mx", "mx2.mail.test"),
        ("srv", "sub.mail.test"),
    }

    def all_deliver() -> bool:
        found = prober.scrape().samples("mailprobe_delivered_total", folder="inbox")
        return {(k["relay"], k["node"]) for k, count in found if count >= 2} == expected

    prober.expect(all_deliver, "two probes through each node have arrived")
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
    ends = {
        (k["relay"], k["node"]): value
        for k, value in scrape.samples("mailprobe_tls_certificate_not_after_timestamp_seconds")
    }
    assert ends.keys() == expected and all(ends.values())
    left_out = "IPv6 is left out: there is no route to its addresses."
    assert prober.log.read_text().count(left_out) == 1

    mail.nsd.publish("mail.test", f"{mail.zone}\n@ MX 30 mx3\nmx3 A {THIRD}")

    def mistaken() -> bool:
        failures = prober.scrape().samples("mailprobe_probe_failures_total", reason="tls_error")
        return {k["node"] for k, count in failures if count} == {"mx3.mail.test"}

    prober.expect(mistaken, "a host that shows another's certificate fails, and no other does")


class Hosts:
    """Four Postfix, whose hosts are named by records in a zone, and one Dovecot."""

    def __init__(self, world: World, authority: CertificateAuthority) -> None:
        self.dovecot = world.run(Dovecot(world))
        self.port = world.port(FIRST, SECOND, THIRD, FOURTH)
        first, second, direct = (
            authority.issue(f"{name}.mail.test") for name in ("mx1", "mx2", "sub")
        )
        self.nodes = [
            self._node(world, FIRST, first),
            self._node(world, SECOND, first),
            self._node(world, THIRD, second),
            self._node(world, FOURTH, direct, TlsMode.IMPLICIT),
        ]
        self.zone = RECORDS.format(port=self.port)
        self.nsd = world.run(Nsd(world, {"mail.test": self.zone}))

    def _node(
        self,
        world: World,
        address: str,
        certificate: Certificate,
        tls: TlsMode = TlsMode.STARTTLS,
    ) -> Postfix:
        return world.run(
            Postfix(
                world,
                f"at{address}",
                lmtp_port=self.dovecot.lmtp_port,
                domains=DOMAINS,
                address=address,
                port=self.port,
                tls=tls,
                certificate=certificate,
            )
        )

    def configuration(self, authority: CertificateAuthority) -> dict[str, object]:
        """A relay by MX and one by SRV, both of the name that the zone is about."""
        both = {
            plan: {
                "host": "mail.test",
                "nodes": plan,
                "port": self.port,
                "helo": "prober.test",
                "ca_file": str(authority.ca_file),
            }
            for plan in ("mx", "srv")
        }
        settings = configuration(self)
        return {**settings, "relays": both, "resolvers": [f"{self.nsd.address}:{self.nsd.port}"]}


def test_a_message_behind_a_balancer_counts_for_the_node_that_took_it(
    world: World, pool: Pool
) -> None:
    balancer = world.run(Balancer(world.port(), [(n.address, n.port) for n in pool.nodes]))
    behind = relay(pool, host=LOOPBACK, port=balancer.port, nodes="greeting")
    defaults = {"interval": "1s", "deadline": "4s", "give_up": "10m"}
    prober = world.run(
        Prober(world, configuration(pool, relays={"pool": behind}, defaults=defaults))
    )
    names = [f"{node.name}.test" for node in pool.nodes]

    def delivered() -> float:
        return prober.scrape().sum("mailprobe_delivered_total", node="", folder="inbox")

    prober.expect(lambda: delivered() >= 6, "six probes have arrived")
    scrape = prober.scrape()
    learned = {k["node"] for k, _ in scrape.samples("mailprobe_in_flight")} - {""}
    assert learned == set(names)
    timed = scrape.samples("mailprobe_last_smtp_phase_duration_seconds", phase="ack")
    assert {k["node"] for k, seconds in timed if seconds > 0} == set(names)

    pool.nodes[1].pause_queue_manager()

    def in_flight(name: str) -> float:
        return prober.scrape().sum("mailprobe_in_flight", node=name)

    # The acceptance of the newest may not be on disk yet: that is committed within 50 ms.
    prober.expect(lambda: in_flight(names[1]) >= 3, "the frozen node owes three")
    prober.kill()
    prober.start()
    assert in_flight(names[1]) >= 2, "a restart forgets who took what"
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_overdue", node=names[1]) >= 1, "one is overdue"
    )
    for name in ("", names[0], names[2]):
        assert prober.scrape().sum("mailprobe_overdue", node=name) == 0
    pool.nodes[1].resume_queue_manager()
    prober.expect(lambda: in_flight(names[1]) <= 1, "what was held has arrived")
    assert prober.scrape().unbalanced() == []
    assert prober.stop()[0] == 0
    assert_attributed(prober, pool)


def assert_attributed(prober: Prober, pool: Pool) -> None:
    """The journal says of each message what the logs of the nodes say.

    But for those in whose submission the prober was killed: it does not know what became of them.
    """
    with closing(sqlite3.connect(prober.home / "journal.sqlite3")) as journal:
        rows = journal.execute("SELECT token, learned FROM probes WHERE arrived AND ended")
        learned = dict(rows.fetchall())
    took = {
        token: f"{node.name}.test"
        for node in pool.nodes
        for token in re.findall(r"message-id=<mailprobe\.(\w+)@", node.log.read_text())
    }
    assert len(learned) >= 9
    assert learned == {token: took[token] for token in learned}


class Balancer:
    """A TCP load balancer in a thread: each connection goes to the next node."""

    def __init__(self, port: int, nodes: Sequence[tuple[str, int]]) -> None:
        self.port = port
        self._next = itertools.cycle(nodes)
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._listening.wait(10)

    def kill(self) -> None:
        """End every connection, and listen no longer."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._forward, LOOPBACK, self.port)
        self._listening.set()
        await self._end.wait()
        server.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection(*next(self._next))
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, back))
                group.create_task(_copy(there, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
    finally:
        writer.close()
