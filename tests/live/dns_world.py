"""Sender domains on real NSDs: a zone for each way in which a domain can be right or wrong."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.core.records.check import Check, CheckKind, DomainPlan, Inspection
from probe.edges.key import read_key
from probe.edges.policy import PolicyFetcher
from probe.edges.resolver import DnsResolver
from probe.edges.resolver_records import DnsRecords
from probe.edges.semantics import LibrarySemantics
from probe.edges.smtp_certificate import SmtpCertificates
from probe.engine.examiner import Examiner
from tests.live.world import Nsd, World

FIRST, SECOND = "127.0.0.2", "127.0.0.3"  # The addresses of the two name servers.
IP, OTHER_IP = "192.0.2.10", "192.0.2.20"
PORTS = {"policy": 443, "smtp": 25}


@dataclass(frozen=True, slots=True)
class DnsWorld:
    """Two NSDs with the same zones, which both are resolvers and authoritative."""

    first: Nsd
    second: Nsd

    def examiner(
        self, *, ca_file: Path | None = None, ports: Mapping[str, int] = PORTS, resolver: str = ""
    ) -> Examiner:
        """The checks over the first of them, or over another resolver."""
        servers = [resolver or f"{self.first.address}:{self.first.port}"]
        return Examiner(
            DnsRecords(DnsResolver(servers), port=self.first.port),
            semantics=LibrarySemantics(),
            policies=PolicyFetcher(ca_file=str(ca_file) if ca_file else None, port=ports["policy"]),
            certificates=SmtpCertificates("prober.test", port=ports["smtp"]),
            read_key=read_key,
        )

    async def inspect(self, plan: DomainPlan, *kinds: CheckKind) -> Inspection:
        return await self.examiner().inspect(plan, frozenset(kinds or CheckKind))

    async def check(self, kind: CheckKind, domain: str, **plan: object) -> Check:
        """The only check of this kind."""
        found = await self.inspect(DomainPlan(domain, **plan), kind)  # type: ignore[arg-type]
        [check] = found.checks
        return check


@contextmanager
def dns_world(zones: Mapping[str, str]) -> Iterator[DnsWorld]:
    """Both servers with these zones, each of which has both as its name servers."""
    with ExitStack() as ends:
        world = ends.enter_context(World())
        port = world.port(FIRST, SECOND)
        complete = {zone: text + _SECOND_SERVER for zone, text in zones.items()}
        servers = [
            world.run(Nsd(world, complete, name, address=address, port=port))
            for name, address in (("first", FIRST), ("second", SECOND))
        ]
        yield DnsWorld(*servers)


_SECOND_SERVER = f"\n@ NS ns2\nns2 A {SECOND}\n"


def rsa_key(bits: int) -> str:
    """The value of p= for a new key."""
    key = rsa.generate_private_key(65537, bits).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(der).decode()


def txt(name: str, text: str) -> str:
    """A line of a zone: a TXT record in strings of 255 octets at most."""
    parts = [text[i : i + 255] for i in range(0, len(text), 255)] or [""]
    return f"{name} TXT " + " ".join(f'"{part}"' for part in parts)
