"""A scripted DNS server on loopback: says what a test wants it to say, over UDP and TCP."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SOA = "ns.test. admin.test. 1 3600 600 86400 {minimum}"

# What a script makes of a query: the reply's octets, or None to keep silent.
Script = Callable[[dns.message.Message, bool], bytes | None]


@dataclass
class ScriptedDns:
    """Where it listens, what it does with queries by name and type, and what it was asked."""

    port: int = 0
    scripts: dict[tuple[str, str], Script] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    held: list[Callable[[], None]] | None = None  # Replies over UDP that wait to be sent.

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def script(self, name: str, *, a: Script, aaaa: Script) -> None:
        self.scripts[name, "A"] = a
        self.scripts[name, "AAAA"] = aaaa

    def reply(self, wire: bytes, *, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind, "tcp" if tcp else "udp"))
        return self.scripts.get((name, kind), rcode(dns.rcode.NXDOMAIN))(query, tcp)


def records(*texts: str, flags: int = 0, minimum: int = 60) -> Script:
    """NOERROR with these records (`NAME TTL TYPE VALUE`), or NODATA with a SOA."""
    answer: list[dns.rrset.RRset] = []
    for text in texts:
        name, ttl, kind, value = text.split(maxsplit=3)
        record = dns.rrset.from_text(name + ".", int(ttl), "IN", kind, value)
        if answer and (answer[-1].name, answer[-1].rdtype) == (record.name, record.rdtype):
            answer[-1].update(record)
        else:
            answer.append(record)

    def script(query: dns.message.Message, tcp: bool) -> bytes:
        reply = dns.message.make_response(query)
        reply.flags |= flags
        reply.answer = list(answer)
        if not texts:
            reply.authority.append(soa(minimum))
        wire = reply.to_wire(max_size=65535)
        if tcp or len(wire) <= 512:
            return wire
        reply.answer.clear()
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    return script


def rcode(code: dns.rcode.Rcode, minimum: int = 60) -> Script:
    def script(query: dns.message.Message, tcp: bool) -> bytes:
        reply = dns.message.make_response(query)
        reply.set_rcode(code)
        if code == dns.rcode.NXDOMAIN:
            reply.authority.append(soa(minimum))
        return reply.to_wire()

    return script


def silence(query: dns.message.Message, tcp: bool) -> None:
    return None


def garbage(query: dns.message.Message, tcp: bool) -> bytes:
    return query.id.to_bytes(2, "big") + b"\x81\x80" + b"\xff" * 40


def soa(minimum: int) -> dns.rrset.RRset:
    return dns.rrset.from_text("test.", 3600, "IN", "SOA", SOA.format(minimum=minimum))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: ScriptedDns) -> None:
        self.server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if (reply := self.server.reply(data, tcp=False)) is None:
            return
        if self.server.held is not None:
            self.server.held.append(lambda: self.transport.sendto(reply, addr))
        else:
            self.transport.sendto(reply, addr)


@asynccontextmanager
async def scripted_dns() -> AsyncIterator[ScriptedDns]:
    """A server on a free port, for as long as the block lasts."""
    server = ScriptedDns()

    async def tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(2), "big")
        if (reply := server.reply(await reader.readexactly(length), tcp=True)) is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
        writer.close()

    listener = await asyncio.start_server(tcp, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Udp(server), local_addr=("127.0.0.1", server.port)
    )
    try:
        yield server
    finally:
        transport.close()
        listener.close()
