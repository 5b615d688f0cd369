"""Which nodes a relay has, and when that changes: what DNS answers becomes nodes that come and go.

A relay with NodePlan.A is never without a node once its name was asked for: while no address
is known, or its addresses change too much to be followed, one node stands for the name itself,
as with NodePlan.NONE. Where the name does not resolve its probes fail with `dns_error`, so that
a relay without addresses is never silently green.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from probe.core.model import Node, NodePlan, Relay

MAX_NODES = 32
MAX_KNOWN = 2 * MAX_NODES  # Addresses beyond it are not even remembered.
MAX_CHANGES = 10  # In CALM seconds.
CALM = 3600.0  # So long must it have been quiet before addresses are followed again (s).

_SOONEST, _LATEST = 5.0, 3600.0  # Between two lookups (s).
_BACK_OFF = (5.0, 10.0, 20.0, 30.0)  # After the first, second, ... failure in a row (s).
_PATIENCE_TTLS, _LEAST_PATIENCE, _MOST_PATIENCE = 10, 30.0, 600.0


@dataclass(frozen=True, slots=True)
class Joined:
    """A node came into force."""

    node: Node


@dataclass(frozen=True, slots=True)
class Retired:
    """A node is no more."""

    node: Node


@dataclass(frozen=True, slots=True)
class FellBack:
    """The addresses are followed no longer: one node stands for the name."""

    reason: str


Change = Joined | Retired | FellBack


@dataclass(frozen=True, slots=True)
class Known:
    """An address that was in an answer."""

    address: str
    patience: float  # So long may it be gone before it is retired (s).
    gone: float | None = None  # The first answer without it, if the latest is without it.


@dataclass(frozen=True, slots=True)
class NodeBook:
    """What is known of one relay's name. Empty at first; `answered` and `unanswered` go on."""

    relay: Relay
    known: tuple[Known, ...] = ()
    nodes: tuple[Node, ...] = ()  # In force.
    changes: tuple[float, ...] = ()  # When addresses came or went, in the last CALM seconds.
    fallen: float | None = None  # The last moment of excess, if fallen back.
    failures: int = 0  # In a row.
    next_lookup: float = -math.inf  # The moment from which the name is to be looked up again.


def fixed_nodes(relay: Relay) -> tuple[Node, ...]:
    """The nodes that need no lookup: the name itself, or the listed ones; for NodePlan.A none."""
    match relay.plan:
        case NodePlan.NONE:
            return (_stand_in(relay),)
        case NodePlan.LIST:
            return relay.listed
        case NodePlan.A:
            return ()
        case _:
            assert_never(relay.plan)


def canonical(address: str) -> str:
    """An IP address as RFC 5952 writes it. Raises ValueError for anything else."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return f"::ffff:{ip.ipv4_mapped}"  # RFC 5952 5; str() differs between Python versions.
    return str(ip)


def ordered(addresses: Iterable[str]) -> tuple[str, ...]:
    """Each address once, canonical, IPv4 first, by number."""
    return tuple(sorted({canonical(address) for address in addresses}, key=_number))


def answered(
    book: NodeBook,
    addresses: Iterable[str],
    now: float,
    *,
    ttl: float,
    silent: frozenset[int] = frozenset(),
) -> tuple[NodeBook, tuple[Change, ...]]:
    """The book after an answer at `now` (s), and what it changes; nodes join before others go.

    `silent` are the IP versions that the answer says nothing about: their addresses neither
    go nor come, and the name is looked up again no later than after a failure.
    """
    known = _seen(book.known, ordered(addresses), now, ttl=ttl, silent=silent)
    changes = tuple(moment for moment in book.changes if moment > now - CALM)
    if book.known and {k.address for k in known} != {k.address for k in book.known}:
        changes = (*changes, now)
    failures = book.failures + 1 if silent else 0
    due = _due(known, now, ttl)
    if silent:
        due = min(_due((), now, ttl), _back_off(failures, now))
    following = replace(book, known=known, changes=changes, failures=failures, next_lookup=due)
    return _settle(following, now)


def unanswered(book: NodeBook, now: float) -> tuple[NodeBook, tuple[Change, ...]]:
    """The book after a lookup that failed at `now` (s): what is known stays."""
    failures = book.failures + 1
    waiting = replace(book, failures=failures, next_lookup=_back_off(failures, now))
    return _settle(waiting, now)


def _seen(
    known: tuple[Known, ...],
    addresses: tuple[str, ...],
    now: float,
    *,
    ttl: float,
    silent: frozenset[int],
) -> tuple[Known, ...]:
    """The addresses that are known after an answer, without those whose time is over."""
    patience = min(max(_PATIENCE_TTLS * ttl, _LEAST_PATIENCE), _MOST_PATIENCE)
    here = {address: Known(address, patience) for address in addresses}
    for old in known:
        if old.address in here:
            continue
        if ipaddress.ip_address(old.address).version in silent:
            here[old.address] = old
            continue
        gone = now if old.gone is None else old.gone
        if now - gone < old.patience:
            here[old.address] = replace(old, gone=gone)
    return tuple(here[address] for address in ordered(here))[:MAX_KNOWN]


def _settle(book: NodeBook, now: float) -> tuple[NodeBook, tuple[Change, ...]]:
    """The book with the nodes that follow from what is known, and the changes to them."""
    excess = _excess(book)
    fallen = now if excess else book.fallen
    if fallen is not None and now - fallen >= CALM:
        fallen = None
    relay = book.relay
    if book.known and fallen is None:
        nodes = tuple(Node(relay.name, k.address, k.address, relay.port) for k in book.known)
    else:
        nodes = (_stand_in(relay),)
    changes: list[Change] = []
    if excess and book.fallen is None:
        changes.append(FellBack(excess))
    changes += [Joined(node) for node in nodes if node not in book.nodes]
    changes += [Retired(node) for node in book.nodes if node not in nodes]
    return replace(book, nodes=nodes, fallen=fallen), tuple(changes)


def _excess(book: NodeBook) -> str:
    """Why the addresses cannot be followed, or nothing."""
    if len(book.known) > MAX_NODES:
        return f"it has {len(book.known)} addresses, more than {MAX_NODES}"
    if len(book.changes) > MAX_CHANGES:
        return f"its addresses changed {len(book.changes)} times within an hour"
    return ""


def _due(known: tuple[Known, ...], now: float, ttl: float) -> float:
    """The next lookup: at the TTL, or when the time of an address that is gone will be over."""
    ends = [k.gone + k.patience for k in known if k.gone is not None]
    wait = min([ttl, _LATEST, *(end - now for end in ends)])
    return now + max(wait, _SOONEST)


def _back_off(failures: int, now: float) -> float:
    """The next lookup after so many failures in a row."""
    return now + _BACK_OFF[min(failures, len(_BACK_OFF)) - 1]


def _stand_in(relay: Relay) -> Node:
    """The one node that stands for a name, whatever it resolves to."""
    return Node(relay.name, relay.host, relay.host, relay.port)


def _number(address: str) -> tuple[int, int]:
    """Where an address stands among others."""
    ip = ipaddress.ip_address(address)
    return ip.version, int(ip)
