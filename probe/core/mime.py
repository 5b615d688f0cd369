"""The body of a message as text, whatever was done to it on the way (RFC 2045, 2046).

Nothing here raises, all work is linear in what is read, and parts nest only so deep.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from quopri import decodestring

from probe.core.header import LIMIT, Field, fields, first

_DEPTH = 4
_PARTS = 32
_BOUNDARY = re.compile(r"boundary\s*=\s*(?:\"([^\"]+)\"|([^\s;\"]+))", re.I)
_EMPTY_LINE = re.compile(rb"^\r?\n", re.M)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_CUT_ESCAPE = re.compile(rb"=[0-9A-Fa-f\r]?\Z")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that holds no parts."""

    kind: str  # `text/plain`, in lower case.
    text: str  # Its content, with the transfer encoding undone; bytes that are not UTF-8 replaced.


def leaves(header: Sequence[Field], body: bytes) -> list[Leaf]:
    """The parts of a message in their order; a message without parts is its own only one."""
    return list(_leaves(header, body[:LIMIT], _DEPTH))


def kind(header: Sequence[Field]) -> str:
    """The media type, in lower case and without parameters; text/plain where none is given."""
    said = first(header, "content-type").partition(";")[0].strip().lower()
    return said or "text/plain"


def _leaves(header: Sequence[Field], body: bytes, depth: int) -> Iterator[Leaf]:
    boundary = _boundary(first(header, "content-type"))
    if not (depth and boundary and kind(header).startswith("multipart/")):
        encoding = first(header, "content-transfer-encoding").lower()
        yield Leaf(kind(header), _decoded(body, encoding).decode("utf-8", "replace"))
        return
    for part in _parts(body, boundary):
        head, content = _split(part)
        yield from _leaves(fields(head), content, depth - 1)


def _boundary(content_type: str) -> str:
    match = _BOUNDARY.search(content_type)
    return (match[1] or match[2])[:200] if match else ""


def _parts(body: bytes, boundary: str) -> list[bytes]:
    """What stands between the delimiter lines; the last part need not be closed."""
    delimiter = b"--" + re.escape(boundary.encode(errors="replace"))
    lines = re.finditer(rb"^" + delimiter + rb"(--)?[ \t]*\r?$\n?", body, re.M)
    found: list[bytes] = []
    start: int | None = None
    for line in lines:
        if start is not None:
            found.append(body[start : line.start()])
        start = None if line[1] else line.end()
        if start is None or len(found) == _PARTS:
            return found
    return found if start is None else [*found, body[start:]]


def _split(part: bytes) -> tuple[bytes, bytes]:
    """Header and body of a part, which its first empty line separates."""
    line = _EMPTY_LINE.search(part)
    return (part[: line.start()], part[line.end() :]) if line else (part, b"")


def _decoded(body: bytes, encoding: str) -> bytes:
    """The content, as far as it has come."""
    match encoding:
        case "base64":
            coded, _, rest = body.partition(b"=")
            digits = _NOT_BASE64.sub(b"", coded)
            digits = digits[:-1] if len(digits) % 4 == 1 else digits
            # What follows the padding was not part of it: it shows as what it is.
            return b64decode(digits + b"=" * (-len(digits) % 4)) + rest.lstrip(b"=\r\n \t")
        case "quoted-printable":
            return decodestring(_CUT_ESCAPE.sub(b"", body))
        case _:
            return body
