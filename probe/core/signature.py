"""The DKIM signatures in a header (RFC 6376): whose they are, and what became of verifying them.

Which of them can be verified is decided here as well, because the library that does it takes
seconds for what no honest message contains.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from probe.core.header import Field, fields
from probe.core.records import tags

MOST = 3  # Signatures of one domain that are verified.

_MOST_FIELDS = 300
_LONGEST_SIGNATURE = 4096
_LONGEST_KEY = 1024  # RSA with 4096 bits fits; a larger one holds up everybody for a second.
_GAP = re.compile(rb"\s{100}")
_LABELS = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
_NAME = re.compile(_LABELS, re.IGNORECASE | re.ASCII)
_NAME_LIMIT = 253


@dataclass(frozen=True, slots=True)
class Signature:
    """One DKIM-Signature field, as far as it says whose it is; names in lower case."""

    domain: str  # d=
    selector: str  # s=
    index: int  # Among the DKIM-Signature fields, the topmost is 0.

    @property
    def key_name(self) -> str:
        """Where its key is published (RFC 6376 §3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


class Validity(StrEnum):
    """What became of verifying a signature."""

    GOOD = "good"
    BAD = "bad"  # It does not fit to the message, or to the key.
    KEYLESS = "keyless"  # DNS says that there is no such key, or that it was revoked.
    OPEN = "open"  # Nobody could tell: no answer from DNS, or a message that is not verified.


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature, and what became of verifying it."""

    signature: Signature
    validity: Validity
    why: str = ""  # In words, where it is not good.


def signatures(header: bytes, domain: str) -> tuple[Signature, ...]:
    """The signatures for a sender's domain, topmost first, at most MOST.

    A signature is for the domain if its own is the same, a parent or a child of it: that is what
    relaxed alignment (RFC 9989 §4.4) comes to among domains of one owner.
    """
    read = (_signature(field, at) for at, field in enumerate(_signature_fields(header)))
    ours = (one for one in read if one is not None and is_aligned(one.domain, domain))
    return tuple(islice(ours, MOST))


def is_aligned(signer: str, domain: str) -> bool:
    """Whether a signature of one domain speaks for another; a top-level domain does for none."""
    signer, domain = signer.lower(), domain.lower()
    shorter, longer = sorted((signer, domain), key=len)
    return signer == domain or ("." in shorter and longer.endswith(f".{shorter}"))


def unfit(header: bytes, body: bytes, size: int) -> str:
    """Why a message cannot be verified, or nothing; `size` is that of the whole message.

    What is told apart here took dkimpy 8 s: it is quadratic in white space and header fields.
    """
    if len(header) + len(body) < size:
        return "it was not fetched whole"
    if len(fields(header)) > _MOST_FIELDS:
        return f"it has more than {_MOST_FIELDS} header fields"
    if _GAP.search(header) or _GAP.search(body):
        return "it has too much white space in a row"
    if any(len(f.value) > _LONGEST_SIGNATURE for f in _signature_fields(header)):
        return "its signature is too long"
    return ""


def flaw_of_key(text: str) -> str:
    """What makes a key useless before it is tried, or nothing (RFC 6376 §3.6.1)."""
    if not text:
        return "there is no such key"
    values = tags.parse(text).values
    if "p" not in values:
        return "the record holds no key"
    return "" if values["p"] else "the key was revoked"


def is_too_long(key: str) -> bool:
    """Whether a key is not tried; receivers may take it (RFC 8301 §3.2: up to 4096 bits they must).

    One with 6000 bits took dkimpy 0.8 s.
    """
    return len(key) > _LONGEST_KEY


def _signature_fields(header: bytes) -> list[Field]:
    return [field for field in fields(header) if field.name == "dkim-signature"]


def _signature(field: Field, index: int) -> Signature | None:
    """What a field says; None where it names nobody."""
    values = tags.parse(field.value[:_LONGEST_SIGNATURE]).values
    domain, selector = ("".join(values.get(tag, "").split()).lower() for tag in "ds")
    if not _is_name(domain) or not _is_name(selector):
        return None
    return Signature(domain, selector, index)


def _is_name(text: str) -> bool:
    return len(text) <= _NAME_LIMIT and _NAME.fullmatch(text) is not None
