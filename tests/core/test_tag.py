"""Tokens: what they say, and that nobody else can say it."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core import tag
from probe.core.model import Tag
from probe.core.tag import Flaw
from tests.core.samples import ALPHABET, INSTANCE, JOURNAL, KEY, ROUTE, SENT, token

tags = st.builds(
    Tag,
    journal=st.binary(min_size=6, max_size=6).map(bytes.hex),
    instance=st.binary(min_size=4, max_size=4).map(bytes.hex),
    route=st.binary(min_size=4, max_size=4).map(bytes.hex),
    sequence=st.integers(0, 2**40 - 1),
    time=st.integers(0, 2**40 - 1),
)


@given(tags, st.binary())
def test_a_token_says_what_was_signed(signed: Tag, key: bytes) -> None:
    text = tag.sign(signed, key)
    assert len(text) == tag.TOKEN_LENGTH
    assert tag.verify(text, [key]) == tag.verify(text.upper(), [b"other", key]) == signed
    assert tag.read(text) == signed


def test_the_format_is_the_documented_one() -> None:
    payload = (
        b"\x01"
        + bytes.fromhex(JOURNAL)
        + hashlib.sha256(b"fra1").digest()[:4]
        + hashlib.sha256(b"pool/192.0.2.11/shop/corp").digest()[:4]
        + (77).to_bytes(5, "big")
        + (179531526123).to_bytes(5, "big")
    )
    mac = hmac.new(KEY, payload, "sha256").digest()[:16]
    assert token() == base64.b32encode(payload + mac).decode().rstrip("=").lower()
    assert tag.short(token()) == base64.b32encode(payload[15:20] + mac[:10]).decode().lower()


@given(st.integers(0, tag.TOKEN_LENGTH - 1), st.sampled_from(ALPHABET + "018-= ü"))
def test_a_changed_character_never_verifies(place: int, letter: str) -> None:
    text = token()
    changed = text[:place] + letter + text[place + 1 :]
    assert changed == text or isinstance(tag.verify(changed, [KEY]), Flaw)


@given(st.text() | st.text(ALPHABET, min_size=66, max_size=66) | st.text(max_size=66))
def test_junk_is_a_flaw_and_no_error(text: str) -> None:
    assert isinstance(tag.verify(text, [KEY]), Flaw)
    assert not tag.is_short_of(text, token())
    assert not tag.is_short_of(tag.short(token()), text)
    tag.sequence_of_short(text)


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", Flaw.MALFORMED),
        (token()[:-1], Flaw.MALFORMED),
        (token() + "a", Flaw.MALFORMED),
        ("b" + token()[1:], Flaw.MALFORMED),  # Another version.
        (token()[:-1] + "b", Flaw.MALFORMED),  # Same bytes, another spelling.
        (token(key=b"stranger"), Flaw.BAD_MAC),
        ("\ud800" * 66, Flaw.MALFORMED),
        ("ſ" * 66, Flaw.MALFORMED),  # Its upper case is S.
    ],
)
def test_the_flaw_of_a_token(text: str, flaw: Flaw) -> None:
    assert tag.verify(text, [KEY]) is flaw


def test_without_keys_nothing_verifies() -> None:
    assert tag.verify(token(), []) is Flaw.BAD_MAC


@given(tags)
def test_a_short_id_belongs_to_its_token(signed: Tag) -> None:
    text = tag.sign(signed, KEY)
    short = tag.short(text)
    assert len(short) == tag.SHORT_LENGTH
    assert tag.sequence_of_short(short.upper()) == signed.sequence
    assert tag.is_short_of(short.upper(), text)
    assert not tag.is_short_of(short, tag.sign(signed, b"stranger"))


@pytest.mark.parametrize(
    ("age", "current"),
    [(0, True), (99.9, True), (100.1, False), (-599, True), (-601, False)],
)
def test_a_tag_is_current_from_ten_minutes_ahead_until_it_expires(
    age: float, current: bool
) -> None:
    told = tag.make(JOURNAL, INSTANCE, ROUTE, sequence=1, time=SENT)
    assert tag.is_current(told, wall=SENT + age, lifetime=100) is current


@pytest.mark.parametrize(
    ("name", "written"),
    [("fra1", "fra1"), ("fra1/check-x9", "fra1/check-x9"), ("a;b=c d", "a%3Bb%3Dc%20d")],
)
def test_names_cannot_break_the_field(name: str, written: str) -> None:
    assert tag.spelled(name) == written


def test_what_has_no_room_is_refused() -> None:
    with pytest.raises(OverflowError):
        token(sequence=2**40)
    with pytest.raises(ValueError, match="length"):
        token(journal="a1b2")
