"""Knot: authoritative servers whose zones are signed, for whatever needs DNSSEC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server

CONFIGURATION = """\
server:
  rundir: {home}
  pidfile: {home}/knot.pid
  listen: {address}@{port}
database:
  storage: {home}
log:
  - target: stderr
    any: info
control:
  listen: {home}/knot.sock
template:
  - id: default
    storage: {home}
    zonefile-sync: -1
zone:
"""

ZONE = """\
$ORIGIN {zone}.
$TTL 1
@ SOA ns.{zone}. hostmaster.{zone}. 1 3600 600 86400 1
@ NS ns.{zone}.
ns A {address}
{records}
"""


class Knot(Server):
    """A Knot of its own, which signs its zones with keys that it makes at start."""

    def __init__(self, world: World, zones: Mapping[str, str], unsigned: Sequence[str]) -> None:
        super().__init__(world.folder("knot"), binary="/usr/sbin/knotd", package="knot")
        self.address = LOOPBACK
        self.port = world.port()
        self._zones = dict(zones)
        self._unsigned = frozenset(unsigned)

    def anchor(self, zone: str) -> str:
        """The key that a validating resolver has to trust."""
        return next(f"{zone}. DNSKEY {key}" for key in self._keys(zone) if key.startswith("257"))

    def _configure(self) -> None:
        conf = CONFIGURATION.format(address=self.address, port=self.port, home=self.home)
        for zone, records in self._zones.items():
            signing = "off" if zone in self._unsigned else "on"
            conf += f"  - domain: {zone}\n    file: {zone}.zone\n    dnssec-signing: {signing}\n"
            text = ZONE.format(zone=zone, address=self.address, records=records)
            (self.home / f"{zone}.zone").write_text(text)
        (self.home / "knot.conf").write_text(conf)

    def _arguments(self) -> Sequence[str]:
        return ["-c", str(self.home / "knot.conf")]

    def _is_ready(self) -> bool:
        return all(self._keys(zone) or zone in self._unsigned for zone in self._zones)

    def _keys(self, zone: str) -> list[str]:
        query = dns.message.make_query(zone, dns.rdatatype.DNSKEY)
        try:
            answer = dns.query.tcp(query, self.address, timeout=0.5, port=self.port)
        except (OSError, EOFError, dns.exception.DNSException):
            return []
        return [record.to_text() for rrset in answer.answer for record in rrset]
