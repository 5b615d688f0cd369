"""What a configuration leaves to DNS: which nodes relays have, and whose mailboxes they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from probe.core import provider
from probe.core.model import Mailbox, Node, NodePlan, Relay
from probe.core.nodes import fixed_nodes, ordered
from probe.core.provider import Provider
from probe.edges.resolver import DnsResolver
from probe.ports import ResolveFailure


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found out, and in words what could not be."""

    nodes: dict[str, list[Node]]  # By relay; one where they are not known.
    providers: dict[str, Provider]  # By mailbox.
    notes: tuple[str, ...]


async def survey(
    relays: Sequence[Relay], mailboxes: Sequence[Mailbox], resolver: DnsResolver
) -> Survey:
    """Ask everything at once; it takes some seconds at most."""
    notes: list[str] = []
    async with asyncio.TaskGroup() as group:
        nodes = {relay.name: group.create_task(_nodes(relay, resolver, notes)) for relay in relays}
        owners = {
            mailbox.name: group.create_task(_owner(mailbox, resolver, notes))
            for mailbox in mailboxes
        }
    found = {name: task.result() for name, task in owners.items()}
    return Survey(
        nodes={name: task.result() for name, task in nodes.items()},
        providers={name: owner for name, owner in found.items() if owner is not None},
        notes=tuple(sorted(notes)),
    )


async def _nodes(relay: Relay, resolver: DnsResolver, notes: list[str]) -> list[Node]:
    if fixed := fixed_nodes(relay):
        return list(fixed)
    why = "its nodes are not known beforehand"
    if relay.plan is NodePlan.A:
        try:
            if found := ordered((await resolver.addresses(relay.host)).addresses):
                return [Node(relay.name, one, one, relay.port) for one in found]
            why = f"{relay.host} has no addresses"
        except ResolveFailure as failure:
            why = str(failure)
    notes.append(f"Relay {relay.name} counts as one node: {why}.")
    return [Node(relay.name, relay.host, relay.host, relay.port)]


async def _owner(mailbox: Mailbox, resolver: DnsResolver, notes: list[str]) -> Provider | None:
    if owner := provider.of_address(mailbox.address):
        return owner
    try:
        exchangers = await resolver.exchangers(provider.domain_of(mailbox.address))
    except ResolveFailure as failure:
        notes.append(f"Mailbox {mailbox.name} counts as one at no large provider: {failure}.")
        return None
    return provider.of_exchangers(exchangers)
