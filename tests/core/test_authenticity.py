"""What the receiver and our own eyes say of a message, and what that amounts to."""

from __future__ import annotations

import pytest

from probe.core.authenticity import OWN, Observed, Proof, authenticity, passed
from probe.core.model import AuthResult
from probe.core.signature import Signature, Validity, Verified

S1 = Signature("shop.example", "s1", 0)
S2 = Signature("shop.example", "s2", 1)
GOOD = Verified(S1, Validity.GOOD)
BAD = Verified(S1, Validity.BAD, "it does not fit to the message")
KEYLESS = Verified(S2, Validity.KEYLESS, "there is no such key")
OPEN = Verified(S1, Validity.OPEN, "no answer")
EVERYTHING = ("spf", "dkim", "dmarc", OWN)


def told(text: str) -> tuple[AuthResult, ...]:
    return tuple(AuthResult(*pair.split("=")) for pair in text.split())


@pytest.mark.parametrize(
    ("results", "before", "proof", "words"),
    [
        ("spf=pass dkim=pass dmarc=pass", (), Proof.HOLDS, ""),
        ("spf=fail dkim=pass dmarc=pass", (), Proof.FAILS, "SPF fail"),
        ("spf=pass dkim=permerror", (), Proof.FAILS, "DKIM permerror"),
        ("dmarc=fail", (), Proof.FAILS, "DMARC fail"),
        # Nobody could tell.
        ("spf=temperror dkim=temperror dmarc=temperror", EVERYTHING, Proof.OPEN, ""),
        ("spf=temperror dkim=pass", EVERYTHING, Proof.HOLDS, ""),
        ("", EVERYTHING, Proof.OPEN, ""),
        # What was never there accuses nobody; what was there before does.
        ("spf=none dkim=none dmarc=none", (), Proof.OPEN, ""),
        ("spf=softfail dkim=pass", ("dkim",), Proof.HOLDS, ""),
        ("spf=softfail dkim=pass", ("spf",), Proof.FAILS, "SPF softfail, and it passed before"),
        ("spf=pass dkim=none", ("dkim",), Proof.FAILS, "DKIM none"),
        ("spf=pass dmarc=none", ("dmarc",), Proof.FAILS, "DMARC none"),
    ],
)
def test_the_receivers_word(
    results: str, before: tuple[str, ...], proof: Proof, words: str
) -> None:
    said = authenticity(Observed(told(results)), before)
    assert said.proof is proof
    assert words in " ".join(said.evidence)


@pytest.mark.parametrize(
    ("verified", "before", "proof", "words"),
    [
        ((GOOD,), (), Proof.HOLDS, ""),
        ((BAD, GOOD), EVERYTHING, Proof.HOLDS, ""),  # One good signature is enough.
        ((KEYLESS,), (), Proof.FAILS, "s2._domainkey.shop.example, and there is no such key"),
        ((BAD, KEYLESS), (), Proof.FAILS, "s2._domainkey"),
        ((BAD,), (OWN,), Proof.FAILS, "it does not fit"),
        ((BAD,), (), Proof.OPEN, ""),  # Perhaps this mailbox breaks them all.
        ((OPEN,), (OWN,), Proof.OPEN, ""),
        ((OPEN, KEYLESS), (OWN,), Proof.OPEN, ""),
        ((), (OWN,), Proof.FAILS, "no DKIM signature"),
        ((), (), Proof.OPEN, ""),
        (None, (OWN,), Proof.OPEN, ""),
    ],
)
def test_our_own_eyes(
    verified: tuple[Verified, ...] | None, before: tuple[str, ...], proof: Proof, words: str
) -> None:
    said = authenticity(Observed(verified=verified), before)
    assert said.proof is proof
    assert words in " ".join(said.evidence)


def test_what_the_receiver_saw_pass_was_broken_later() -> None:
    observed = Observed(told("dkim=pass"), (BAD,))
    assert authenticity(observed, EVERYTHING).proof is Proof.HOLDS


def test_an_altered_message_is_another_fault() -> None:
    observed = Observed(verified=(BAD,), altered=True)
    assert authenticity(observed, EVERYTHING).proof is Proof.OPEN


def test_a_sender_whose_selectors_are_configured_signs() -> None:
    assert authenticity(Observed(verified=(), signs=True), ()).proof is Proof.FAILS
    assert authenticity(Observed(verified=(BAD,), signs=True), ()).proof is Proof.OPEN


def test_what_passed() -> None:
    assert passed(Observed(told("spf=pass dkim=fail"), (GOOD,))) == {"spf", OWN}
    assert passed(Observed(told("spf=none"), (BAD,))) == set()
