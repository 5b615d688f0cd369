"""Names to addresses, through dnspython: the configured DNS servers, or the system's.

Nothing is cached: the engine asks again when a TTL is over, and a cache would hide changes.
With `nameservers` only they are asked. Without, a name is looked up as the system would: first
in /etc/hosts, with `localhost` known even where the file lacks it, then with the servers of
/etc/resolv.conf. Both files are read anew for each lookup, so that a change of them counts;
search domains are not applied.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.rcode
import dns.resolver

from probe.core.nodes import ordered
from probe.ports import Addresses, ResolveFailure

MAX_ADDRESSES = 64

_TRY = 1.0  # For one server to answer (s).
_LIFETIME = 3.4  # dnspython overshoots by its back-off, and then still says who said what (s).
_DEADLINE = 4.0  # For all of a lookup (s).
_LOCAL_TTL = 60.0  # Of what needs no server (s).
_MAX_FILE = 1 << 20  # Of /etc/hosts (bytes).
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)

Version = Literal[4, 6]


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the servers said about one IP version."""

    addresses: tuple[str, ...] = ()
    ttl: float = 0.0
    failure: str = ""  # Which server said what, where none answered.


class DnsResolver:
    """Fulfils ports.Resolver; identical lookups at the same time are one."""

    def __init__(
        self,
        nameservers: Sequence[str] | None,
        *,
        resolv_conf: Path = Path("/etc/resolv.conf"),
        hosts: Path = Path("/etc/hosts"),
    ) -> None:
        """`nameservers` are `HOST[:PORT]`, IPv6 in brackets; None: the system's."""
        self._nameservers = nameservers
        self._resolv_conf = resolv_conf
        self._hosts = hosts
        self._servers: list[dns.nameserver.Nameserver] = []
        self._asking: dict[str, asyncio.Future[Addresses | ResolveFailure | None]] = {}

    def follow(self, nameservers: Sequence[str] | None) -> None:
        """From now on these servers are asked."""
        self._nameservers, self._servers = nameservers, []

    async def addresses(self, name: str) -> Addresses:
        """The A and AAAA records of a name; an IP address is its own. Raises ResolveFailure.

        A name that does not exist, or has no address, has none; only a DNS server can say so.
        """
        if literal := _literal(name):
            return Addresses((literal,), _LOCAL_TTL)
        while asked := self._asking.get(name):
            outcome = await asyncio.shield(asked)
            if outcome is not None:
                return _result(outcome)
        return await self._ask_for_all(name)

    async def _ask_for_all(self, name: str) -> Addresses:
        """The addresses, also for whoever asks for the same name meanwhile."""
        asked = self._asking[name] = asyncio.get_running_loop().create_future()
        outcome: Addresses | ResolveFailure | None = None  # None: we were cancelled, try again.
        try:
            outcome = await self._look_up(name)
        except ResolveFailure as failure:
            outcome = failure
        finally:
            del self._asking[name]
            asked.set_result(outcome)
        return _result(outcome)

    async def _look_up(self, name: str) -> Addresses:
        """One lookup, of both IP versions at once."""
        qname = _host_name(name)
        if self._nameservers is None and (known := _in_hosts(self._hosts, name)):
            return Addresses(known, _LOCAL_TTL)
        try:
            async with asyncio.timeout(_DEADLINE):
                resolver = await self._resolver()
        except TimeoutError:
            raise ResolveFailure("the names of the DNS servers did not resolve in time") from None
        async with asyncio.TaskGroup() as group:
            asked = {v: group.create_task(_ask(resolver, qname, v)) for v in _RECORDS}
        return _combined(name, {version: task.result() for version, task in asked.items()})

    async def _resolver(self) -> dns.asyncresolver.Resolver:
        """A resolver for the servers as they are configured at this moment."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        if self._nameservers is None:
            try:
                resolver.read_resolv_conf(str(self._resolv_conf))
            except (dns.resolver.NoResolverConfiguration, OSError, ValueError):
                raise ResolveFailure(f"{self._resolv_conf} names no DNS server") from None
        else:
            if not self._servers:
                self._servers = [s for n in self._nameservers for s in await _nameserver(n)]
            resolver.nameservers = self._servers
        resolver.timeout, resolver.lifetime = _TRY, _LIFETIME
        return resolver


_RECORDS: dict[Version, str] = {4: "A", 6: "AAAA"}


async def _ask(
    resolver: dns.asyncresolver.Resolver, qname: dns.name.Name, version: Version
) -> _Answer:
    """What the servers say about one IP version; never raises but for cancellation."""
    try:
        async with asyncio.timeout(_DEADLINE):
            answer = await resolver.resolve(
                qname, _RECORDS[version], raise_on_no_answer=False, search=False
            )
    except dns.resolver.NXDOMAIN as error:
        return _absent(error)
    except dns.exception.DNSException as error:
        return _Answer(failure=_said(error))
    except TimeoutError:
        return _Answer(failure=f"no answer within {_DEADLINE:g} s")
    if answer.response.flags & dns.flags.TC:
        return _Answer(failure=f"{answer.nameserver}@{answer.port} said: truncated, over TCP too")
    records = answer.rrset or ()
    ttl = float(answer.chaining_result.minimum_ttl)
    return _Answer(ordered(record.address for record in records), ttl)


def _combined(name: str, answers: dict[Version, _Answer]) -> Addresses:
    """Both versions' answers as one; half an answer is one if it has addresses."""
    silent = frozenset(version for version, answer in answers.items() if answer.failure)
    given = [answer for answer in answers.values() if not answer.failure]
    found = tuple(address for answer in given for address in answer.addresses)
    if silent and not found:
        texts = dict.fromkeys(answers[version].failure for version in sorted(silent))
        raise ResolveFailure(f"{name} could not be resolved: {'; '.join(texts)}")
    telling = [answer for answer in given if answer.addresses] or given
    return Addresses(found[:MAX_ADDRESSES], min(answer.ttl for answer in telling), silent)


