"""Names looked up through dnspython: in the configured DNS servers, or as the system would.

Nothing is cached: the engine asks again when a TTL is over, and a cache would hide changes.
With `nameservers` only they are asked. Without, a name is looked up as the system would: first
in /etc/hosts, then with the servers of /etc/resolv.conf. `localhost` is this machine either way,
even where /etc/hosts lacks it, and no server is asked for it (RFC 6761 6.3). Both files are read
anew for each lookup, so that a change of them counts; search domains are not applied.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import dns.asyncresolver
import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from probe.core.nodes import ordered
from probe.core.targets import Addresses, MxRecord, Records, SrvRecord
from probe.edges.resolver_query import DEADLINE, LIFETIME, TRY, Heard, Told, ask
from probe.ports import ResolveFailure

MAX_ADDRESSES = 64

_LOCALHOST = "localhost"
_LOCAL_TTL = 60.0  # Of what needs no server (s).
_MAX_FILE = 1 << 20  # Of /etc/hosts (bytes).
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)

Version = Literal[4, 6]


class DnsResolver:
    """Fulfils ports.Resolver; identical lookups at the same time are one."""

    def __init__(
        self,
        nameservers: Sequence[str] | None,
        *,
        resolv_conf: Path = Path("/etc/resolv.conf"),
        hosts: Path = Path("/etc/hosts"),
        told: Told = lambda servers: None,
    ) -> None:
        """`nameservers` are `HOST[:PORT]`, IPv6 in brackets; None: the system's.

        `told` hears of the servers that answer, to whatever question.
        """
        self.told = told
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
        if known := self._known_here(name):
            return Addresses(known, _LOCAL_TTL)
        resolver = await self.configured()
        async with asyncio.TaskGroup() as group:
            asked = {
                version: group.create_task(ask(resolver, qname, kind, told=self.told))
                for version, kind in _KINDS.items()
            }
        return _combined(name, {version: task.result() for version, task in asked.items()})

    def _known_here(self, name: str) -> tuple[str, ...]:
        """The addresses for which no server is asked."""
        if name.rstrip(".").lower() == _LOCALHOST:
            return _in_hosts(self._hosts, _LOCALHOST) or ("127.0.0.1",)
        return _in_hosts(self._hosts, name) if self._nameservers is None else ()

    async def mx(self, name: str) -> Records[MxRecord]:
        """The MX records of a domain; none where it has none. Raises ResolveFailure."""
        heard = await self._records(name, "MX")
        return Records(
            tuple(MxRecord(r.preference, _host(r.exchange)) for r in heard.records), heard.ttl
        )

    async def srv(self, name: str) -> Records[SrvRecord]:
        """The SRV records of a service's name; none where it has none. Raises ResolveFailure."""
        heard = await self._records(name, "SRV")
        return Records(
            tuple(SrvRecord(r.priority, r.weight, r.port, _host(r.target)) for r in heard.records),
            heard.ttl,
        )

    async def _records(self, name: str, kind: str) -> Heard:
        """The records of one type. Raises ResolveFailure."""
        heard = await ask(await self.configured(), _host_name(name), kind, told=self.told)
        if heard.failure:
            failure = f"the {kind} records of {name} could not be resolved: {heard.failure}"
            raise ResolveFailure(failure)
        return heard

    async def configured(self) -> dns.asyncresolver.Resolver:
        """A resolver for the servers as they are configured now. Raises ResolveFailure."""
        resolver = dns.asyncresolver.Resolver(configure=False)
        if self._nameservers is None:
            try:
                resolver.read_resolv_conf(str(self._resolv_conf))
            except (dns.resolver.NoResolverConfiguration, OSError, ValueError):
                raise ResolveFailure(f"{self._resolv_conf} names no DNS server") from None
        else:
            if not self._servers:
                self._servers = await _nameservers(self._nameservers)
            resolver.nameservers = self._servers
        resolver.timeout, resolver.lifetime = TRY, LIFETIME
        return resolver


_KINDS: dict[Version, str] = {4: "A", 6: "AAAA"}


def _combined(name: str, answers: dict[Version, Heard]) -> Addresses:
    """Both versions' answers as one; half an answer is one if it has addresses."""
    silent = frozenset(version for version, answer in answers.items() if answer.failure)
    given = [answer for answer in answers.values() if not answer.failure]
    found = tuple(
        address for answer in given for address in ordered(r.address for r in answer.records)
    )
    if silent and not found:
        texts = dict.fromkeys(answers[version].failure for version in sorted(silent))
        raise ResolveFailure(f"{name} could not be resolved: {'; '.join(texts)}")
    telling = [answer for answer in given if answer.records] or given
    return Addresses(found[:MAX_ADDRESSES], min(answer.ttl for answer in telling), silent)


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


def _host(name: dns.name.Name) -> str:
    """The name as a label; empty for the root, which stands for none."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _in_hosts(path: Path, name: str) -> tuple[str, ...]:
    """The addresses of a name in /etc/hosts."""
    wanted = name.rstrip(".").lower()
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_FILE).splitlines()
    except OSError:
        lines = []
    entries = [line.partition("#")[0].lower().split() for line in lines]
    found = [_literal(entry[0]) for entry in entries if wanted in entry[1:]]
    return ordered(address for address in found if address)[:MAX_ADDRESSES]


async def _nameservers(texts: Sequence[str]) -> list[dns.nameserver.Nameserver]:
    """The configured DNS servers. Raises ResolveFailure."""
    try:
        async with asyncio.timeout(DEADLINE):
            return [server for text in texts for server in await _nameserver(text)]
    except TimeoutError:
        raise ResolveFailure("the names of the DNS servers did not resolve in time") from None


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
