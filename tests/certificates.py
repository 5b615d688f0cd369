"""A certificate authority: certificates that are right, and every way they can be wrong."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate on disk."""

    chain_file: Path  # The certificate and, unless left out, its issuer, PEM.
    key_file: Path
    not_after: datetime

    def server_context(self) -> ssl.SSLContext:
        """What a server in this process shows it with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file, self.key_file)
        return context


class CertificateAuthority:
    """Issues certificates into a folder of its own; `ca_file` is what a client has to trust."""

    def __init__(
        self,
        folder: Path,
        name: str = "authority",
        *,
        not_after: datetime | None = None,
        bare: bool = False,
    ) -> None:
        """`bare`: without the extensions that RFC 5280 demands, and many a private one lacks."""
        self._folder = folder
        self._bare = bare
        self._issued = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.not_after = not_after or _now() + 30 * DAY
        self._certificate = self._self_signed()
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(_pem(self._certificate))

    def issue(
        self,
        *names: str,
        not_after: datetime | None = None,
        expired: bool = False,
        chain: bool = True,
    ) -> Certificate:
        """A certificate for these names and IP addresses, good for a day unless said otherwise."""
        now = _now()
        end = not_after or (now - DAY if expired else now + DAY)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(key)
            .subject_name(_named("server"))
            .not_valid_before(min(now, end) - DAY)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        )
        if not self._bare:
            builder = builder.add_extension(_issuer_key(self._key), False)
        shown = [builder.sign(self._key, hashes.SHA256()), *[self._certificate] * chain]
        return self._write(shown, key, end)

    def own(self) -> Certificate:
        """The authority's own certificate, as a server's."""
        return self._write([self._certificate], self._key, self.not_after)

    def _self_signed(self) -> x509.Certificate:
        builder = (
            self._builder(self._key)
            .subject_name(self._name)
            .not_valid_before(_now() - 30 * DAY)
            .not_valid_after(self.not_after)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        )
        if not self._bare:
            own_key = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
            builder = builder.add_extension(_signs_certificates(), True)
            builder = builder.add_extension(own_key, False)
        return builder.sign(self._key, hashes.SHA256())

    def _builder(self, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
        )

    def _write(
        self, shown: list[x509.Certificate], key: ec.EllipticCurvePrivateKey, end: datetime
    ) -> Certificate:
        self._issued += 1
        chain_file = self._folder / f"{self._issued}.pem"
        key_file = self._folder / f"{self._issued}.key"
        chain_file.write_bytes(b"".join(_pem(certificate) for certificate in shown))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Certificate(chain_file, key_file, end)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _issuer_key(key: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _signs_certificates() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
