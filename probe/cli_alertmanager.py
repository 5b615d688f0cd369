"""Whether Alertmanager would tell of broken mail by the mail that is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from probe.cli_survey import survey
from probe.config import EmailReceiver, Problem, Settings, email_receivers
from probe.core.model import Node, Relay
from probe.edges.resolver import DnsResolver
from probe.ports import ResolveFailure


def wrong_receivers(settings: Settings, path: str) -> tuple[Problem, ...]:
    """Each e-mail receiver that sends through a relay which is probed.

    By its name, or by its addresses as far as they can be found out. Raises ConfigError where the
    file is no YAML.
    """
    receivers = email_receivers(path)
    return asyncio.run(_wrong(settings, receivers)) if receivers else ()


async def _wrong(settings: Settings, receivers: Sequence[EmailReceiver]) -> tuple[Problem, ...]:
    resolver = DnsResolver(settings.resolvers)
    nodes = (await survey(settings.relays, (), resolver)).nodes
    hosts = {_plain(one.host) for one in receivers}
    hosts |= {host for relay in settings.relays for host in _hosts(relay, nodes[relay.name])}
    known = dict(
        zip(hosts, await asyncio.gather(*(_meant(host, resolver) for host in hosts)), strict=True)
    )
    found = ((one, _same(one, settings.relays, nodes, known)) for one in receivers)
    return tuple(Problem(one.place, _said(one, relay)) for one, relay in found if relay)


def _same(
    receiver: EmailReceiver,
    relays: Sequence[Relay],
    nodes: Mapping[str, Sequence[Node]],
    known: Mapping[str, frozenset[str]],
) -> str:
    """The name of the relay that its server is; empty if it is none."""
    own = known[_plain(receiver.host)]
    for relay in relays:
        if any(own & known[host] for host in _hosts(relay, nodes[relay.name])):
            return relay.name
    return ""


def _hosts(relay: Relay, nodes: Sequence[Node]) -> set[str]:
    """All names and addresses that are the relay."""
    return {
        _plain(relay.host),
        *(_plain(name) for one in nodes for name in (one.host, one.tls_name) if name),
    }


async def _meant(host: str, resolver: DnsResolver) -> frozenset[str]:
    """The host, and its addresses if it can be resolved."""
    try:
        return frozenset((host, *(await resolver.addresses(host)).addresses))
    except ResolveFailure:
        return frozenset((host,))


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _said(receiver: EmailReceiver, relay: str) -> str:
    return (
        f"receiver '{receiver.name}' sends its mail through {receiver.host}, which is relay"
        f" '{relay}': while that is at fault, nobody would be told; use a server that is not"
        " probed, or another kind of receiver"
    )
