"""Asks DNS for all that a relay's nodes come from: its records, and the addresses behind them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from probe.core.model import Relay
from probe.core.node_plan import IpVersion, NodePlan
from probe.core.nodes import MAX_NODES, Answer, answer
from probe.core.targets import (
    VERSIONS,
    Found,
    Target,
    left_out,
    mx_targets,
    services,
    srv_targets,
    version,
)
from probe.ports import ResolveFailure, Resolver

log = logging.getLogger("probe.inspector")


class Routes(Protocol):
    """What the kernel knows of the ways to other machines."""

    def reaches(self, address: str, source: str | None) -> bool:
        """Whether there is a route to an address, from `source` if given. Sends nothing."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a lookup."""

    answer: Answer
    trouble: str  # What is wrong with it, if anything.

    @property
    def is_success(self) -> bool:
        """Whether there is any address."""
        return any(spot.address for spot in self.answer.spots)


@dataclass(frozen=True, slots=True)
class _Named:
    """The targets that records name."""

    targets: tuple[Target, ...]
    ttl: float = math.inf
    trouble: str = ""


@dataclass(slots=True)
class _Versions:
    """Which IP versions a relay had, and which it could be reached by, at any time since start.

    A route that is lost again is no reason to leave a version out: that is a fault to be shown.
    """

    seen: set[int] = field(default_factory=set)
    routed: set[int] = field(default_factory=set)
    said: frozenset[int] = frozenset()


class Lookup:
    """Knows how each relay is looked up."""

    def __init__(self, resolver: Resolver, routes: Routes) -> None:
        self._resolver = resolver
        self._routes = routes
        self._versions: dict[str, _Versions] = {}

    def forget(self, relay: str) -> None:
        """A relay is another one now."""
        self._versions.pop(relay, None)

    async def ask(self, relay: Relay) -> Looked:
        """What DNS says of a relay's nodes. Raises ResolveFailure where it says nothing at all."""
        named = await self._named(relay)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._find(target)) for target in named.targets]
        found, texts = [task.result()[0] for task in asked], [task.result()[1] for task in asked]
        if relay.plan is NodePlan.A and found[0].silent == VERSIONS:
            raise ResolveFailure(texts[0])
        unused = self._unused(relay, [each for one in found for each in one.addresses])
        texts += [_missing(one, unused) for one in found]
        said = answer(relay, found, ttl=named.ttl, unused=unused)
        return Looked(said, "; ".join(filter(None, (named.trouble, *texts))))

    async def _named(self, relay: Relay) -> _Named:
        """The targets, no more than it takes to see that they are too many."""
        match relay.plan:
            case NodePlan.MX:
                named = await self._mx(relay)
            case NodePlan.SRV:
                named = await self._srv(relay)
            case NodePlan.A | NodePlan.NONE | NodePlan.LIST | NodePlan.GREETING:
                named = _Named((Target(relay.host, relay.port),))
            case _:
                assert_never(relay.plan)
        return _Named(named.targets[: MAX_NODES + 1], named.ttl, named.trouble)

    async def _mx(self, relay: Relay) -> _Named:
        found = await self._resolver.mx(relay.host)
        targets = mx_targets(found.records, relay)
        trouble = "" if targets else f"{relay.host} accepts no mail (null MX, RFC 7505)"
        return _Named(targets, found.ttl, trouble)

    async def _srv(self, relay: Relay) -> _Named:
        ttl = math.inf
        for service in services(relay):
            found = await self._resolver.srv(service.name)
            ttl = min(ttl, found.ttl)
            if targets := srv_targets(found.records, service.tls):
                return _Named(targets, ttl)
        return _Named((), ttl, f"{relay.host} offers no submission (SRV, RFC 6186)")

    async def _find(self, target: Target) -> tuple[Found, str]:
        """What DNS says of one target, and what is wrong with that."""
        try:
            found = await self._resolver.addresses(target.host)
        except ResolveFailure as failure:
            return Found(target, silent=VERSIONS), str(failure)
        trouble = "" if found.addresses else f"{target.host} has no addresses"
        return Found(target, found.addresses, found.ttl, found.silent), trouble

    def _unused(self, relay: Relay, addresses: Sequence[str]) -> frozenset[int]:
        """The IP versions that are left out; one without a route is said once."""
        known = self._versions.setdefault(relay.name, _Versions())
        known.seen |= {version(each) for each in addresses}
        for each in addresses:
            if version(each) not in known.routed and self._reaches(relay, each):
                known.routed.add(version(each))
        unused = left_out(relay.ip_version, known.seen, known.routed)
        if relay.ip_version is IpVersion.AUTO:
            for left in sorted(unused - known.said):
                text = "Relay %r: IPv%d is left out: there is no route to its addresses."
                log.warning(text, relay.name, left)
            known.said |= unused
        return unused

    def _reaches(self, relay: Relay, address: str) -> bool:
        return self._routes.reaches(address, relay.source_address)


def _missing(found: Found, unused: frozenset[int]) -> str:
    """What is wrong with the addresses of a target that has some."""
    host, silent = found.target.host, found.silent - unused
    if not found.addresses:
        return ""
    if all(version(each) in unused for each in found.addresses) and not silent:
        return f"{host} has only addresses that are left out"
    if silent and silent != VERSIONS:
        versions = " and ".join(f"IPv{number}" for number in sorted(silent))
        return f"no server says which {versions} addresses {host} has"
    return ""
