"""A probe's message: how it is written, and whether it came back as it was sent.

Small, plain, polite and honest: it says in words what it is and who sends it. The token stands
in several places, since relays rewrite some of them (SES writes its own Message-ID and Date):
the fields X-Mailprobe and Message-ID and a line of the body hold all of it, the Subject and the
envelope sender `probe+SHORT@domain` its short id. Subject, Date and the canary, 20 numbered
lines that the end of the body gives the SHA-256 of, follow from the token alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime, formataddr
from functools import lru_cache
from textwrap import wrap
from typing import assert_never

from probe.core import tag
from probe.core.header import LIMIT, Field, address, fields, unstructured, values
from probe.core.mime import kind, leaves
from probe.core.model import EnvelopeMode, Part, RouteKey, Sender
from probe.core.wire import clean

_WIDTH = 76
_NAME_LIMIT = 60
_CANARY_LINES = 20
_CANARY_WORDS = 6  # In each line.
_CLOSING = "SHA-256: "
_WORDS = (
    "alfa bravo charlie delta echo foxtrot golf hotel india juliett kilo lima mike "
    "november oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
)
_ALPHABET = _WORDS.split()


@dataclass(frozen=True, slots=True)
class Composed:
    """A message that is ready to be sent, and what belongs on its envelope."""

    content: bytes  # ASCII, CRLF line ends.
    envelope_from: str  # MAIL FROM
    envelope_id: str  # ENVID (RFC 3461): the token.


def compose(
    token: str, sender: Sender, recipient: str, *, instance: str, route: RouteKey
) -> Composed:
    """The message of one probe. Raises ValueError where the token is malformed."""
    lines = (
        _from(sender),
        f"To: {recipient}",
        f"Date: {format_datetime(_moment(token))}",
        f"Message-ID: <mailprobe.{token}@{sender.domain}>",
        f"Subject: {_subject(token)}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 7bit",
        "Auto-Submitted: auto-generated",  # RFC 3834: responders must not answer.
        "X-Auto-Response-Suppress: All",  # The same, for Exchange.
        "X-Mailprobe: " + ";\r\n ".join(_statements(token, instance, route)),
        "",
        *_body(token, instance),
    )
    return Composed(
        content="".join(f"{line}\r\n" for line in lines).encode("ascii"),
        envelope_from=_envelope_from(sender, token),
        envelope_id=token,
    )


def inspect(
    header: bytes,
    body: bytes,
    *,
    token: str,
    sender: Sender,
    mailbox_address: str,
    instance: str,
    route: RouteKey,
) -> frozenset[Part]:
    """What of the message of this token came back different.

    A rewritten Message-ID or Date, another transfer encoding, other line ends and white space at
    the end of a line are no difference. Of what `fetch` cut off nothing is claimed.
    """
    found = fields(header)
    expected = (
        ("from", sender.address.lower(), address),
        ("to", mailbox_address.lower(), address),
        ("subject", _subject(token), unstructured),
        ("auto-submitted", "auto-generated", str.lower),
        ("x-mailprobe", _dense(";".join(_statements(token, instance, route))), _dense),
    )
    cut = len(header) >= LIMIT
    altered = _body_damage(_body(token, instance), found, body)
    for name, value, reading in expected:
        came = [reading(text) for text in values(found, name)]
        if came != [value] and not (cut and not came):
            altered.add(Part.HEADER)
    return frozenset(altered)


def _from(sender: Sender) -> str:
    name = clean(sender.display_name, _NAME_LIMIT)
    if name.isascii():
        line = "From: " + formataddr((name, sender.address))
        return line if len(line) <= _WIDTH else line.replace(" <", "\r\n <")
    words = Header(name, "utf-8", header_name="From").encode(linesep="\r\n")
    return f"From: {words}\r\n <{sender.address}>"


def _envelope_from(sender: Sender, token: str) -> str:
    match sender.envelope:
        case EnvelopeMode.PLAIN:
            return sender.address
        case EnvelopeMode.VERP:
            local, _, domain = sender.address.rpartition("@")
            return f"{local}+{tag.short(token)}@{domain}"
        case _:
            assert_never(sender.envelope)


def _moment(token: str) -> datetime:
    read = tag.read(token)
    if read is None:
        raise ValueError("a malformed token cannot be sent")
    return datetime.fromtimestamp(read.time // 100, UTC)


def _subject(token: str) -> str:
    return f"Delivery check {_moment(token):%Y-%m-%d %H:%M} UTC [{tag.short(token)}]"


def _statements(token: str, instance: str, route: RouteKey) -> tuple[str, ...]:
    """What X-Mailprobe states, each on a line of its own where it is written."""
    return (
        f"v=1; instance={tag.spelled(instance)}",
        f"route={tag.spelled(str(route))}",
        f"token={token}",
    )


def _body(token: str, instance: str) -> list[str]:
    canary = _canary(token)
    block = "".join(f"{line}\n" for line in canary)
    return [
        *_introduction(instance),
        "",
        f"Tag: {token}",
        "",
        *canary,
        "",
        _CLOSING + hashlib.sha256(block.encode("ascii")).hexdigest(),
    ]


@lru_cache(maxsize=8)
def _introduction(instance: str) -> tuple[str, ...]:
    text = (
        f"This is a delivery check: the mailprobe instance {tag.spelled(instance)} sends such "
        "messages to see whether mail arrives, and how soon. Nobody needs to read or answer it, "
        "and it may be deleted. To stop these messages, ask whoever runs that instance."
    )
    return tuple(wrap(text, _WIDTH))


def _canary(token: str) -> list[str]:
    chosen = hashlib.shake_256(token.encode()).digest(_CANARY_LINES * _CANARY_WORDS)
    words = [_ALPHABET[byte % len(_ALPHABET)] for byte in chosen]
    lines = [words[start : start + _CANARY_WORDS] for start in range(0, len(words), _CANARY_WORDS)]
    return [
        f"Line {number:02} of {_CANARY_LINES}: {' '.join(line)}"
        for number, line in enumerate(lines, start=1)
    ]


def _body_damage(expected: list[str], header: Sequence[Field], body: bytes) -> set[Part]:
    texts = [leaf.text for leaf in leaves(header, body) if leaf.kind == "text/plain"]
    came = _lines(texts[0] if texts else "")
    whole = kind(header) == "text/plain"
    if came == expected:
        return set() if whole else {Part.BODY}
    if len(body) >= LIMIT:
        return {Part.BODY}
    if "\n".join(expected).startswith("\n".join(came)):
        return {Part.TRUNCATED} if whole else {Part.TRUNCATED, Part.BODY}
    if any(line.startswith(_CLOSING) for line in came):
        return {Part.BODY}
    # The closing line is gone, or it is there and damaged, right after the canary's last line.
    shortened = len(came) < len(expected) or expected[-3] not in came
    return {Part.BODY, Part.TRUNCATED} if shortened else {Part.BODY}


def _lines(text: str) -> list[str]:
    """The lines without white space at their ends, nor empty ones at the end of all."""
    return "\n".join(line.rstrip(" \t\r") for line in text.split("\n")).rstrip("\n").split("\n")


def _dense(text: str) -> str:
    return "".join(text.split())
