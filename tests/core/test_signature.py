"""The signatures in a header, and which messages can be verified."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.signature import (
    MOST,
    Signature,
    flaw_of_key,
    is_aligned,
    is_too_long,
    signatures,
    unfit,
)

OURS = b"DKIM-Signature: v=1; a=rsa-sha256; d=Shop.Example; s=S1;\r\n\th=from; b=ab c=\r\n"


def field(domain: str, selector: str) -> bytes:
    return f"DKIM-Signature: d={domain}; s={selector}; b=abc\n".encode()


def test_domain_and_selector_are_read_whatever_their_case_and_folding() -> None:
    assert signatures(OURS, "shop.example") == (Signature("shop.example", "s1", 0),)
    assert signatures(OURS, "shop.example")[0].key_name == "s1._domainkey.shop.example"


@pytest.mark.parametrize(
    ("signer", "domain", "aligned"),
    [
        ("shop.example", "shop.example", True),
        ("shop.example", "mail.SHOP.example", True),
        ("bounce.shop.example", "shop.example", True),
        ("example", "shop.example", False),
        ("notshop.example", "shop.example", False),
        ("esp.example", "shop.example", False),
    ],
)
def test_a_signature_speaks_for_its_domain_and_its_family(
    signer: str, domain: str, aligned: bool
) -> None:
    assert is_aligned(signer, domain) is aligned
    assert bool(signatures(field(signer, "s1"), domain)) is aligned


def test_an_index_counts_signatures_of_others_too() -> None:
    header = field("esp.example", "k1") + b"X: y\n" + field("shop.example", "s1")
    assert signatures(header, "shop.example") == (Signature("shop.example", "s1", 1),)


def test_only_so_many_are_looked_at() -> None:
    assert len(signatures(field("shop.example", "s") * 9, "shop.example")) == MOST


@pytest.mark.parametrize(
    "header",
    [
        b"DKIM-Signature: s=s1; b=abc\n",
        b"DKIM-Signature: d=shop.example; b=abc\n",
        b"DKIM-Signature: d=shop.example; s=../s1\n",
        b"DKIM-Signature: d=shop.example; s=" + b"a" * 300 + b"\n",
        b"DKIM-Signature: d=shop.ex\xffmple; s=s1\n",
        b"DKIM-Signature:\n",
    ],
)
def test_a_field_that_names_nobody_is_none(header: bytes) -> None:
    assert signatures(header, "shop.example") == ()


@pytest.mark.parametrize(
    ("header", "body", "missing", "why"),
    [
        (OURS, b"hello\r\n", 0, ""),
        (OURS, b"hello\r\n", 1, "whole"),
        (OURS + b"A: b\r\n" * 300, b"", 0, "header fields"),
        (OURS, b" " * 100 + b"x", 0, "white space"),
        (OURS + b"X:" + b"\r\n " * 40 + b"x\r\n", b"", 0, "white space"),
        (b"DKIM-Signature: b=" + b"a" * 5000 + b"\r\n", b"", 0, "too long"),
    ],
)
def test_what_no_honest_message_contains_is_not_verified(
    header: bytes, body: bytes, missing: int, why: str
) -> None:
    said = unfit(header, body, len(header) + len(body) + missing)
    assert why in said if why else said == ""


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("v=DKIM1; k=rsa; p=MIIB", ""),
        ("p=MIIB", ""),
        ("", "no such key"),
        ("v=DKIM1; p=", "revoked"),
        ("v=DKIM1; p= ;", "revoked"),
        ("v=DKIM1; k=rsa", "holds no key"),
    ],
)
def test_what_a_key_lacks(text: str, flaw: str) -> None:
    assert flaw in flaw_of_key(text) if flaw else flaw_of_key(text) == ""


def test_a_key_of_4096_bits_is_tried_and_a_far_longer_one_is_not() -> None:
    assert not is_too_long("v=DKIM1; k=rsa; p=" + "A" * 736)
    assert is_too_long("p=" + "A" * 1400) and not flaw_of_key("p=" + "A" * 1400)


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_anything_can_be_read(header: bytes, body: bytes) -> None:
    header = b"DKIM-Signature: d=shop.example; s=" + header
    signatures(header, "shop.example")
    unfit(header, body, len(header) + len(body))
    flaw_of_key(header.decode("latin-1"))
