"""Signatures verified: real ones, and what no honest mail contains."""

from __future__ import annotations

import base64
import time

import dkim
import nacl.signing
import pytest
from cryptography.hazmat.primitives import serialization as formats
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.core.signature import is_too_long, unfit
from probe.edges.dkim import DkimVerifier

MESSAGE = b"From: probe@shop.test\r\nTo: a@b.test\r\nSubject: x\r\n\r\nhello\r\n"
SECRET = rsa.generate_private_key(65537, 2048)
PEM = SECRET.private_bytes(
    formats.Encoding.PEM, formats.PrivateFormat.TraditionalOpenSSL, formats.NoEncryption()
)


def published(secret: rsa.RSAPrivateKey) -> str:
    spki = secret.public_key().public_bytes(
        formats.Encoding.DER, formats.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(spki).decode()}"


KEY = published(SECRET)
SIGNED = dkim.sign(MESSAGE, b"s1", b"shop.test", PEM) + MESSAGE


@pytest.mark.parametrize(
    ("message", "key", "why"),
    [
        (SIGNED, KEY, ""),
        (SIGNED.replace(b"hello", b"hullo"), KEY, "does not fit to the body"),
        (SIGNED.replace(b"Subject: x", b"Subject: y"), KEY, "does not fit to the header"),
        (SIGNED, published(rsa.generate_private_key(65537, 2048)), "and the key"),
        (SIGNED, "v=DKIM1; p=!!!", "and the key"),
        (SIGNED, "v=DKIM1; p=\N{PILE OF POO}", "and the key"),
        (SIGNED.replace(b"d=shop.test", b"d=\xff\0"), KEY, "cannot be verified"),
        (b" x\r\n" + SIGNED, KEY, "cannot be verified"),
        (b"no field\r\n" + SIGNED, KEY, "cannot be verified"),
        (MESSAGE, KEY, "does not fit"),
    ],
)
async def test_what_is_wrong_with_a_signature(message: bytes, key: str, why: str) -> None:
    said = await DkimVerifier().verify(message, 0, key)
    assert why in said if why else said == ""
    assert said.isprintable()


async def test_the_signature_of_this_index_is_meant() -> None:
    other = b"DKIM-Signature: v=1; a=rsa-sha256; d=esp.test; s=k; h=from; bh=aaaa; b=aaaa\r\n"
    assert await DkimVerifier().verify(other + SIGNED, 1, KEY) == ""
    assert await DkimVerifier().verify(other + SIGNED, 0, KEY) != ""


async def test_ed25519() -> None:
    secret = nacl.signing.SigningKey.generate()
    signature = dkim.sign(
        MESSAGE,
        b"e1",
        b"shop.test",
        base64.b64encode(bytes(secret)),
        signature_algorithm=b"ed25519-sha256",
    )
    key = f"v=DKIM1; k=ed25519; p={base64.b64encode(bytes(secret.verify_key)).decode()}"
    assert await DkimVerifier().verify(signature + MESSAGE, 0, key) == ""


async def test_what_receivers_must_not_take_is_not_good() -> None:
    old = dkim.sign(MESSAGE, b"s1", b"shop.test", PEM, signature_algorithm=b"rsa-sha1")
    assert "SHA-1" in await DkimVerifier().verify(old + MESSAGE, 0, KEY)


def hostile() -> list[tuple[str, bytes, str]]:
    """What is at the edge of what is let through: the worst of each kind."""
    gaps = SIGNED.replace(b"relaxed/simple", b"relaxed/relaxed") + b"x" + (b" " * 98 + b"x") * 640
    names = b":".join(b"%x" % number for number in range(900))
    listed = SIGNED.replace(b"h=from", b"h=" + names + b":from") + b""
    fields = b"A: b\r\n" * 290 + listed
    return [("gaps", gaps, KEY), ("names", fields, KEY), ("key", SIGNED, "p=" + "A" * 1000)]


@pytest.mark.parametrize(("kind", "message", "key"), hostile(), ids=[each[0] for each in hostile()])
async def test_the_worst_that_is_let_through_takes_no_time(
    kind: str, message: bytes, key: str
) -> None:
    header, _, body = message.partition(b"\r\n\r\n")
    assert unfit(header + b"\r\n\r\n", body, len(message)) == "" and not is_too_long(key)
    began = time.process_time()
    await DkimVerifier().verify(message, 0, key)
    assert time.process_time() - began < 2.0


PIECES = """DKIM-Signature:|v=1;|a=rsa-sha256;|d=shop.test;|s=s1;|h=from:to;|bh=aaaa;|b=aaaa|\r
|\r\n\r\n|From: x|i=@shop.test;|l=9;|c=x/y;|;|=|x=1;|t=99999999999;|q=dns/txt;|a=ed25519-sha256; """
pieces = st.sampled_from([*(piece.encode() for piece in PIECES.split("|")), b"\xff", b"\0"])


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(pieces, max_size=25).map(b"".join), st.text(max_size=80) | st.just(KEY))
async def test_anything_can_be_verified(message: bytes, key: str) -> None:
    await DkimVerifier().verify(b"DKIM-Signature: v=1; " + message, 0, key)
