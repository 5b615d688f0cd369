"""How long the DNS checks of sender domains take where the resolver is 20 ms away."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from probe.core.records.check import CheckState, DomainPlan, Inspection, overall
from probe.edges.policy import PATH
from tests.bench.figure import Figure, at_most
from tests.certificates import CertificateAuthority
from tests.live.dns_world import FIRST, IP, DnsWorld, dns_world, rsa_key, txt
from tests.live.world import World

DELAY = 0.02  # Of the resolver (s).
COUNT = 100

DOMAIN = """
@ MX 10 mx1
@ MX 20 mx2
mx1 A 192.0.2.1
mx2 A 192.0.2.2
mail A 192.0.2.10
mta-sts A 127.0.0.1
{records}
"""
POLICY = "version: STSv1\nmode: enforce\nmx: *.{domain}\nmax_age: 604800\n"


def domains(world: World) -> Iterator[Figure]:
    """One domain with everything right, then many at once; and the start of the command."""
    authority = CertificateAuthority(world.folder("authority"))
    key = rsa_key(2048)
    names = [f"shop{number}.test" for number in range(COUNT)]
    zones = {name: _zone(name, key) for name in names}
    zones["_spf.relay.test"] = txt("@", "v=spf1 ip4:198.51.100.0/24 ip4:192.0.2.10 -all")
    zones["2.0.192.in-addr.arpa"] = f"10 PTR mail.{names[0]}."
    zones["bl.test"] = "2.0.0.127 A 127.0.0.2"
    with dns_world(zones) as served, _far_away(served) as resolver:
        yield from asyncio.run(_measured(served, resolver, authority, names))
    yield at_most("start of `mailprobe dns`, to be added", _start(), 1.5, "s")


def _zone(domain: str, key: str) -> str:
    records = (
        txt("@", "v=spf1 mx include:_spf.relay.test -all"),
        txt("_dmarc", f"v=DMARC1; p=reject; rua=mailto:d@{domain}"),
        txt("s1._domainkey", f"v=DKIM1; k=rsa; p={key}"),
        txt("_mta-sts", "v=STSv1; id=1"),
        txt("_smtp._tls", f"v=TLSRPTv1; rua=mailto:t@{domain}"),
    )
    return DOMAIN.format(records="\n".join(records))


def _plan(domain: str) -> DomainPlan:
    return DomainPlan(domain, ("s1",), (IP,), f"mail.{domain}", dnsbls=("bl.test",))


async def _measured(
    served: DnsWorld, resolver: str, authority: CertificateAuthority, names: list[str]
) -> list[Figure]:
    runner, port = await _policies(authority, names)
    ports = {"policy": port, "smtp": 25}
    examiner = served.examiner(ca_file=authority.ca_file, ports=ports, resolver=resolver)
    began = time.perf_counter()
    single = await examiner.inspect(_plan(names[0]))
    one = time.perf_counter() - began
    began = time.perf_counter()
    found = await asyncio.gather(*(examiner.inspect(_plan(name)) for name in names))
    many = time.perf_counter() - began
    await runner.cleanup()
    well = sum(_is_well(inspection) for inspection in (single, *found))
    return [
        at_most("one domain, cold, everything right", one, 2, "s", f"resolver {DELAY:g} s away"),
        at_most(f"{COUNT} domains at once", many, 30, "s", f"{well} of {COUNT + 1} runs well"),
    ]


def _is_well(found: Inspection) -> bool:
    return overall(found.checks) is CheckState.OK


async def _policies(authority: CertificateAuthority, names: list[str]) -> tuple[web.AppRunner, int]:
    """A web server with the policy of every domain."""

    async def policy(request: web.Request) -> web.Response:
        domain = request.host.split(":")[0].removeprefix("mta-sts.")
        return web.Response(text=POLICY.format(domain=domain))

    application = web.Application()
    application.router.add_get(PATH, policy)
    runner = web.AppRunner(application)
    await runner.setup()
    context = authority.issue(*(f"mta-sts.{name}" for name in names)).server_context()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    return runner, runner.addresses[0][1]


def _start() -> float:
    """How long the program takes until it would ask its first question (s)."""
    began = time.perf_counter()
    usage = [sys.executable, "-m", "probe", "dns", "no name"]
    folder = Path(__file__).parents[2]
    subprocess.run(usage, cwd=folder, capture_output=True, check=False, timeout=60)
    return time.perf_counter() - began


@contextmanager
def _far_away(served: DnsWorld) -> Iterator[str]:
    """A resolver that has the same zones, `DELAY` away, in a thread of its own."""
    loop = asyncio.new_event_loop()
    far = loop.run_until_complete(_listen(served.first.port))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield "{}:{}".format(*far.get_extra_info("sockname"))
    finally:
        loop.call_soon_threadsafe(far.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(port: int) -> asyncio.DatagramTransport:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Far((FIRST, port)), local_addr=("127.0.0.1", 0)
    )
    return transport


class _Far(asyncio.DatagramProtocol):
    """Passes questions on after a while, and answers back."""

    def __init__(self, near: tuple[str, int]) -> None:
        self._near = near
        self._asked: dict[tuple[bytes, bytes], tuple[str, int]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr != self._near:
            self._asked[data[:2], data[12:24]] = addr
            asyncio.get_running_loop().call_later(DELAY, self._send, data, self._near)
        elif client := self._asked.pop((data[:2], data[12:24]), None):
            self._send(data, client)

    def _send(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(data, addr)  # type: ignore[attr-defined]
