"""A certificate authority: certificates that are right, and every way they can be wrong."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.live.world.ground import World

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate on disk."""

    chain_file: Path  # The certificate and its issuer, PEM.
    key_file: Path
    not_after: datetime


class CertificateAuthority:
    """Issues certificates; `ca_file` is what a client has to trust."""

    def __init__(self, world: World, name: str = "authority") -> None:
        self._folder = world.folder(name)
        self._issued = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._self_signed()
        self.ca_file = self._folder / "ca.pem"
        self.ca_file.write_bytes(_pem(self._certificate))

    def issue(
        self, *names: str, not_after: datetime | None = None, expired: bool = False
    ) -> Certificate:
        """A certificate for these names and IP addresses, good for a day unless said otherwise."""
        now = datetime.now(UTC).replace(microsecond=0)
        end = not_after or (now - DAY if expired else now + DAY)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(min(now, end) - DAY)
            .not_valid_after(end)
            .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
            .add_extension(_issuer_key(self._key), False)
            .sign(self._key, hashes.SHA256())
        )
        return self._write(certificate, key, end)

    def _self_signed(self) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
            .add_extension(_signs_certificates(), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(
        self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey, end: datetime
    ) -> Certificate:
        self._issued += 1
        chain_file = self._folder / f"{self._issued}.pem"
        key_file = self._folder / f"{self._issued}.key"
        chain_file.write_bytes(_pem(certificate) + _pem(self._certificate))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return Certificate(chain_file, key_file, end)


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
