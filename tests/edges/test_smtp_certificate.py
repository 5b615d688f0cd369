"""The certificates of mail servers: what strangers show is read, whatever it is."""

from __future__ import annotations

import ssl
from pathlib import Path

from cryptography import x509

from probe.edges.smtp_certificate import key_of
from tests.certificates import CertificateAuthority

EC_KEY, NO_KEY = bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d027f")


def test_a_key_of_an_unknown_type_is_no_key(tmp_path: Path) -> None:
    octets = ssl.PEM_cert_to_DER_cert(CertificateAuthority(tmp_path).ca_file.read_text())
    assert key_of(x509.load_der_x509_certificate(octets))
    strange = octets.replace(EC_KEY, NO_KEY)
    assert strange != octets
    assert key_of(x509.load_der_x509_certificate(strange)) == b""
