"""One prober, one route and its messages, for the tests about messages."""

from __future__ import annotations

from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP

from hypothesis import strategies as st

from probe.core import tag
from probe.core.message import Composed, compose, inspect
from probe.core.model import EnvelopeMode, Part, RouteKey, Sender
from probe.core.recognise import Recognised, recognise

KEY = b"first key"
INSTANCE = "fra1"
JOURNAL = "a1b2c3d4e5f6"
ROUTE = RouteKey("pool", "192.0.2.11", "shop", "corp")
SENDER = Sender("shop", "probe@shop.example", envelope=EnvelopeMode.VERP)
RECIPIENT = "probe@corp.example"
SENT = 1795315261.23  # 2026-11-22 02:41:01.23 UTC
LIFETIME = 7 * 86400.0

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
digits = st.sampled_from(ALPHABET)


def token(
    *,
    journal: str = JOURNAL,
    instance: str = INSTANCE,
    sequence: int = 77,
    time: float = SENT,
    key: bytes = KEY,
) -> str:
    return tag.sign(tag.make(journal, instance, ROUTE, sequence=sequence, time=time), key)


def composed(text: str = "", sender: Sender = SENDER) -> Composed:
    return compose(text or token(), sender, RECIPIENT, instance=INSTANCE, route=ROUTE)


def split(content: bytes) -> tuple[bytes, bytes]:
    header, _, body = content.partition(b"\r\n\r\n")
    return header + b"\r\n\r\n", body


def who(header: bytes, body: bytes = b"", *, created: float = SENT - 60) -> Recognised:
    return recognise(
        header,
        [b"a newer key", KEY],
        instance=INSTANCE,
        journal=JOURNAL,
        journal_created_wall=created,
        wall=SENT + 5,
        lifetime=LIFETIME,
        body=body,
    )


def damage(header: bytes, body: bytes, sender: Sender = SENDER) -> set[Part]:
    return set(
        inspect(
            header,
            body,
            token=token(),
            sender=sender,
            mailbox_address=RECIPIENT,
            instance=INSTANCE,
            route=ROUTE,
        )
    )


def read(content: bytes) -> EmailMessage:
    message = BytesParser(policy=SMTP).parsebytes(content)
    assert isinstance(message, EmailMessage)
    return message
