"""The header of a message as fields, whatever is in it.

Mail is hostile text: nothing here raises, and all work is linear in what is read. The parser of
the standard library is neither (nested comments and parts recurse), so it is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache

from probe.core.wire import clean

LIMIT = 65536  # As much of a header, or of a body, as is ever fetched (bytes).

_VALUE_LIMIT = 2000
_SPECIAL = re.compile(r'[\\"();]')


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a header."""

    name: str  # In lower case.
    value: str  # Unfolded, without the white space around it; bytes that are not UTF-8 replaced.


@lru_cache(maxsize=64)
def fields(header: bytes) -> tuple[Field, ...]:
    """The fields down to the first empty line, top first; lines that are none are left out.

    Kept for the last few headers, because everything that is asked of a message begins with them.
    """
    found: list[tuple[bytes, list[bytes]]] = []
    for line in header[:LIMIT].replace(b"\r\n", b"\n").split(b"\n"):
        if not line:
            break
        if line[:1] in b" \t":
            if found:
                found[-1][1].append(line)
            continue
        name, colon, value = line.partition(b":")
        found.append((name if colon else b"", [value]))
    return tuple(
        Field(_text(name).strip(" \t").lower(), _text(b"".join(lines)).strip())
        for name, lines in found
        if name
    )


def values(found: Iterable[Field], name: str) -> list[str]:
    """The values of all fields of this (lower-case) name, top first."""
    return [field.value for field in found if field.name == name]


def first(found: Iterable[Field], name: str) -> str:
    """The value of the topmost field of this (lower-case) name, or nothing."""
    return next((field.value for field in found if field.name == name), "")


def segments(value: str) -> list[str]:
    """A structured value without its comments, cut at each `;` that stands outside quotes.

    Comments nest and may hold quoted pairs (RFC 5322 §3.2.2); one that is not closed goes on to
    the end. The quotes are kept.
    """
    parts: list[list[str]] = [[]]
    depth, quoted, start, escaped = 0, False, 0, -1
    for special in _SPECIAL.finditer(value):
        at, char = special.start(), special[0]
        if at == escaped:
            continue
        if char == "\\" and (quoted or depth):
            escaped = at + 1
        elif char == '"' and not depth:
            quoted = not quoted
        elif char == "(" and not quoted:
            if not depth:
                parts[-1] += value[start:at], " "
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            start = at + 1
        elif char == ";" and not quoted and not depth:
            parts[-1].append(value[start:at])
            parts.append([])
            start = at + 1
    if not depth:
        parts[-1].append(value[start:])
    return [" ".join("".join(part).split()) for part in parts]


def address(value: str) -> str:
    """The one address in a From or To, in lower case; whatever stands there if it is not one."""
    plain = segments(value[:_VALUE_LIMIT])[0]
    _, bracket, rest = plain.rpartition("<")
    return (rest.partition(">")[0] if bracket else plain).strip().lower()


def unstructured(value: str) -> str:
    """The text of a Subject, with encoded words (RFC 2047) decoded as UTF-8, on one line."""
    value = value[:_VALUE_LIMIT]
    if "=?" in value:
        try:
            pieces = [piece for piece, _ in decode_header(value)]
        except (HeaderParseError, ValueError):
            pieces = [value]  # Broken base64: it stays as it is written.
        value = "".join(_text(piece) if isinstance(piece, bytes) else piece for piece in pieces)
    return clean(value, _VALUE_LIMIT)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
