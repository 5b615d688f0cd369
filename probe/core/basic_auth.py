"""HTTP basic authentication: what a client says, and whether it is right."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field

_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user name with its password."""

    username: str
    password: str = field(repr=False)


def said(authorization: str) -> Credentials | None:
    """The credentials in an Authorization header, or None where it has none (RFC 7617 §2)."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "basic" or len(token) > _LONGEST:
        return None
    try:
        text = base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    username, colon, password = text.partition(":")
    return Credentials(username, password) if colon else None


def same(one: Credentials, other: Credentials) -> bool:
    """Whether both are equal, in a time that tells nothing about where they differ."""
    # Digests are of one length, so that not even the length of the secret is told.
    names = hmac.compare_digest(_digest(one.username), _digest(other.username))
    return hmac.compare_digest(_digest(one.password), _digest(other.password)) and names


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
