"""Unbound: a resolver that validates DNSSEC from anchors that a test gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server

CONFIGURATION = """\
server:
  interface: {address}@{port}
  do-daemonize: no
  chroot: ""
  username: ""
  directory: {home}
  pidfile: {home}/unbound.pid
  use-syslog: no
  do-ip6: no
  do-not-query-localhost: no
  qname-minimisation: no
  num-threads: 1
  module-config: "validator iterator"
  local-zone: "test." nodefault
"""


class Unbound(Server):
    """An Unbound of its own, which knows where these zones are, and nothing else."""

    def __init__(self, world: World, stubs: Mapping[str, str], anchors: Sequence[str]) -> None:
        """`stubs` are `ADDRESS@PORT` by zone; `anchors` the keys to trust."""
        super().__init__(world.folder("unbound"), binary="/usr/sbin/unbound", package="unbound")
        self.address = LOOPBACK
        self.port = world.port()
        self._stubs = dict(stubs)
        self._anchors = anchors

    def _configure(self) -> None:
        conf = CONFIGURATION.format(address=self.address, port=self.port, home=self.home)
        conf += "".join(f"  trust-anchor: '{anchor}'\n" for anchor in self._anchors)
        for zone, place in self._stubs.items():
            conf += f"stub-zone:\n  name: {zone}\n  stub-addr: {place}\n"
        (self.home / "unbound.conf").write_text(conf)

    def _arguments(self) -> Sequence[str]:
        return ["-d", "-c", str(self.home / "unbound.conf")]

    def _is_ready(self) -> bool:
        query = dns.message.make_query("localhost", dns.rdatatype.A)
        try:
            answer = dns.query.udp(query, self.address, timeout=0.5, port=self.port)
        except (OSError, dns.exception.DNSException):
            return False
        return answer.rcode() == dns.rcode.NOERROR
