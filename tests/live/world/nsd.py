"""NSD: the DNS of a test, authoritative for its zones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server

CONFIGURATION = """\
server:
  ip-address: {address}@{port}
  username: root
  database: ""
  server-count: 1
  zonesdir: {home}
  pidfile: {home}/nsd.pid
  xfrdfile: {home}/xfrd.state
  zonelistfile: {home}/zone.list
  logfile: {log}
remote-control:
  control-enable: no
"""

ZONE = """\
$ORIGIN {zone}.
$TTL 1
@ SOA ns.{zone}. hostmaster.{zone}. {serial} 3600 600 86400 1
@ NS ns.{zone}.
ns A {address}
{records}
"""


class Nsd(Server):
    """An NSD of its own; records live for a second where they do not say otherwise."""

    def __init__(
        self,
        world: World,
        zones: Mapping[str, str],
        name: str = "nsd",
        *,
        address: str = LOOPBACK,
        port: int | None = None,
    ) -> None:
        super().__init__(world.folder(name), binary="/usr/sbin/nsd", package="nsd")
        self.address = address
        self.port = port or world.port(address)
        self._zones = dict(zones)
        self._serials = dict.fromkeys(zones, 1)

    def publish(self, zone: str, records: str) -> None:
        """Replace the records of a zone that it has; returns when it serves the new ones.

        While it does not run, they are those that it will start with.
        """
        self._zones[zone] = records
        self._serials[zone] += 1
        self._write_zone(zone)
        if self.processes():
            self.hang_up(command="nsd: server 1")
            self.expect(lambda: self._serves(zone), f"the new zone {zone} is served")

    def _configure(self) -> None:
        conf = CONFIGURATION.format(
            address=self.address, port=self.port, home=self.home, log=self.log
        )
        for zone in self._zones:
            conf += f"zone:\n  name: {zone}\n  zonefile: {zone}.zone\n"
            self._write_zone(zone)
        (self.home / "nsd.conf").write_text(conf)

    def _write_zone(self, zone: str) -> None:
        text = ZONE.format(
            zone=zone,
            serial=self._serials[zone],
            address=self.address,
            records=self._zones[zone],
        )
        (self.home / f"{zone}.zone").write_text(text)

    def _arguments(self) -> Sequence[str]:
        return ["-d", "-c", str(self.home / "nsd.conf")]

    def _is_ready(self) -> bool:
        return all(self._serves(zone) for zone in self._zones)

    def _serves(self, zone: str) -> bool:
        query = dns.message.make_query(zone, dns.rdatatype.SOA)
        try:
            answer = dns.query.udp(query, self.address, timeout=0.2, port=self.port)
        except (OSError, dns.exception.DNSException):
            return False
        return any(rrset[0].serial == self._serials[zone] for rrset in answer.answer)
