"""The token: a signed tag as it stands in a message, and its short form.

The format, version 1. A token is 41 bytes in lower-case base32 (RFC 4648 §6, alphabet a-z2-7)
without padding, which makes 66 characters; either case is read. Numbers are big-endian.

    bytes    length  what
    0        1       version, 1
    1..6     6       the random id of the sender's journal
    7..10    4       first bytes of the SHA-256 of the instance's name
    11..14   4       first bytes of the SHA-256 of `relay/node/sender/mailbox`
    15..19   5       sequence number within the journal
    20..24   5       time of sending, hundredths of a second since 1970, UTC
    25..40   16      first bytes of HMAC-SHA256(key, bytes 0..24)

The short id is 15 bytes in the same base32, 24 characters: the sequence number (5 bytes) and
the first 10 bytes of the HMAC. It cannot be verified with the key alone: the journal knows the
token of that sequence number, and whether this is its short id.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b32encode
from collections.abc import Sequence
from enum import StrEnum
from urllib.parse import quote

from probe.core.model import RouteKey, Tag

TOKEN_LENGTH = 66
SHORT_LENGTH = 24
FUTURE = 600.0  # How far ahead of our wall clock a tag's time may be (s).

# The last character of a token holds but three bits; the two below them are nothing.
_BASE32 = re.compile(r"[a-z2-7]{24}|[a-z2-7]{65}[aeimquy4]", re.IGNORECASE | re.ASCII)
_DIGITS = str.maketrans("abcdefghijklmnopqrstuvwxyz234567", "0123456789abcdefghijklmnopqrstuv")
_VERSION = 1
_PAYLOAD = 25
_MAC = 16
_SEQUENCE = slice(15, 20)


class Flaw(StrEnum):
    """Why a token is not taken for a tag."""

    MALFORMED = "malformed"  # Not a token, or of another version.
    BAD_MAC = "bad_mac"  # None of the keys signed it.


def digest_of_instance(instance: str) -> str:
    """The 8 hex digits that stand for an instance's name."""
    return _digest(instance)


def digest_of_route(route: RouteKey) -> str:
    """The 8 hex digits that stand for a route."""
    return _digest(str(route))


def spelled(name: str) -> str:
    """A name as it stands in our messages: ASCII, percent-encoded where it might break a field."""
    return quote(name, safe="/:@[]!$&'()*+,", errors="replace")


def make(journal: str, instance: str, route: RouteKey, *, sequence: int, time: float) -> Tag:
    """The tag of a probe; `journal` is 12 hex digits, `time` the Unix time of sending (s)."""
    return Tag(
        journal=journal,
        instance=digest_of_instance(instance),
        route=digest_of_route(route),
        sequence=sequence,
        time=round(time * 100),
    )


def sign(tag: Tag, key: bytes) -> str:
    """The token of a tag. Raises ValueError or OverflowError where a value has no room in it."""
    names = bytes.fromhex(tag.journal + tag.instance + tag.route)
    if len(names) != _SEQUENCE.start - 1:
        raise ValueError(f"tag {tag}: digests of the wrong length")
    numbers = tag.sequence.to_bytes(5, "big") + tag.time.to_bytes(5, "big")
    payload = bytes([_VERSION]) + names + numbers
    return _written(payload + _mac(payload, key))


def verify(token: str, keys: Sequence[bytes]) -> Tag | Flaw:
    """The tag that one of the keys signed, or what is wrong with the token. Never raises."""
    raw = _raw(token)
    if raw is None:
        return Flaw.MALFORMED
    payload, mac = raw[:_PAYLOAD], raw[_PAYLOAD:]
    matches = [hmac.compare_digest(_mac(payload, key), mac) for key in keys]
    return _tag(payload) if any(matches) else Flaw.BAD_MAC


def read(token: str) -> Tag | None:
    """What a token claims, unverified; None where it is malformed."""
    raw = _raw(token)
    return None if raw is None else _tag(raw[:_PAYLOAD])


def is_current(tag: Tag, *, wall: float, lifetime: float) -> bool:
    """Whether a tag is neither expired at Unix time `wall` nor too far in the future (s)."""
    return -FUTURE <= wall - tag.time / 100 <= lifetime


def short(token: str) -> str:
    """The short id of a token. Raises ValueError where it is malformed."""
    raw = _raw(token)
    if raw is None:
        raise ValueError("a malformed token has no short id")
    return _written(raw[_SEQUENCE] + raw[_PAYLOAD : _PAYLOAD + 10])


def sequence_of_short(text: str) -> int | None:
    """The sequence number that a short id claims; None where it is malformed."""
    raw = _bytes(text, SHORT_LENGTH)
    return None if raw is None else int.from_bytes(raw[:5], "big")


def is_short_of(text: str, token: str) -> bool:
    """Whether `text` is the short id of `token`, in constant time. Never raises."""
    raw = _raw(token)
    said = _bytes(text, SHORT_LENGTH)
    if raw is None or said is None:
        return False
    return hmac.compare_digest(said, raw[_SEQUENCE] + raw[_PAYLOAD : _PAYLOAD + 10])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:8]


def _mac(payload: bytes, key: bytes) -> bytes:
    # `hmac.digest` lets other threads run meanwhile, and waiting for them takes ten times as long.
    return hmac.new(key, payload, "sha256").digest()[:_MAC]


def _tag(payload: bytes) -> Tag:
    return Tag(
        journal=payload[1:7].hex(),
        instance=payload[7:11].hex(),
        route=payload[11:15].hex(),
        sequence=int.from_bytes(payload[_SEQUENCE], "big"),
        time=int.from_bytes(payload[20:25], "big"),
    )


def _raw(token: str) -> bytes | None:
    raw = _bytes(token, TOKEN_LENGTH)
    return raw if raw is not None and raw[0] == _VERSION else None


def _written(raw: bytes) -> str:
    return b32encode(raw).decode("ascii").rstrip("=").lower()


def _bytes(text: str, length: int) -> bytes | None:
    """Base32 without padding, in the one canonical spelling: no two texts are the same bytes."""
    if len(text) != length or not _BASE32.fullmatch(text):
        return None
    # As a number to the base of 32, which takes a tenth of the time of `b32decode`.
    number = int(text.lower().translate(_DIGITS), 32)
    return (number >> 5 * length % 8).to_bytes(5 * length // 8, "big")
