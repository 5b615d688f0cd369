"""Bounces in all their forms, and what only looks like one."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core import tag
from probe.core.bounce import Report, parse
from tests.core.samples import ALPHABET, composed, split, token

TOKEN = token()
SHORT = tag.short(TOKEN)
OTHER = tag.short(token(sequence=78))
PROBE = composed().content
PROBE_HEADER, PROBE_BODY = split(PROBE)
VERP = f"To: probe+{SHORT}@shop.example\r\n".encode()
PLAIN = b"To: probe@shop.example\r\n"
TEXT = b"Content-Type: text/plain\r\n\r\n"

POSTFIX = (
    b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example (Mail Delivery System)\r\n"
    b"Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n"
    b'\tboundary="4XyZ12.1795315261/mx.example"\r\n'
)
STATUS = (
    b"Reporting-MTA: dns; mx.example\r\nOriginal-Envelope-Id: " + TOKEN.encode() + b"\r\n"
    b"X-Postfix-Queue-ID: 4XyZ12\r\nArrival-Date: Sun, 22 Nov 2026 02:41:01 +0000 (UTC)\r\n\r\n"
    b"Final-Recipient: rfc822; probe@corp.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
    b"Remote-MTA: dns; corp.example\r\nDiagnostic-Code: smtp; 550 5.1.1 <probe@corp.example>:\r\n"
    b"    Recipient address rejected: User unknown\x1b[31m\r\n"
)
DIAGNOSTIC = "550 5.1.1 <probe@corp.example>: Recipient address rejected: User unknown"


def postfix(*, status: bytes = STATUS, returned: bytes = PROBE_HEADER) -> bytes:
    line = b"--4XyZ12.1795315261/mx.example"
    return (
        b"This is a MIME-encapsulated message.\r\n\r\n" + line + b"\r\n"
        b"Content-Description: Notification\r\n" + TEXT + b"I'm sorry to have to tell you.\r\n\r\n"
        + line + b"\r\nContent-Type: message/delivery-status\r\n\r\n" + status + b"\r\n"
        + line + b"\r\nContent-Type: text/rfc822-headers\r\n\r\n" + returned + b"\r\n"
        + line + b"--\r\n"
    )  # fmt: skip


def report(header: bytes, body: bytes) -> Report:
    found = parse(header, body)
    assert found is not None, "it was not taken for a bounce"
    return found


def test_a_standard_report() -> None:
    found = report(POSTFIX + VERP, postfix())
    assert (found.action, found.status) == ("failed", "5.1.1")
    assert found.text.startswith(DIAGNOSTIC)
    assert found.text.isprintable()
    assert found.envelope_id == TOKEN
    assert found.shorts == (SHORT,)
    assert found.tokens == (TOKEN,)


def test_each_of_the_ways_to_match_is_enough() -> None:
    bare = STATUS.replace(TOKEN.encode(), b"x")
    assert report(POSTFIX + VERP, postfix(status=bare, returned=b"")).shorts == (SHORT,)
    assert report(POSTFIX + PLAIN, postfix(returned=b"")).shorts == (SHORT,)
    assert report(POSTFIX + PLAIN, postfix(status=bare)).shorts == (SHORT,)
    subject = f"Subject: Delivery check 2026-11-22 02:41 UTC [{SHORT}]\r\n".encode()
    assert report(POSTFIX + PLAIN, postfix(status=bare, returned=subject)).shorts == (SHORT,)
    assert report(POSTFIX + PLAIN, postfix(status=bare, returned=b"")).shorts == ()


def test_the_address_comes_first_then_the_envelope_then_what_is_returned() -> None:
    in_envelope = token(sequence=79)
    status = STATUS.replace(TOKEN.encode(), in_envelope.encode().upper())
    found = report(POSTFIX + VERP.replace(SHORT.encode(), OTHER.encode()), postfix(status=status))
    assert found.shorts == (OTHER, tag.short(in_envelope), SHORT)
    assert found.tokens == (in_envelope, TOKEN)


def recipient(action: bytes, status: bytes, diagnostic: bytes = b"") -> bytes:
    fields = b"Action: " + action + b"\r\nStatus: " + status + b"\r\n"
    return fields + (b"Diagnostic-Code: " + diagnostic + b"\r\n" if diagnostic else b"") + b"\r\n"


@pytest.mark.parametrize(
    ("group", "action", "status", "text"),
    [
        (recipient(b"delayed", b"4.4.1", b"X-Postfix; timed out"), "delayed", "4.4.1", "timed out"),
        (recipient(b"Failed", b"4.4.7"), "failed", "4.4.7", "I'm sorry to have to tell you."),
        (recipient(b"failed (bad)", b"5.1.1 (gone)", b"gone"), "failed", "5.1.1", "gone"),
        (recipient(b"failed", b"", b"smtp; 552 5.2.2 full"), "failed", "5.2.2", "552 5.2.2 full"),
        (recipient(b"", b"5.7.1", b"no"), "failed", "5.7.1", "no"),
        (recipient(b"puzzled", b"4.2.0", b"no"), "delayed", "4.2.0", "no"),
        (recipient(b"relayed", b"2.0.0", b"ok"), "relayed", "2.0.0", "ok"),
        (
            recipient(b"delivered", b"2.0.0", b"ok")
            + recipient(b"failed", b"5.0.0", b"a")
            + recipient(b"delayed", b"4.0.0", b"b"),
            "failed",
            "5.0.0",
            "a",
        ),
    ],
)
def test_what_a_standard_report_says(group: bytes, action: str, status: str, text: str) -> None:
    found = report(POSTFIX + VERP, postfix(status=b"Reporting-MTA: dns; x\r\n\r\n" + group))
    assert (found.action, found.status, found.text) == (action, status, text)


def test_parts_may_be_nested_encoded_and_cut() -> None:
    inner = (
        b"Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n" + TEXT + b"no\r\n--in--"
    )
    coded = b"Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    body = b"\r\n--out\r\n".join([b"", inner, coded + base64.encodebytes(STATUS)])
    header = VERP + b"Content-Type: multipart/report; boundary=out\r\n"
    assert report(header, body).status == "5.1.1"
    cut = postfix()[: postfix().index(b"Remote-MTA")]
    assert report(POSTFIX + VERP, cut).status == "5.1.1"


QMAIL = b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example\r\nSubject: failure notice\r\n"
QMAIL_TEXT = (
    b"Hi. This is the qmail-send program at mx.example.\r\n"
    b"I'm afraid I wasn't able to deliver your message to the following addresses.\r\n\r\n"
    b"<probe@corp.example>:\r\n192.0.2.1 does not like recipient.\r\n"
    b"Remote host said: 550 5.1.1 no such user\r\n\r\n"
    b"--- Below this line is a copy of the message.\r\n\r\nReturn-Path: <probe@shop.example>\r\n"
)
EXIM = b"From: Mail Delivery System <Mailer-Daemon@mx.example>\r\nAuto-Submitted: auto-replied\r\n"
EXIM_FAILED = (
    EXIM + b"X-Failed-Recipients: probe@corp.example\r\n"
    b"Subject: Mail delivery failed: returning message to sender\r\n"
)
EXIM_DELAYED = EXIM + b"Subject: Warning: message 1abc-2-3 delayed 24 hours\r\n"
EXIM_DELAYED_TEXT = (
    b"This message was created automatically by mail delivery software.\r\n"
    b"A message that you sent has not yet been delivered to one or more of its\r\nrecipients.\r\n"
    b"Delivery attempts will continue for some time.\r\n"
)
GROUPWARE = b"From: someone@corp.example\r\nSubject: Undeliverable: Delivery check\r\n"


@pytest.mark.parametrize(
    ("header", "body", "action", "status"),
    [
        (QMAIL + PLAIN, QMAIL_TEXT + PROBE, "failed", "5.1.1"),
        (QMAIL + VERP, QMAIL_TEXT, "failed", "5.1.1"),
        (QMAIL + VERP, QMAIL_TEXT.replace(b"5.1.1", b"4.4.1"), "failed", "4.4.1"),
        (EXIM_FAILED + VERP, b"Unrouteable address\r\n", "failed", ""),
        (EXIM_DELAYED + VERP, EXIM_DELAYED_TEXT, "delayed", ""),
        (EXIM + VERP + b"Subject: Mail status\r\n", EXIM_DELAYED_TEXT, "delayed", ""),
        (GROUPWARE + PLAIN, b"It was refused: #5.7.1 not allowed\r\n" + PROBE, "failed", "5.7.1"),
        (GROUPWARE.replace(b"Undeliverable", b"Re") + VERP, b"4.7.1 later\r\n", "delayed", "4.7.1"),
        (POSTFIX + VERP, b"User unknown\r\n", "failed", ""),
    ],
)
def test_other_bounces(header: bytes, body: bytes, action: str, status: str) -> None:
    found = report(header, body)
    assert (found.action, found.status) == (action, status)
    assert found.shorts == (SHORT,)


VACATION = b"From: someone@corp.example\r\nAuto-Submitted: auto-replied\r\nReturn-Path: <>\r\n"
RECEIPT = b"Content-Type: multipart/report; report-type=disposition-notification; boundary=x\r\n"


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (PROBE_HEADER, PROBE_BODY),
        (b"Return-Path: <>\r\n" + PROBE_HEADER, PROBE_BODY),
        (VACATION + VERP + b"Subject: Away\r\n", b"My answer will be delayed, call 555 123\r\n"),
        (VACATION + VERP, b"Away.\r\n" + PROBE),
        (RECEIPT + VERP + QMAIL, b"--x\r\n" + TEXT + b"deleted unread 5.1.1\r\n--x--\r\n"),
        (QMAIL + PLAIN, QMAIL_TEXT),  # A bounce, and of nothing of ours.
        (VERP, b""),
        (b"", b""),
    ],
)
def test_no_bounces(header: bytes, body: bytes) -> None:
    assert parse(header, body) is None


def test_ids_are_bounded() -> None:
    flood = b" ".join(f"[{letter * 24}]".encode() for letter in ALPHABET)
    assert len(report(QMAIL + VERP, QMAIL_TEXT + flood).shorts) == 8


noise = st.sampled_from(
    [
        b"--x",
        b"--",
        b"\r\n",
        b"\r\n\r\n",
        b": ",
        b"Action",
        b"failed",
        b"Status",
        b"5.1.1",
        b"\xff",
        b"Content-Type: ",
        b"message/delivery-status",
        b"multipart/mixed; boundary=x",
        b"=",
        b"\0",
        b"Content-Transfer-Encoding: ",
        b"base64",
        b"quoted-printable",
        TOKEN.encode(),
        b"]",
        b"[",
        b"Diagnostic-Code: ",
        b"smtp; ",
        b"Original-Envelope-Id: ",
    ]
)


@given(st.binary(), st.binary() | st.lists(noise).map(b"".join))
def test_anything_can_be_read(header: bytes, body: bytes) -> None:
    parse(header, body)
    parse(b"Content-Type: multipart/report; boundary=x\r\n" + header, body)
    parse(b"Content-Type: message/delivery-status\r\n", body)
