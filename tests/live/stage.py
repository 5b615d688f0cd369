"""The machines that replays share: three that are well, and what each play breaks of its own."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from probe.core.model import TlsMode
from tests.certificates import Certificate, CertificateAuthority
from tests.live.prober import KEY
from tests.live.replay import INTERVAL, SUSPECT
from tests.live.world import (
    LOOPBACK,
    PASSWORD,
    Address,
    Dovecot,
    Network,
    Postfix,
    Proxy,
    World,
)

DAY = timedelta(days=1)
# What could not be delivered is tried again so much later: as late as a mailbox is long back.
PATIENT = {"minimal_backoff_time": "10s", "maximal_backoff_time": "20s"}


class Stage:
    """Three Postfix, a Dovecot, and another one that a play may stop; a network of proxies."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.authority = CertificateAuthority(
            world.folder("authority"), not_after=datetime.now(UTC) + 400 * DAY
        )
        self.dovecot = Dovecot(world)
        self.frail = Dovecot(world, "frail")  # Of the domain frail.test.
        self.network = Network(world)
        certificate = self.certificate(90 * DAY)
        self.good = tuple(self._make(f"good{number}", certificate, PATIENT) for number in (1, 2, 3))

    def start(self) -> None:
        """Start what is shared."""
        with ThreadPoolExecutor() as executor:
            servers = (self.dovecot, self.frail, self.network, *self.good)
            for _ in executor.map(self.world.run, servers):
                pass

    def kill(self) -> None:
        """The world ends what was started."""

    def certificate(self, life: timedelta) -> Certificate:
        """One for the pool, which ends after so long."""
        return self.authority.issue("pool.test", not_after=datetime.now(UTC) + life)

    def postfix(
        self, name: str, certificate: Certificate | None = None, **settings: str
    ) -> Postfix:
        """One more, which is broken or is to be."""
        return self.world.run(self._make(name, certificate, settings))

    def proxy(self, number: int = 1) -> Proxy:
        """A proxy before one of the three."""
        return self.network.before(self.good[number].address, self.good[number].port)

    def transports(self, **others: str) -> str:
        """Where mail goes; `others`: by the first part of a domain, where it goes instead."""
        ways = {
            "corp": f"lmtp:inet:{LOOPBACK}:{self.dovecot.lmtp_port}",
            "shop": f"lmtp:inet:{LOOPBACK}:{self.dovecot.lmtp_port}",
            "frail": f"lmtp:inet:{LOOPBACK}:{self.frail.lmtp_port}",
            **others,
        }
        return "inline:{" + ", ".join(f"{name}.test={way}" for name, way in ways.items()) + "}"

    def _make(
        self, name: str, certificate: Certificate | None, settings: Mapping[str, str]
    ) -> Postfix:
        return Postfix(
            self.world,
            name,
            domains=("corp.test", "shop.test", "frail.test"),
            tls=TlsMode.NONE if certificate is None else TlsMode.STARTTLS,
            certificate=certificate,
            settings={"transport_maps": self.transports(), **settings},
        )

    # ---- the prober's view

    def settings(
        self,
        name: str,
        nodes: Mapping[str, Address] | str,
        *,
        domain: str = "corp.test",
        imap_port: int | None = None,
        **of_relay: object,
    ) -> dict[str, Any]:
        """A prober of one relay with these nodes, or with a plan for them, and one mailbox."""
        if not isinstance(nodes, str):
            nodes = [f"{node}={host}:{port}" for node, (host, port) in nodes.items()]
        relay = {"host": "pool.test", "tls": "none", "helo": "prober.test", "nodes": nodes}
        return {
            "instance": name,
            "tag_key": KEY,
            "defaults": {"interval": f"{INTERVAL:g}s", "deadline": "60s", "give_up": "10m"},
            "relays": {"pool": {**relay, **of_relay}},
            # Called by the name of the play, as the phase of a route follows from its names.
            "senders": {name: {"address": f"{name}@shop.test"}},
            "mailboxes": {"corp": self.mailbox(f"{name}@{domain}", port=imap_port)},
        }

    def mailbox(self, address: str, *, port: int | None = None) -> dict[str, object]:
        """A mailbox, which is read in clear text."""
        dovecot = self.frail if address.endswith("@frail.test") else self.dovecot
        imap = {
            "host": LOOPBACK,
            "port": port or dovecot.imap_port,
            "tls": "none",
            "username": address,
            "password": PASSWORD,
        }
        return {"address": address, "imap": imap}

    def nodes(self, suspect: Postfix | Proxy | None = None) -> dict[str, Address]:
        """The three nodes of a pool, of which one may be another machine."""
        nodes = {f"n{n}": (one.address, one.port) for n, one in enumerate(self.good, start=1)}
        if suspect is not None:
            nodes[SUSPECT] = (suspect.address, suspect.port)
        return nodes
