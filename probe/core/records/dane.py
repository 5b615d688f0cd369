"""The certificates of mail servers by DNS (RFC 7672): they must be those that are shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from probe.core.records.answer import Answer, lines_of, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

PORT = 25

_TA, _EE = 2, 3  # RFC 7672 §3.1: senders use no other certificate usage.
_RECORD = re.compile(r"([0-9]{1,3}) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9a-f]*)")
_DIGESTS = {1: "sha256", 2: "sha512"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate as a server showed it."""

    whole: bytes  # DER
    key: bytes  # Its SubjectPublicKeyInfo, DER.


@dataclass(frozen=True, slots=True)
class Shown:
    """What a mail server showed when it was asked for TLS."""

    chain: tuple[Certificate, ...] = ()  # The server's own first.
    refused: str = ""  # A sentence: it answered, and there is no TLS with it.
    unknown: str = ""  # A sentence: it could not be reached.


def name(host: str) -> str:
    """Where the records of a mail server are."""
    return f"_{PORT}._tcp.{host}"


def evaluate(host: str, mx: Answer, tlsa: Answer, shown: Shown) -> Check:
    """The check of one mail server; `mx` is the answer that named it."""
    return concluded(
        CheckKind.DANE,
        host,
        _remarks(host, mx, tlsa, shown),
        well=f"{host} shows the certificate that its TLSA record promises.",
        evidence=[*lines_of([tlsa]), *_proof(shown)],
        records=tlsa.records,
    )


def _remarks(host: str, mx: Answer, tlsa: Answer, shown: Shown) -> list[Remark]:
    if not tlsa.is_known:
        # RFC 7672 §2.1.2: a sender that uses DANE defers the mail, so this is not "no record".
        return [Remark(CheckState.ERROR, unknown([tlsa]))]
    if not tlsa.records:
        return [Remark(CheckState.NONE, f"{host} has no TLSA record.")]
    if not (mx.authenticated and tlsa.authenticated):
        unsigned = mx if not mx.authenticated else tlsa
        said = (
            f"DNSSEC does not vouch for the {unsigned.question.kind} record of"
            f" {unsigned.question.name} here, so nothing follows from the TLSA record."
        )
        return [Remark(CheckState.WARN, said)]
    usable = [record for record in map(_parsed, tlsa.records) if record]
    if not usable:
        return [Remark(CheckState.WARN, f"No TLSA record of {host} is one that senders use.")]
    return _comparison(host, usable, shown)


def _comparison(
    host: str, records: Sequence[tuple[int, int, int, str]], shown: Shown
) -> list[Remark]:
    if shown.unknown:
        return [Remark(CheckState.ERROR, shown.unknown)]
    if shown.refused:
        return [Remark(CheckState.FAIL, shown.refused)]
    if any(_matches(record, shown.chain) for record in records):
        return []
    said = f"{host} shows a certificate that no TLSA record promises: senders defer their mail."
    return [Remark(CheckState.FAIL, said)]


def _parsed(record: str) -> tuple[int, int, int, str] | None:
    """Usage, selector, matching type and value, if senders can use the record."""
    found = _RECORD.fullmatch(record)
    if found is None:
        return None
    usage, selector, matching = (int(found[group]) for group in (1, 2, 3))
    is_usable = usage in (_TA, _EE) and selector in (0, 1) and matching in (0, 1, 2)
    return (usage, selector, matching, found[4]) if is_usable else None


def _matches(record: tuple[int, int, int, str], chain: Sequence[Certificate]) -> bool:
    """Whether a record is about one of the certificates it may be about (RFC 6698 §2.1)."""
    usage, selector, matching, value = record
    candidates = chain[:1] if usage == _EE else chain[1:] or chain
    return any(_digest(each, selector, matching) == value for each in candidates)


def _digest(certificate: Certificate, selector: int, matching: int) -> str:
    octets = certificate.key if selector else certificate.whole
    return hashlib.new(_DIGESTS[matching], octets).hexdigest() if matching else octets.hex()


def _proof(shown: Shown) -> list[str]:
    """What the certificates would have to be promised by."""
    return [f"shown: key {_digest(each, 1, 1)}" for each in shown.chain[:4]]
