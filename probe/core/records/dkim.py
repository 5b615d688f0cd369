"""The public key of a DKIM selector: whether receivers can verify what it signs."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass

from probe.core.records import tags
from probe.core.records.answer import Answer, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

MIN_BITS, GOOD_BITS = 1024, 2048  # RFC 8301 §3.2: what verifiers must take, and what is advised.
ED25519_OCTETS = 32  # RFC 8463 §4


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What a key is."""

    kind: str  # `rsa`, or another name.
    bits: int


ReadKey = Callable[[bytes], PublicKey | None]  # Of the DER form; None for what is no key.


def name(selector: str, domain: str) -> str:
    """Where the key of a selector is published (RFC 6376 §3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def evaluate(selector: str, answer: Answer, read: ReadKey) -> Check:
    """The check of a selector's record (RFC 6376 §3.6.1, RFC 8301, RFC 8463)."""
    return concluded(
        CheckKind.DKIM,
        selector,
        _remarks(answer, read),
        well=f"The key of selector {selector} is published and strong enough.",
        evidence=answer.lines(),
        records=_keys(answer),
    )


def _keys(answer: Answer) -> list[str]:
    """The records that may be keys: the version is optional."""
    return [r for r in answer.records if "p" in tags.parse(r).values] or list(answer.records)


def _remarks(answer: Answer, read: ReadKey) -> list[Remark]:
    if not answer.is_known:
        return [Remark(CheckState.ERROR, unknown([answer]))]
    where = answer.question.name
    if not answer.records:
        return [_fail(f"There is no key: {where} {answer.absence}.")]
    records = _keys(answer)
    if len(records) > 1:
        return [_fail(f"{where} has {len(records)} keys; receivers take any or none of them.")]
    found = tags.parse(records[0])
    if found.trouble:
        return [_fail(f"The key of {where} is written wrongly: {found.trouble}")]
    return [*_meaning(found.values), *_strength(found.values, read)]


def _meaning(values: dict[str, str]) -> list[Remark]:
    """What the other tags than the key say."""
    remarks = []
    if "v" in values and (values["v"] != "DKIM1" or next(iter(values)) != "v"):
        remarks.append(_fail("The version must be DKIM1, and stand first."))
    if "h" in values and "sha256" not in _words(values["h"]):
        remarks.append(_fail("The key may not be used with SHA-256, and receivers take no other."))
    if "s" in values and not {"*", "email"} & set(_words(values["s"])):
        remarks.append(_fail("The key is not for e-mail (s=)."))
    if "y" in _words(values.get("t", "")):
        remarks.append(
            Remark(CheckState.WARN, "The key is marked as a test (t=y): some ignore what it signs.")
        )
    return remarks


def _strength(values: dict[str, str], read: ReadKey) -> list[Remark]:
    """What the key itself is worth."""
    text = "".join(values.get("p", "").split())
    if "p" not in values:
        return [_fail("The record holds no key (p=).")]
    if not text:
        return [_fail("The key has been revoked (p= is empty).")]
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return [_fail("The key is not Base64.")]
    match values.get("k", "rsa"):
        case "rsa":
            return _rsa(read(octets))
        case "ed25519":
            sound = len(octets) == ED25519_OCTETS
            return [] if sound else [_fail("The Ed25519 key does not have 32 octets.")]
        case kind:
            return [_fail(f"Receivers know no keys of the type {kind[:40]}.")]


def _rsa(key: PublicKey | None) -> list[Remark]:
    if key is None or key.kind != "rsa":
        return [_fail("What is published is not an RSA key.")]
    if key.bits < MIN_BITS:
        return [_fail(f"The RSA key has {key.bits} bits; receivers refuse less than {MIN_BITS}.")]
    if key.bits < GOOD_BITS:
        said = f"The RSA key has {key.bits} bits; {GOOD_BITS} are advised."
        return [Remark(CheckState.WARN, said)]
    return []


def _words(value: str) -> list[str]:
    return [word.strip() for word in value.split(":")]


def _fail(sentence: str) -> Remark:
    return Remark(CheckState.FAIL, sentence)
