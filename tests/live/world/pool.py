"""A relay of several nodes with the mailboxes behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from probe.core.model import TlsMode
from tests.certificates import Certificate
from tests.live.world.dovecot import Dovecot
from tests.live.world.ground import World
from tests.live.world.postfix import Postfix

ADDRESSES = ("127.0.0.11", "127.0.0.12", "127.0.0.13")
DOMAINS = ("corp.test", "shop.test")  # Of the mailbox, and of the sender, where DSNs go.


class Pool:
    """One Postfix on each address, all on one port, delivering to one Dovecot."""

    def __init__(
        self,
        world: World,
        *,
        addresses: Sequence[str] = ADDRESSES,
        domains: Sequence[str] = DOMAINS,
        tls: TlsMode = TlsMode.NONE,
        certificate: Certificate | None = None,
        login: bool = False,
        dovecot: Dovecot | None = None,
        settings: Mapping[str, str] | None = None,
        each: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """`each`: by address, what is different about that node, as Postfix takes it."""
        self.dovecot = dovecot or Dovecot(world)
        self.port = world.port(*addresses)
        own = each or {}
        self.nodes = tuple(
            Postfix(
                world,
                f"node{number}",
                **{
                    "lmtp_port": self.dovecot.lmtp_port,
                    "domains": domains,
                    "address": address,
                    "port": self.port,
                    "tls": tls,
                    "certificate": certificate,
                    "sasl_port": self.dovecot.sasl_port if login else None,
                    "settings": settings,
                    **own.get(address, {}),
                },
            )
            for number, address in enumerate(addresses, start=1)
        )

    def start(self) -> None:
        """Start them all at once; returns when all answer."""
        servers = (self.dovecot, *self.nodes)
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_ready()

    def kill(self) -> None:
        """End them all at once."""
        for server in (*self.nodes, self.dovecot):
            server.kill()
