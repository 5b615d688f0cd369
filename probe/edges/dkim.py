"""DKIM signatures verified through dkimpy (RFC 6376, RFC 8463), in a thread.

The key is given, never looked up here. What dkimpy cannot be given (`core.signature.unfit`,
`flaw_of_key`, `is_too_long`) must have been sorted out before.
"""

from __future__ import annotations

import asyncio

import dkim

from probe.core.wire import clean

_REFUSED = (
    dkim.DKIMException,  # What it says of fields, keys and hashes that are wrong.
    ValueError,  # Base64, numbers, ASCII.
    LookupError,  # A header that begins with a continuation; keys cut short.
    TypeError,
    ArithmeticError,
)
_WHY_LIMIT = 120
_OLD_HASH = b"rsa-sha1"


class DkimVerifier:
    """Fulfils ports.SignatureVerifier; at most two messages at a time."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(2)

    async def verify(self, message: bytes, index: int, key: str) -> str:
        """What is wrong with the DKIM-Signature field of this index, or nothing."""
        async with self._places:
            return await asyncio.to_thread(_verify, message, index, key.encode(errors="replace"))


def _verify(message: bytes, index: int, key: bytes) -> str:
    try:
        tried = dkim.DKIM(message)
        good = tried.verify(index, dnsfunc=lambda name, timeout=5: key)
    except _REFUSED as refusal:
        return _said(refusal)
    if tried.signature_fields.get(b"a") == _OLD_HASH:
        return "it uses SHA-1, which receivers must not take (RFC 8301)"
    return "" if good else "it does not fit to the header and the key"


def _said(refusal: Exception) -> str:
    """In words of ours where it matters, since what dkimpy says holds pieces of the message."""
    text = str(refusal)
    if text.startswith("body hash mismatch"):
        return "it does not fit to the body"
    if text.startswith("public key too small"):
        return "its key has less than 1024 bits (RFC 8301)"
    if text.startswith("x= value is past"):
        return "it has expired"
    return f"it cannot be verified: {clean(text, _WHY_LIMIT)}"
