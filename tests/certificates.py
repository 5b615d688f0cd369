"""A private CA for tests: certificates that are right, and wrong in every way."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate with its chain, and the key, as files."""

    certificate: Path
    key: Path
    ends: float

    def server_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """A CA whose certificate is in `ca_file`."""

    def __init__(self, folder, name="Test CA", days=30):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = self._signed(self._name, self._key.public_key(), days, ca=True)
        self.ca_file = folder / f"{name}.pem".replace(" ", "-").lower()
        self.ca_file.write_bytes(_pem(self._certificate))

    def issue(self, *names, days=10, chain=False):
        """A certificate for these host names and addresses, with the CA's if `chain`."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        certificate = self._signed(subject, key.public_key(), days, names=names)
        return self._written(certificate, key, also=self._certificate if chain else None)

    def itself(self):
        """The CA's own certificate, as a server's."""
        return self._written(self._certificate, self._key)

    def _signed(self, subject, public_key, days, *, names=(), ca=False):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 90 * DAY)
            .not_valid_after(NOW + days * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            known = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(known, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _written(self, certificate, key, also=None):
        stem = f"{certificate.serial_number:x}"
        shown, secret = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        shown.write_bytes(_pem(certificate) + (_pem(also) if also else b""))
        secret.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        ends = [one.not_valid_after_utc.timestamp() for one in (certificate, also) if one]
        return Issued(shown, secret, min(ends))


def _general(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)
