"""What the receiver found of SPF, DKIM and DMARC: Authentication-Results (RFC 8601).

Whom to trust. A field counts only with the mailbox's own authserv-id, and only where the
receiver writes: above the second Received, or, since receivers write it above or right below
their own Received and may pass a message on inside (Gmail, Dovecot behind Postfix), down to the
next Received below the topmost one that is `by` the id or a host in it. Further down anybody may
have written it. Of each method the topmost field speaks. Servers that write no id (Exchange
Online) are trusted in the topmost field without one.

The tokenizer is our own and tolerant, because Exchange's form breaks strict parsers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from probe.core.header import Field, fields, segments
from probe.core.model import AuthResult

NO_ID = "none"  # The configured authserv-id of a server that writes none.

_COMMON = frozenset({"none", "pass", "fail", "neutral", "policy", "temperror", "permerror"})
_RESULTS = {
    "spf": _COMMON | {"softfail"},
    "dkim": _COMMON,
    "dmarc": _COMMON - {"neutral", "policy"},
}
_STATEMENT = re.compile(r"([a-z]+)(?: ?/ ?\d+)? ?= ?([a-z]+)(?![\w.@-])", re.IGNORECASE | re.ASCII)


def results(header: bytes, *, authserv_id: str | None) -> tuple[AuthResult, ...]:
    """The trusted results, one for each method: spf, dkim, dmarc; None trusts nobody.

    DKIM passes if any of the signatures does (RFC 6376 §6.1).
    """
    if authserv_id is None:
        return ()
    told: dict[str, list[str]] = {}
    for statements in _trusted(fields(header), authserv_id.lower()):
        of_field: dict[str, list[str]] = {}
        for method, result in _read(statements):
            of_field.setdefault(method, []).append(result)
        told = of_field | told
    return tuple(AuthResult(method, _one(told[method])) for method in _RESULTS if method in told)


def _trusted(found: Sequence[Field], authserv_id: str) -> Iterator[list[str]]:
    """The statements of each trusted field, topmost first."""
    if authserv_id != NO_ID:
        found = found[: _border(found, authserv_id)]
    for field in found:
        if field.name != "authentication-results":
            continue
        parts = segments(field.value)
        written = "" if "=" in parts[0] else parts[0].partition(" ")[0].strip('"').lower()
        if authserv_id == NO_ID and not written:
            yield parts
            return
        if written == authserv_id:
            yield parts[1:]


def _border(found: Sequence[Field], authserv_id: str) -> int:
    """Where the receiver's own part of the header ends."""
    places = [index for index, field in enumerate(found) if field.name == "received"]
    ways = list(pairwise([*places, len(found)]))
    own = (end for place, end in ways if _is_by(found[place].value, authserv_id))
    return max(ways[0][1], next(own, 0)) if ways else len(found)


def _is_by(received: str, authserv_id: str) -> bool:
    words = segments(received)[0].lower().split()
    hosts = [host for word, host in pairwise(words) if word == "by"]
    return any(host == authserv_id or host.endswith(f".{authserv_id}") for host in hosts[:1])


def _read(statements: Sequence[str]) -> Iterator[tuple[str, str]]:
    for text in statements:
        match = _STATEMENT.match(text)
        if match and match[2].lower() in _RESULTS.get(match[1].lower(), ()):
            yield match[1].lower(), match[2].lower()


def _one(told: Sequence[str]) -> str:
    return "pass" if "pass" in told else told[0]
