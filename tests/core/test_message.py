"""The message is polite, and no change to it goes unseen."""

from __future__ import annotations

import base64
import hashlib
import quopri
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.utils import parseaddr, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core import tag
from probe.core.message import compose
from probe.core.model import EnvelopeMode, Part
from tests.core.samples import (
    INSTANCE,
    RECIPIENT,
    ROUTE,
    SENDER,
    composed,
    damage,
    read,
    split,
    token,
)

CONTENT = composed().content
HEADER, BODY = split(CONTENT)
BASE64 = HEADER.replace(b"Encoding: 7bit", b"Encoding: base64"), base64.encodebytes(BODY)
QUOTED = (
    HEADER.replace(b"Encoding: 7bit", b"Encoding: quoted-printable"),
    quopri.encodestring(BODY).replace(b"check:", b"=63heck:").replace(b"Tag: a", b"Tag:=\r\n=20a"),
)
ENCODED = [(HEADER, BODY), BASE64, QUOTED]
TRUNCATED, ALTERED, REHEADED = {Part.TRUNCATED}, {Part.BODY}, {Part.HEADER}


def test_it_is_small_plain_and_polite() -> None:
    assert 1000 < len(CONTENT) < 3000
    assert CONTENT.isascii()
    assert CONTENT.endswith(b"\r\n")
    assert CONTENT.count(b"\n") == CONTENT.count(b"\r\n")
    assert max(len(line) for line in BODY.split(b"\r\n")) <= 76
    assert max(len(line) for line in HEADER.split(b"\r\n")) <= 110
    message = read(CONTENT)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"
    assert message["From"] == "Delivery check <probe@shop.example>"
    assert message["To"] == RECIPIENT
    short = tag.short(token())
    assert message["Subject"] == f"Delivery check 2026-11-22 02:41 UTC [{short}]"
    assert parsedate_to_datetime(str(message["Date"])).timestamp() == 1795315261
    assert message["Message-ID"] == f"<mailprobe.{token()}@shop.example>"
    said = f"v=1; instance=fra1; route=pool/192.0.2.11/shop/corp; token={token()}"
    assert message["X-Mailprobe"] == said


def test_its_end_gives_the_digest_of_the_canary() -> None:
    lines = BODY.decode().split("\r\n")
    canary = [line for line in lines if line.startswith("Line ")]
    digest = hashlib.sha256("".join(f"{line}\n" for line in canary).encode()).hexdigest()
    assert len(canary) == 20
    assert lines[-2:] == [f"SHA-256: {digest}", ""]


def test_the_envelope() -> None:
    short = tag.short(token())
    assert composed().envelope_from == f"probe+{short}@shop.example"
    assert composed().envelope_id == token()
    plain = replace(SENDER, envelope=EnvelopeMode.PLAIN)
    assert composed(sender=plain).envelope_from == "probe@shop.example"


@pytest.mark.parametrize(
    "name",
    ["Zustellprüfung", "配信チェック " * 5, "Shop, the <best> one", 'a "b"', "x" * 60, ""],
)
def test_any_display_name_survives(name: str) -> None:
    sender = replace(SENDER, display_name=name)
    header, body = split(composed(sender=sender).content)
    assert max(len(line) for line in header.split(b"\r\n")) <= 110
    written = message_from_bytes(header)["From"]
    shown, address = parseaddr(str(make_header(decode_header(written))))
    assert (shown, address) == (name.strip(), "probe@shop.example")
    assert damage(header, body, sender) == set()


def test_a_name_cannot_smuggle_fields_in() -> None:
    sender = replace(SENDER, display_name="a\r\nBcc: x@y.example\r\n\r\nb")
    header, _ = split(composed(sender=sender).content)
    assert "Bcc" not in read(header)


def test_a_malformed_token_is_not_sent() -> None:
    with pytest.raises(ValueError, match="malformed"):
        compose("x", SENDER, RECIPIENT, instance=INSTANCE, route=ROUTE)


@pytest.mark.parametrize(("header", "body"), ENCODED)
def test_another_encoding_is_no_alteration(header: bytes, body: bytes) -> None:
    assert damage(header, body) == set()
    assert damage(header.replace(b"\r\n", b"\n"), body.replace(b"\r\n", b"\n")) == set()
    assert damage(header, body + b"\r\n\r\n") == set()


def test_what_servers_add_or_rewrite_by_right_is_no_alteration() -> None:
    header = b"Received: by x\r\nReturn-Path: <a@b>\r\n" + HEADER.replace(b"mailprobe.a", b"z")
    header = header.replace(b"02:41:01", b"02:41:02").replace(b"shop.example>", b"SHOP.example>")
    assert damage(header, BODY.replace(b"\r\n", b" \t\r\n")) == set()


