"""Whether a probe that arrived could be authenticated: by the receiver's word, and by our own eyes.

What is held against somebody:

- `fail` and `permerror` of SPF, DKIM or DMARC in trusted Authentication-Results (RFC 8601 §2.7);
- a signature whose key DNS says is not there, or revoked: every receiver will find the same.

What says that there was nothing to check, or not enough (`none`, `neutral`, `policy`, `softfail`;
a message without a signature; a signature that does not fit, which a receiver may have broken
after it looked), is held against somebody only where the same method passed before, for this
sender in this mailbox, by whichever node. So a domain without DMARC accuses nobody, and a node
whose signing filter is dead stands out against its siblings. A signature is missing also where
selectors are configured.

What cannot be known is no failure: `temperror`, a DNS that does not answer (RFC 8601 §2.7.1).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from probe.core.model import AuthResult
from probe.core.signature import Validity, Verified

OWN = "signature"  # Our own verification, beside the receiver's methods.

_ACCUSING = frozenset({"fail", "permerror"})
_WEAK = frozenset({"none", "neutral", "policy", "softfail"})


class Proof(StrEnum):
    """Whether a message is what it claims to be."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open"  # Nobody could tell.


@dataclass(frozen=True, slots=True)
class Authenticity:
    """What is known of the authentication of one message."""

    proof: Proof
    evidence: tuple[str, ...] = ()  # What fails, one sentence each.


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen of one message."""

    results: tuple[AuthResult, ...] = ()  # Trusted.
    verified: tuple[Verified, ...] | None = None  # The sender's signatures; None: not looked at.
    altered: bool = False  # It came back different, which by itself breaks a signature.
    signs: bool = False  # The sender is known to sign: its selectors are configured.


def passed(observed: Observed) -> frozenset[str]:
    """The methods that passed, our own verification among them."""
    good = {told.method for told in observed.results if told.result == "pass"}
    own = observed.verified or ()
    return frozenset(good | ({OWN} if any(v.validity is Validity.GOOD for v in own) else set()))


def authenticity(observed: Observed, before: Collection[str]) -> Authenticity:
    """What all this amounts to; `before`: the methods that passed at an earlier time."""
    sentences = *_by_receiver(observed.results, before), *_by_us(observed, before)
    if sentences:
        return Authenticity(Proof.FAILS, sentences)
    return Authenticity(Proof.HOLDS if passed(observed) else Proof.OPEN)


def _by_receiver(results: Sequence[AuthResult], before: Collection[str]) -> Iterator[str]:
    for told in results:
        name = told.method.upper()
        if told.result in _ACCUSING:
            yield f"the receiver says {name} {told.result}"
        elif told.result in _WEAK and told.method in before:
            yield f"the receiver says {name} {told.result}, and it passed before"


def _by_us(observed: Observed, before: Collection[str]) -> Iterator[str]:
    """What we find by ourselves, where the receiver did not see the DKIM signature pass."""
    verified = observed.verified
    if verified is None or AuthResult("dkim", "pass") in observed.results:
        return
    if not verified:
        if OWN in before or observed.signs:
            yield "it bears no DKIM signature of the sender's domain, and it should"
        return
    if any(one.validity in (Validity.GOOD, Validity.OPEN) for one in verified):
        return
    keyless = [one for one in verified if one.validity is Validity.KEYLESS]
    for one in keyless or verified:
        if one.validity is Validity.KEYLESS:
            yield f"it is signed with {one.signature.key_name}, and {one.why}"
        elif OWN in before and not observed.altered:
            yield f"the signature with {one.signature.key_name} is not good: {one.why}"
