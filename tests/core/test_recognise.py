"""Whose message is it: ours only where a tag of ours says so, and nothing contradicts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core import tag
from probe.core.model import UnmatchedCause
from probe.core.recognise import (
    Conflict,
    Expired,
    NotOurs,
    OldJournal,
    Ours,
    OurShort,
    Renamed,
    Untagged,
    is_report,
    might_be_tagged,
)
from tests.core.samples import LIFETIME, SENT, composed, read, split, token, who

TOKEN = token()
SHORT = tag.short(TOKEN)
HEADER, BODY = split(composed().content)
OURS = Ours(tag.verify(TOKEN, [b"first key"]), TOKEN)  # type: ignore[arg-type]
OTHER = "0" * 12


def field(text: str, instance: str = "fra1") -> bytes:
    return f"X-Mailprobe: v=1; instance={instance}; route=a/b/c/d; token={text}\r\n".encode()


def message_id(text: str) -> bytes:
    return f"Message-ID: <mailprobe.{text}@shop.example>\r\n".encode()


def subject(short: str) -> bytes:
    return f"Subject: Delivery check 2026-11-22 02:41 UTC [{short}]\r\n".encode()


def without(*names: bytes) -> bytes:
    """Our header, after a relay that drops these fields."""
    kept = HEADER.replace(b"\r\n ", b"\0").split(b"\r\n")
    kept = [line for line in kept if not line.startswith(tuple(name + b":" for name in names))]
    return b"\r\n".join(kept).replace(b"\0", b"\r\n ")


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (HEADER, b""),
        (HEADER.replace(b"\r\n", b"\n"), BODY.replace(b"\r\n", b"\n")),
        (HEADER.replace(TOKEN.encode(), TOKEN.upper().encode()), b""),
        (without(b"X-Mailprobe"), b""),
        (without(b"Message-ID"), b""),
        (without(b"Message-ID", b"X-Mailprobe"), BODY),
        (without(b"Message-ID", b"X-Mailprobe").replace(b"ct: D", b"ct: [EXT] D"), BODY),
        (b"Return-Path: <>\r\n" + HEADER, BODY),
        (field(TOKEN) + HEADER, BODY),
        (HEADER, BODY.replace(b"Tag: a", b"Tag: b")),
        (HEADER.replace(TOKEN.encode(), TOKEN[:-2].encode(), 1), BODY),
    ],
)
def test_one_of_the_places_is_enough(header: bytes, body: bytes) -> None:
    assert who(header, body) == OURS
    assert might_be_tagged(header)


@given(st.integers(0, 2**40 - 1), st.sampled_from(["7bit", "quoted-printable", "base64"]))
def test_what_is_composed_is_recognised_behind_a_mail_library(sequence: int, cte: str) -> None:
    text = token(sequence=sequence)
    message = read(composed(text).content)
    message.set_content(message.get_content(), cte=cte)
    for name in ("Message-ID", "X-Mailprobe"):
        del message[name]
    found = who(*split(message.as_bytes()))
    assert isinstance(found, Ours)
    assert found.tag.sequence == sequence


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (subject(SHORT), OurShort(77, SHORT)),
        (b"Return-Path: <probe+" + SHORT.upper().encode() + b"@a.example>\n", OurShort(77, SHORT)),
        (f"To: <probe+{SHORT}@shop.example>\n".encode(), OurShort(77, SHORT, answer=True)),
        (f"Delivered-To: probe+{SHORT}@shop.example\n".encode(), OurShort(77, SHORT, answer=True)),
        (b"In-Reply-To: <x>\n" + subject(SHORT), Untagged()),  # Quoted by a reply.
        (b"Auto-Submitted: auto-replied\n" + subject(SHORT), Untagged()),
        (subject(SHORT) + b"Return-Path: <p+" + b"a" * 24 + b"@x>\n", NotOurs("malformed")),
        (f"Subject: [{SHORT}]\n".encode(), Untagged()),
        (b"Subject: lunch?\n", Untagged()),
        (b"", Untagged()),
    ],
)
def test_short_ids(header: bytes, found: object) -> None:
    assert who(header) == found


def test_a_reply_that_quotes_the_body_is_not_the_probe() -> None:
    assert who(b"In-Reply-To: <x>\r\nSubject: Re\r\n", BODY) == Untagged()
    assert who(b"Subject: Fwd\r\n", BODY) == Untagged()
    for prefix in (b"RE: ", b"Undeliverable: ", b"Automatic reply: [x] a:"):
        answer = subject(SHORT).replace(b": ", b": " + prefix, 1)
        assert is_report(answer)
        assert who(answer, BODY) == Untagged()


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        (field(token(instance="par2", journal=OTHER), "par2"), "foreign"),
        (message_id(token(instance="par2", journal=OTHER)), "foreign"),
        (field(token(instance="par2")), "foreign"),
        (field(token(instance="par2", key=b"theirs"), "par2"), "foreign"),
        (field("junk", "par2"), "foreign"),
        (field(TOKEN, "par2"), "foreign"),
        (field(TOKEN, "fra1/check-x9"), "foreign"),
        (message_id(token(instance="par2", key=b"theirs")), "foreign"),
        (field(token(key=b"stranger")), "bad_mac"),
        (message_id(token(key=b"stranger")), "bad_mac"),
        (field(TOKEN[:40]), "malformed"),
        (b"X-Mailprobe:\r\n", "malformed"),
        (message_id("x"), "malformed"),
        (field(TOKEN) + field(token(sequence=78)), "malformed"),  # Two that verify.
        (field(TOKEN) + message_id(token(sequence=78)), "malformed"),
        (field(TOKEN) + field("junk") + field("junk"), "malformed"),  # Outnumbered.
        (field(TOKEN) + field("junk") + subject("a" * 24), "malformed"),
        (field(TOKEN) + field("junk", "par2") + message_id("junk"), "malformed"),
    ],
)
def test_not_ours(header: bytes, cause: str) -> None:
    assert who(header) == NotOurs(UnmatchedCause(cause))
    assert might_be_tagged(header)


@pytest.mark.parametrize(
    "expired",
    [
        token(time=SENT - LIFETIME),
        token(time=SENT + 700),
        token(time=SENT - LIFETIME, journal=OTHER),
    ],
)
def test_a_tag_out_of_its_time_says_whose_it_is_all_the_same(expired: str) -> None:
    found = who(field(expired))
    assert isinstance(found, Expired)
    assert (found.token, found.tag) == (expired, tag.read(expired))


def test_another_journal_under_our_name() -> None:
    header = field(token(journal=OTHER))
    assert isinstance(who(header, created=SENT - 1), Conflict)
    assert isinstance(who(header, created=SENT + 1), OldJournal)


FORMER = token(instance="par2")


@pytest.mark.parametrize(
    "header",
    [field(FORMER, "par2"), message_id(FORMER), field(FORMER, "par2") + message_id(FORMER)],
)
def test_a_message_of_our_journal_from_when_we_had_another_name(header: bytes) -> None:
    assert who(header) == Renamed(tag.verify(FORMER, [b"first key"]), FORMER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [
        field(FORMER, "ams3"),
        field(FORMER) + message_id(FORMER),
        field(FORMER, "par2") + field("junk", "ams3") + field("junk", "ams3"),
        field(FORMER, "par2") + message_id(token(instance="par2", sequence=78)),
        field(token(instance="par2", key=b"theirs"), "par2"),
    ],
)
def test_another_name_that_is_contradicted_is_none_of_ours(header: bytes) -> None:
    assert who(header) == NotOurs(UnmatchedCause.FOREIGN)


def test_a_tag_under_another_name_expires_too() -> None:
    expired = token(instance="par2", time=SENT - LIFETIME)
    assert who(field(expired, "par2")) == Expired(tag.read(expired), expired)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "report"),
    [
        (b"Content-Type: multipart/report; boundary=x\n", True),
        (b"Content-Type:\n MULTIPART/Report;\n boundary=x\n", True),
        (b"Auto-Submitted: auto-replied (vacation)\n", True),
        (b"Return-Path: <>\n", True),
        (b"From: Mail Delivery <Mailer-Daemon@mx.example>\n", True),
        (f"To: probe+{SHORT}@shop.example\n".encode(), True),
        (b"In-Reply-To: <x>\nSubject: Re: lunch\n", False),  # Ordinary mail is left unread.
        (b"From: postmasters@x.example\n", False),
        (HEADER, False),
        (b"", False),
    ],
)
def test_reports(header: bytes, report: bool) -> None:
    assert is_report(header) is report


noise = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b" ",
        b": ",
        b"X-Mailprobe",
        b"token=",
        b"Subject: ",
        b"Delivery check [",
        b"]",
        b"<mailprobe.",
        b"+",
        b"@x>",
        b"Return-Path: ",
        b"To: ",
        TOKEN.encode(),
        SHORT.encode(),
        b"Message-ID: ",
        b"\xff",
        b"\0",
        b"=",
        b";",
        b"\x0b",
    ]
)


@given(st.binary() | st.lists(noise).map(b"".join), st.binary() | st.just(BODY))
def test_anything_can_be_read_and_nothing_is_overlooked(header: bytes, body: bytes) -> None:
    is_report(header)
    who(header, body)
    assert might_be_tagged(header) or who(header) == Untagged()
