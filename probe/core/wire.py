"""Text from the wire made safe and read, and text for the wire made proper."""

from __future__ import annotations

import re
from collections.abc import Collection

_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:\s+|$)")

# One pattern for each kind of server, over cleaned text; group 1 is the queue id.
_QUEUE_IDS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\bqueued as ([0-9a-z_-]+)",  # Postfix, SendGrid
        r"^OK id=([0-9a-z-]+)",  # Exim
        r"(?:^|\s)([0-9a-z]+) Message accepted for delivery",  # OpenSMTPD, Sendmail
        r"\[InternalId=([0-9]+)",  # Exchange Online
        r"^OK .*?([0-9a-z.-]+) - gsmtp$",  # Gmail
        r"^Ok ([0-9a-f]{16}-[0-9a-f-]{36}-[0-9]{6})$",  # Amazon SES
        r"^ok [0-9]+ qp ([0-9]+)",  # qmail
        r"^<[^>]*> ([0-9a-z+/=:]+) Saved$",  # Dovecot
    )
)
_QUEUE_ID_LIMIT = 64
_HOST_LIMIT = 255


def clean(text: str, limit: int) -> str:
    """`text` on one line, without control characters and surrogates, in `limit` characters.

    Whatever does not print goes, direction marks too; what is cut off is shown as an ellipsis.
    """
    line = " ".join(text.split())
    if not line.isprintable():
        words = ("".join(filter(str.isprintable, word)) for word in line.split(" "))
        line = " ".join(filter(None, words))
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def split_enhanced(text: str) -> tuple[str, str]:
    """The enhanced status code of a reply's lines, or empty, and the text without it.

    RFC 2034 §4: each line of a reply repeats it.
    """
    lines = text.splitlines()
    codes = [found[1] for line in lines if (found := _ENHANCED.match(line))]
    if not codes:
        return "", text
    return codes[-1], "\n".join(_ENHANCED.sub("", line, count=1) for line in lines)


def queue_id(text: str) -> str:
    """The id under which a server says it queued a message, or empty; there is no standard."""
    for pattern in _QUEUE_IDS:
        if found := pattern.search(text):
            return found[1][:_QUEUE_ID_LIMIT]
    return ""


def offers(text: str) -> dict[str, tuple[str, ...]]:
    """What a server offers in its reply to EHLO: keywords with their parameters, lower case.

    The old form `AUTH=LOGIN` says the same as `AUTH LOGIN`, and may stand beside it.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in text.lower().split("\n")[1:]:
        keyword, *parameters = line.replace("auth=", "auth ").split() or [""]
        found[keyword] = (*found.get(keyword, ()), *parameters)
    return found


def greeting_host(text: str) -> str:
    """The host name in a greeting: its first word (RFC 5321 §4.2, `Greeting`)."""
    return clean(text, _HOST_LIMIT * 2).partition(" ")[0][:_HOST_LIMIT]


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """`text` with stars for every secret that a server echoes."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***") if secret else text
    return text


def xtext(text: str) -> str:
    """Printable ASCII as a parameter's value (RFC 3461 §4)."""
    return "".join(
        letter if "!" <= letter <= "~" and letter not in "+=" else f"+{ord(letter):02X}"
        for letter in text
    )


def mail_command(sender: str, *, size: int, envelope_id: str, offers: Collection[str]) -> str:
    """MAIL FROM with what the server offers (lower case): SIZE (RFC 1870), DSN (RFC 3461)."""
    words = [f"MAIL FROM:<{sender}>"]
    if "size" in offers:
        words.append(f"SIZE={size}")
    if "dsn" in offers:
        words.append(f"RET=HDRS ENVID={xtext(envelope_id)}")
    return " ".join(words)


def rcpt_command(recipient: str, *, offers: Collection[str]) -> str:
    """RCPT TO, asking for DSNs of failure and delay where the server offers them (RFC 3461)."""
    command = f"RCPT TO:<{recipient}>"
    if "dsn" not in offers:
        return command
    return f"{command} NOTIFY=FAILURE,DELAY ORCPT=rfc822;{xtext(recipient)}"


def dot_stuffed(content: bytes) -> bytes:
    """A message with CRLF line ends as it is sent, with the final dot (RFC 5321 §4.5.2)."""
    return (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"
