"""Which hosts a name has for its mail, by its MX and SRV records, and what DNS says of each."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, assert_never

from probe.core.model import Relay, TlsMode
from probe.core.node_plan import IpVersion

AnyRecord = TypeVar("AnyRecord")

VERSIONS = frozenset({4, 6})


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a name resolves to. No addresses: the name has none, or does not exist."""

    addresses: tuple[str, ...]  # IPv6 as in RFC 5952; sorted.
    ttl: float  # The least of the answers' TTLs (s).
    silent: frozenset[int] = frozenset()  # IP versions (4, 6) that no server answered for.


@dataclass(frozen=True, slots=True, order=True)
class MxRecord:
    """A host that takes a domain's mail (RFC 5321 5)."""

    preference: int  # Less is better.
    host: str  # Lower case, without the final dot; empty where the record says that there is none.


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """A host that offers a service (RFC 2782)."""

    priority: int  # Less is better.
    weight: int
    port: int
    host: str  # As in MxRecord.


@dataclass(frozen=True, slots=True)
class Records(Generic[AnyRecord]):
    """The records of one type that a name has; none where it has none, or does not exist."""

    records: tuple[AnyRecord, ...]
    ttl: float  # s


@dataclass(frozen=True, slots=True)
class Target:
    """A host behind which nodes are found."""

    host: str
    port: int
    tls: TlsMode | None = None  # None: the relay's.


@dataclass(frozen=True, slots=True)
class Service:
    """A name whose SRV records say where mail is submitted, and how it is encrypted there."""

    name: str
    tls: TlsMode


@dataclass(frozen=True, slots=True)
class Found:
    """What DNS says of one target."""

    target: Target
    addresses: tuple[str, ...] = ()
    ttl: float = float("inf")  # s
    silent: frozenset[int] = frozenset()  # IP versions of which it says nothing.


def mx_targets(records: Sequence[MxRecord], relay: Relay) -> tuple[Target, ...]:
    """The hosts that take a domain's mail, the preferred first; none where it wants none.

    Without records the name is its own host (RFC 5321 5.1). A null MX (RFC 7505) wants no mail;
    beside other records, where it must not be, it says nothing.
    """
    if not records:
        return (Target(relay.host, relay.port),)
    hosts = dict.fromkeys(record.host for record in sorted(records) if record.host)
    return tuple(Target(host, relay.port) for host in hosts)


def services(relay: Relay) -> tuple[Service, ...]:
    """Where to ask for submission, in this order (RFC 8314 3.3 and 5.1, RFC 6186).

    What `_submissions` names speaks TLS from the first byte, whatever the relay's `tls` says; what
    `_submission` names never does.
    """
    later = TlsMode.STARTTLS if relay.tls is TlsMode.IMPLICIT else relay.tls
    return (
        Service(f"_submissions._tcp.{relay.host}", TlsMode.IMPLICIT),
        Service(f"_submission._tcp.{relay.host}", later),
    )


def srv_targets(records: Iterable[SrvRecord], tls: TlsMode) -> tuple[Target, ...]:
    """The hosts that offer a service, the preferred first; a host that is named twice is one."""
    targets: dict[str, Target] = {}
    for record in sorted(records, key=lambda r: (r.priority, -r.weight, r.host, r.port)):
        if record.host:
            targets.setdefault(record.host, Target(record.host, record.port, tls))
    return tuple(targets.values())


def version(address: str) -> int:
    """The IP version of an address."""
    return ipaddress.ip_address(address).version


def left_out(choice: IpVersion, seen: Iterable[int], routed: Iterable[int]) -> frozenset[int]:
    """The IP versions that are not used, of those `seen`, where some are `routed`.

    Without a route to anywhere nothing is left out: then it is the prober that is cut off.
    """
    match choice:
        case IpVersion.FOUR:
            return frozenset({6})
        case IpVersion.SIX:
            return frozenset({4})
        case IpVersion.BOTH:
            return frozenset()
        case IpVersion.AUTO:
            return frozenset(seen) - frozenset(routed) if routed else frozenset()
        case _:
            assert_never(choice)
