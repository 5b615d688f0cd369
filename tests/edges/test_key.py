"""Public keys as DKIM publishes them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.core.records.dkim import PublicKey
from probe.edges.key import read_key

SPKI = Encoding.DER, PublicFormat.SubjectPublicKeyInfo


@pytest.mark.parametrize("bits", [1024, 2048])
def test_an_rsa_key_in_both_its_forms(bits: int) -> None:
    key = rsa.generate_private_key(65537, bits).public_key()
    for form in (SPKI, (Encoding.DER, PublicFormat.PKCS1)):
        assert read_key(key.public_bytes(*form)) == PublicKey("rsa", bits)


def test_other_keys_are_told_apart() -> None:
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    edwards = ed25519.Ed25519PrivateKey.generate().public_key()
    for key in (curve, edwards):
        found = read_key(key.public_bytes(*SPKI))
        assert found is not None
        assert found.kind != "rsa"


@pytest.mark.parametrize("octets", [b"", b"x", b"\x30" * 5000, b"\x30\x82\xff\xff"])
def test_what_is_no_key(octets: bytes) -> None:
    assert read_key(octets) is None
