"""Public keys, as DKIM publishes them."""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from probe.core.records.dkim import PublicKey

MAX_OCTETS = 4096


def read_key(octets: bytes) -> PublicKey | None:
    """What a key is, by its DER form; None for what is none."""
    try:
        key = load_der_public_key(octets[:MAX_OCTETS])
    except (ValueError, UnsupportedAlgorithm):
        return None
    if isinstance(key, RSAPublicKey):
        return PublicKey("rsa", key.key_size)
    return PublicKey(type(key).__name__.removesuffix("PublicKey").lower(), 0)