@pytest.mark.parametrize(("header", "body"), ENCODED)
def test_every_truncation_is_reported(header: bytes, body: bytes) -> None:
    line_end = 3 if header == BASE64[0] else 0  # Digits that hold nothing but the last line end.
    end = len(body.rstrip(b"=\r\n")) - line_end
    step = 1 if header == HEADER else 9
    for length in {*range(0, end, step), *range(end - 90, end)}:
        assert damage(header, body[:length]) == TRUNCATED, f"cut at {length} of {end}"


@given(st.data())
def test_every_changed_byte_of_the_body_is_reported(data: st.DataObject) -> None:
    end = len(BODY.rstrip())
    place = data.draw(st.integers(0, end - 1).filter(lambda i: BODY[i] not in b"\r\n"))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != BODY[place]))
    changed = BODY[:place] + bytes([byte]) + BODY[place + 1 :]
    # The last one turned into white space is as good as cut off.
    assert damage(HEADER, changed) in ([ALTERED, TRUNCATED] if place == end - 1 else [ALTERED])


WRAPPED = HEADER.replace(b"text/plain; charset=utf-8", b"multipart/mixed; boundary=xx")
PART = b"--xx\r\nContent-Type: text/plain\r\n\r\n" + BODY + b"\r\n"
CUT = HEADER.replace(b"Content-Type", b"X-Filler: " + b"x" * 65536 + b"\r\nContent-Type")


@pytest.mark.parametrize(
    ("header", "body", "parts"),
    [
        (HEADER, b"", TRUNCATED),
        (HEADER, BODY + b"-- \r\nYour list\r\n", ALTERED),
        (HEADER, b"[EXTERNAL]\r\n" + BODY, ALTERED),
        (HEADER, BODY.replace(b"Line 07", b"Line 70"), ALTERED),
        (HEADER, BODY[:600] + BODY[700:], ALTERED),
        (HEADER, BODY[:-75] + b"SHA256: ", ALTERED),
        (HEADER, BODY[:600] + b"\r\n[message cut]\r\n", ALTERED | TRUNCATED),
        (HEADER, b"[EXTERNAL]\r\n" + BODY[:600], ALTERED | TRUNCATED),
        (HEADER, b"x\r\n" * 99, ALTERED | TRUNCATED),
        (WRAPPED, PART + b"--xx\r\n\r\nfooter\r\n--xx--\r\n", ALTERED),
        (WRAPPED, PART[:600], ALTERED | TRUNCATED),
        (HEADER, b"x\r\n" * 30000, ALTERED),  # Cut by ourselves: the end may be there.
        (HEADER, b"x\r\n" * 30000 + BODY, ALTERED),
        (BASE64[0], BASE64[1] + b"footer\r\n", ALTERED),
        (HEADER.replace(b"Subject: ", b"Subject: [EXT] "), BODY, REHEADED),
        (HEADER.replace(b"Subject: D", b"Subject: =?utf-8?q?=44?=\r\n =?utf-8?b??="), BODY, set()),
        (HEADER.replace(b"Subject: D", b"Subject: =?utf-8?b?Q?=D"), BODY, REHEADED),
        (HEADER.replace(b"Subject", b"X-Subject"), BODY, REHEADED),
        (HEADER.replace(b"<probe@shop", b"<bounce@shop"), BODY, REHEADED),
        (HEADER.replace(b"To: probe", b"To: list"), BODY, REHEADED),
        (HEADER.replace(b"To: probe", b"To: <probe@corp.example>\r\nX-Was: "), BODY, set()),
        (HEADER.replace(b"auto-generated", b"no"), BODY, REHEADED),
        (HEADER.replace(b"X-Mailprobe", b"X-Was"), BODY, REHEADED),
        (HEADER.replace(b"instance=fra1;\r\n ", b"instance=fra1; "), BODY, set()),
        (HEADER.replace(b"instance=fra1", b"instance=fra2"), BODY, REHEADED),
        (b"Subject: two\r\n" + HEADER, BODY, REHEADED),
        (b"X-Filler: " + b"x" * 65536 + b"\r\n" + HEADER, BODY, set()),  # Cut by ourselves.
        (CUT, BODY, set()),
        (b"Subject: two\r\nX-Filler: " + b"x" * 65536, BODY, REHEADED),
    ],
)
def test_the_parts_that_came_back_different(header: bytes, body: bytes, parts: set[Part]) -> None:
    assert damage(header[:65536], body[:65536]) == parts


@given(st.binary(), st.binary())
def test_anything_can_be_inspected(header: bytes, body: bytes) -> None:
    assert damage(HEADER, body)
    assert damage(header, body)
    assert damage(WRAPPED, body) >= ALTERED
    assert damage(BASE64[0], body)
    assert damage(QUOTED[0], body)