def _absent(error: dns.resolver.NXDOMAIN) -> _Answer:
    """The answer that the name does not exist, with the time that holds for (RFC 2308)."""
    responses = error.kwargs["responses"].values()
    return _Answer((), float(min(r.resolve_chaining().minimum_ttl for r in responses)))


def _said(error: dns.exception.DNSException) -> str:
    """Which server said what, each thing once."""
    errors = error.kwargs.get("errors") or ()
    texts = dict.fromkeys(
        f"{server.removeprefix('Do53:')} said: {_what(why, tcp)}"
        for server, tcp, _, why, _ in errors
    )
    return ", ".join(texts) or type(error).__name__


def _what(why: object, tcp: bool) -> str:
    """What became of one question to one server, in words that are not the server's."""
    match why:
        case str():
            return why  # The name of a response code.
        case dns.message.Truncated():
            return "truncated, over TCP too" if tcp else "truncated"
        case dns.exception.Timeout():
            return f"nothing within {_TRY:g} s"
        case OSError():
            return (why.strerror or type(why).__name__).lower()
        case EOFError():
            return "connection closed"
        case dns.message.ChainTooLong():
            return "a CNAME loop"
        case _:
            return f"garbage ({type(why).__name__})"


def _result(outcome: Addresses | ResolveFailure) -> Addresses:
    """The outcome, returned or raised."""
    if isinstance(outcome, ResolveFailure):
        raise ResolveFailure(str(outcome))
    return outcome


def _literal(name: str) -> str | None:
    """The name as an address, if it is one."""
    try:
        return ordered([name])[0]
    except ValueError:
        return None


def _host_name(name: str) -> dns.name.Name:
    """The name as DNS has it. Raises ResolveFailure for what is no host name."""
    try:
        qname = dns.name.from_text(name)
    except (dns.exception.DNSException, UnicodeError):
        raise ResolveFailure(f"{name!r} is not a host name") from None
    labels = [label.decode("ascii") for label in qname.labels[:-1]]
    # RFC 3696 2: the last label is not all digits, or it would be half an address.
    if not labels or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise ResolveFailure(f"{name!r} is not a host name")
    return qname


def _in_hosts(path: Path, name: str) -> tuple[str, ...]:
    """The addresses of a name in /etc/hosts; `localhost` always has one (RFC 6761 6.3)."""
    wanted = name.rstrip(".").lower()
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_FILE).splitlines()
    except OSError:
        lines = []
    entries = [line.partition("#")[0].lower().split() for line in lines]
    found = [_literal(entry[0]) for entry in entries if wanted in entry[1:]]
    if wanted == "localhost" and not any(found):
        found = ["127.0.0.1"]
    return ordered(address for address in found if address)[:MAX_ADDRESSES]


async def _nameserver(text: str) -> list[dns.nameserver.Nameserver]:
    """A configured DNS server; one that is given by name is resolved by the system."""
    host, port = _host_and_port(text)
    if literal := _literal(host):
        return [dns.nameserver.Do53Nameserver(literal, port)]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise ResolveFailure(f"the DNS server {host!r} is unknown: {error}") from None
    return [dns.nameserver.Do53Nameserver(str(entry[4][0]), port) for entry in found]


def _host_and_port(text: str) -> tuple[str, int]:
    """`HOST`, `HOST:PORT`, `[IPV6]`, `[IPV6]:PORT` or a bare IPv6 address; 53 if no port."""
    match = re.fullmatch(r"(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:]+))(?::(?P<port>\d{1,5}))?", text)
    if match is None:
        return text, 53
    return match["six"] or match["host"], int(match["port"] or 53)
