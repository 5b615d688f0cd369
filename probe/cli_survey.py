"""What a configuration leaves to DNS: which nodes relays have, and whose mailboxes they are."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from probe.core import provider
from probe.core.model import Mailbox, Node, Relay
from probe.core.nodes import NodeBook, answered, fixed_nodes
from probe.core.provider import Provider
from probe.edges.resolver import DnsResolver
from probe.edges.route import KernelRoutes
from probe.engine.lookup import Lookup
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
    lookup = Lookup(resolver, KernelRoutes())
    async with asyncio.TaskGroup() as group:
        nodes = {relay.name: group.create_task(_nodes(relay, lookup, notes)) for relay in relays}
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


async def _nodes(relay: Relay, lookup: Lookup, notes: list[str]) -> list[Node]:
    if fixed := fixed_nodes(relay):
        return list(fixed)
    try:
        looked = await lookup.ask(relay)
        why = looked.trouble
    except ResolveFailure as failure:
        why = str(failure)
    else:
        if looked.is_success:
            return list(answered(NodeBook(relay), looked.answer, 0.0)[0].nodes)
    notes.append(f"Relay {relay.name} counts as one node: {why}.")
    return [Node(relay.name, relay.host, relay.host, relay.port)]


async def _owner(mailbox: Mailbox, resolver: DnsResolver, notes: list[str]) -> Provider | None:
    if owner := provider.of_address(mailbox.address):
        return owner
    try:
        exchangers = await resolver.mx(provider.domain_of(mailbox.address))
    except ResolveFailure as failure:
        notes.append(f"Mailbox {mailbox.name} counts as one at no large provider: {failure}.")
        return None
    return provider.of_exchangers(exchangers)
