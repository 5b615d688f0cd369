"""Which nodes a relay has, and when that changes: what DNS answers becomes nodes that come and go.

A relay whose nodes are looked up is never without one once its name was asked for. While nothing
is known of it, or its addresses change too much to be followed, one node stands for the name; while
nothing is known of a host that its records name, one node stands for that host. Where that does not
resolve its probes fail with `dns_error`, so that a relay without addresses is never silently green.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from probe.core.model import Node, Relay, TlsMode
from probe.core.node_plan import NodePlan
from probe.core.targets import Found, version

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
class Spot:
    """Where DNS says that a node is."""

    address: str  # Empty: none is known of this target.
    port: int
    target: str = ""  # The host that has the address, where records name hosts.
    tls: TlsMode | None = None  # None: the relay's.

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same spot, though its port may change."""
        return self.target, self.address


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says of a relay."""

    spots: tuple[Spot, ...]  # The preferred first.
    ttl: float
    silent: frozenset[tuple[str, int]] = frozenset()  # Target and IP version: nothing is said.


@dataclass(frozen=True, slots=True)
class Known:
    """A spot that was in an answer."""

    spot: Spot
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
    """The nodes that need no lookup: the name itself, or the listed ones; else none."""
    match relay.plan:
        case NodePlan.NONE:
            return (Node(relay.name, relay.host, relay.host, relay.port),)
        case NodePlan.GREETING:
            return (Node(relay.name, "", relay.host, relay.port),)
        case NodePlan.LIST:
            return relay.listed
        case NodePlan.A | NodePlan.MX | NodePlan.SRV:
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


def answer(relay: Relay, founds: Sequence[Found], *, ttl: float, unused: frozenset[int]) -> Answer:
    """What was found of a relay's targets as one answer, without the `unused` IP versions.

    `ttl` is that of the records which name the targets (s). With NodePlan.A the relay's own name
    is the only target, and nothing stands for it while it has no address.
    """
    named = relay.plan is not NodePlan.A
    spots: list[Spot] = []
    silent: set[tuple[str, int]] = set()
    for found in founds:
        target, host = found.target, found.target.host if named else ""
        used = ordered(each for each in found.addresses if version(each) not in unused)
        if named and not found.addresses:
            used = ("",)
        spots += [Spot(address, target.port, host, target.tls) for address in used]
        silent |= {(host, each) for each in found.silent - unused}
    least = min([_LATEST, ttl, *(found.ttl for found in founds)])
    return Answer(tuple(spots), least, frozenset(silent))


def answered(book: NodeBook, said: Answer, now: float) -> tuple[NodeBook, tuple[Change, ...]]:
    """The book after an answer at `now` (s), and what it changes; nodes join before others go.

    What the answer is silent about neither goes nor comes, and the name is then looked up again
    no later than after a failure.
    """
    known = _seen(book.known, said, now)
    changes = tuple(moment for moment in book.changes if moment > now - CALM)
    if book.known and {k.spot.key for k in known} != {k.spot.key for k in book.known}:
        changes = (*changes, now)
    failures = book.failures + 1 if said.silent else 0
    due = _due(known, now, said.ttl)
    if said.silent:
        due = min(_due((), now, said.ttl), _back_off(failures, now))
    following = replace(book, known=known, changes=changes, failures=failures, next_lookup=due)
    return _settle(following, now)


def unanswered(book: NodeBook, now: float) -> tuple[NodeBook, tuple[Change, ...]]:
    """The book after a lookup that failed at `now` (s): what is known stays."""
    failures = book.failures + 1
    waiting = replace(book, failures=failures, next_lookup=_back_off(failures, now))
    return _settle(waiting, now)


def _seen(known: tuple[Known, ...], said: Answer, now: float) -> tuple[Known, ...]:
    """The spots that are known after an answer, without those whose time is over.

    A target without an address stands for itself only while none of its addresses is known.
    """
    patience = min(max(_PATIENCE_TTLS * said.ttl, _LEAST_PATIENCE), _MOST_PATIENCE)
    here: dict[tuple[str, str], Known] = {}
    for spot in said.spots:
        here.setdefault(spot.key, Known(spot, patience))
    for old in known:
        if old.spot.key in here or not old.spot.address:
            continue
        if (old.spot.target, version(old.spot.address)) in said.silent:
            here[old.spot.key] = old
            continue
        gone = now if old.gone is None else old.gone
        if now - gone < old.patience:
            here[old.spot.key] = replace(old, gone=gone)
    reached = {target for target, address in here if address}
    return tuple(
        one for (target, address), one in here.items() if address or target not in reached
    )[:MAX_KNOWN]


def _settle(book: NodeBook, now: float) -> tuple[NodeBook, tuple[Change, ...]]:
    """The book with the nodes that follow from what is known, and the changes to them."""
    excess = _excess(book)
    fallen = now if excess else book.fallen
    if fallen is not None and now - fallen >= CALM:
        fallen = None
    nodes = _followed(book) if book.known and fallen is None else (_stand_in(book),)
    changes: list[Change] = [FellBack(excess)] if excess and book.fallen is None else []
    changes += _moves(book.nodes, nodes)
    return replace(book, nodes=nodes, fallen=fallen), tuple(changes)


def _moves(before: tuple[Node, ...], after: tuple[Node, ...]) -> list[Change]:
    """New nodes join before others retire; one that takes over a name joins when that is free."""
    changes: list[Change] = []
    names = {node.name: node for node in before}
    for node in after:
        old = names.pop(node.name, None)
        if old != node:
            changes += [Retired(old)] if old else []
            changes.append(Joined(node))
    return [*changes, *(Retired(node) for node in names.values())]


def _followed(book: NodeBook) -> tuple[Node, ...]:
    """A node for each spot. Its name is the target's, with the address where that has several."""
    addresses = Counter(one.spot.target for one in book.known)
    nodes = []
    for spot in (one.spot for one in book.known):
        several = addresses[spot.target] > 1
        label = f"{spot.target}/{spot.address}" if several else spot.target
        nodes.append(
            Node(
                book.relay.name,
                label if spot.target else spot.address,
                spot.address or spot.target,
                spot.port,
                tls_name=spot.target,
                tls=spot.tls,
            )
        )
    return tuple(nodes)


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


def _stand_in(book: NodeBook) -> Node:
    """The one node that stands for a name, whatever that resolves to.

    Where records name the hosts it is the preferred one of these: the name's own addresses may
    belong to anything. Where no host is known it leads nowhere.
    """
    relay = book.relay
    if relay.plan is NodePlan.A:
        return Node(relay.name, relay.host, relay.host, relay.port)
    if not book.known:
        return Node(relay.name, relay.host, "", relay.port)
    best = book.known[0].spot
    return Node(relay.name, relay.host, best.target, best.port, tls_name=best.target, tls=best.tls)


def _number(address: str) -> tuple[int, int]:
    """Where an address stands among others."""
    ip = ipaddress.ip_address(address)
    return ip.version, int(ip)
