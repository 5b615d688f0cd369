"""DANE: certificates against TLSA records, which count only where DNSSEC vouches for them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.core.records.check import Check, CheckKind, CheckState, DomainPlan
from probe.edges.key import read_key
from probe.edges.policy import PolicyFetcher
from probe.edges.resolver import DnsResolver
from probe.edges.resolver_records import DnsRecords
from probe.edges.semantics import LibrarySemantics
from probe.edges.smtp_certificate import SmtpCertificates
from probe.engine.examiner import Examiner
from tests.certificates import Certificate, CertificateAuthority
from tests.live.world import World
from tests.live.world.knot import Knot
from tests.live.world.unbound import Unbound

pytestmark = pytest.mark.timeout(120)

OK, WARN, FAIL, ERROR, NONE = CheckState


@dataclass
class MailServer:
    """An SMTP server that only knows STARTTLS, and may do without."""

    certificate: Certificate
    offers_tls: bool = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.dane.test\r\n")
        try:
            while line := (await reader.readline()).strip().upper():
                if line == b"STARTTLS":
                    writer.write(b"220 go\r\n")
                    await writer.start_tls(self.certificate.server_context())
                else:
                    offer = (
                        b"250-hello\r\n250 STARTTLS\r\n" if self.offers_tls else b"250 hello\r\n"
                    )
                    writer.write(offer)
        except OSError:
            pass
        writer.close()


@asynccontextmanager
async def serving(server: MailServer) -> AsyncIterator[int]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


@dataclass(frozen=True, slots=True)
class Scene:
    resolver: str
    plain: str  # The authoritative server, which vouches for nothing.
    certificate: Certificate


def digest(certificate: Certificate) -> str:
    """The value of a TLSA record 3 1 1."""
    leaf = x509.load_pem_x509_certificates(certificate.chain_file.read_bytes())[0]
    key = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).hexdigest()


def whole(certificate: Certificate, place: int) -> str:
    """The value of a TLSA record with selector 0 and matching type 1."""
    chain = x509.load_pem_x509_certificates(certificate.chain_file.read_bytes())
    return hashlib.sha256(chain[place].public_bytes(Encoding.DER)).hexdigest()


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with World() as world:
        folder = world.folder("authority")
        certificate = CertificateAuthority(folder).issue("mx.right.test")
        right = f"_25._tcp.mx TLSA 3 1 1 {digest(certificate)}"
        zones = {
            "right.test": right,
            "anchor.test": f"_25._tcp.mx TLSA 2 0 1 {whole(certificate, 1)}",
            "wrong.test": f"_25._tcp.mx TLSA 3 1 1 {'ab' * 32}",
            "rollover.test": f"_25._tcp.mx TLSA 3 1 1 {'ab' * 32}\n{right}",
            "useless.test": f"_25._tcp.mx TLSA 1 1 1 {digest(certificate)}",
            "without.test": "",
            "unsigned.test": right,
            "bogus.test": right,
        }
        mail = "@ MX 10 mx\nmx A 127.0.0.1\n"
        zones = {zone: mail + records for zone, records in zones.items()}
        knot = world.run(Knot(world, zones, unsigned=["unsigned.test"]))
        place = f"{knot.address}@{knot.port}"
        anchors = [
            knot.anchor(zone) for zone in zones if zone not in ("unsigned.test", "bogus.test")
        ]
        anchors.append(knot.anchor("right.test").replace("right.test.", "bogus.test."))
        unbound = world.run(Unbound(world, dict.fromkeys(zones, place), anchors))
        yield Scene(f"{unbound.address}:{unbound.port}", f"{knot.address}:{knot.port}", certificate)


async def check(resolver: str, domain: str, port: int) -> Check:
    examiner = Examiner(
        DnsRecords(DnsResolver([resolver])),
        semantics=LibrarySemantics(),
        policies=PolicyFetcher(),
        certificates=SmtpCertificates("prober.test", port=port),
        read_key=read_key,
    )
    found = await examiner.inspect(DomainPlan(domain), frozenset({CheckKind.DANE}))
    [dane] = found.checks
    return dane


@pytest.mark.parametrize(
    ("domain", "state", "said"),
    [
        ("right.test", OK, "promises"),
        ("anchor.test", OK, "promises"),
        ("rollover.test", OK, "promises"),
        ("wrong.test", FAIL, "no TLSA record promises"),
        ("useless.test", WARN, "No TLSA record of mx.useless.test"),
        ("without.test", NONE, "no TLSA record"),
        ("unsigned.test", WARN, "DNSSEC does not vouch"),
    ],
)
async def test_the_certificate_is_that_of_the_record(
    scene: Scene, domain: str, state: CheckState, said: str
) -> None:
    async with serving(MailServer(scene.certificate)) as port:
        found = await check(scene.resolver, domain, port)
    assert (found.state, found.subject) == (state, f"mx.{domain}"), found
    assert said in found.summary


async def test_records_count_only_where_the_resolver_vouches_for_them(scene: Scene) -> None:
    async with serving(MailServer(scene.certificate)) as port:
        found = await check(scene.plain, "right.test", port)
    assert found.state is WARN
    assert "DNSSEC does not vouch for the MX record of right.test" in found.summary


async def test_a_server_without_tls_fails_and_one_that_is_away_is_unknown(scene: Scene) -> None:
    async with serving(MailServer(scene.certificate, offers_tls=False)) as port:
        plain = await check(scene.resolver, "right.test", port)
    away = await check(scene.resolver, "right.test", port)
    assert (plain.state, plain.summary) == (FAIL, "mx.right.test does not offer STARTTLS.")
    assert away.state is ERROR
    assert "could not be asked" in away.summary


async def test_a_broken_signature_is_no_missing_record(scene: Scene) -> None:
    examiner = Examiner(
        DnsRecords(DnsResolver([scene.resolver])),
        semantics=LibrarySemantics(),
        policies=PolicyFetcher(),
        certificates=SmtpCertificates("prober.test"),
        read_key=read_key,
    )
    found = await examiner.inspect(DomainPlan("bogus.test"), frozenset({CheckKind.MX}))
    [mx] = found.checks
    assert mx.state is ERROR
    assert "SERVFAIL" in mx.summary
