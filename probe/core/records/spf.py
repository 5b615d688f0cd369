"""Who may send for a domain (RFC 7208): what its record says, and of whom it is said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from probe.core.records.answer import Answer, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded


class SpfResult(StrEnum):
    """What a receiver concludes (RFC 7208 §2.6)."""

    NONE = "none"  # There is no record.
    NEUTRAL = "neutral"  # The record says nothing of the address.
    PASS = "pass"  # It may send.
    FAIL = "fail"  # It may not.
    SOFTFAIL = "softfail"  # It probably may not.
    TEMPERROR = "temperror"  # DNS did not answer.
    PERMERROR = "permerror"  # The record cannot be understood.


class Identity(StrEnum):
    """Whose record a receiver asks for."""

    MAIL_FROM = "MAIL FROM"  # The domain of the sender's address.
    HELO = "HELO"  # The name that the sending server gives (RFC 7208 §2.3).


@dataclass(frozen=True, slots=True)
class SpfReading:
    """What a record says, with all that it includes."""

    record: str = ""
    error: str = ""  # Why receivers cannot use it.
    warnings: tuple[str, ...] = ()
    last: str = ""  # What becomes of all that nothing matches: pass, fail, softfail, neutral.
    includes: frozenset[str] = frozenset()  # The domains that it includes or redirects to.
    lookups: int | None = None
    void_lookups: int | None = None
    unanswered: str = ""  # A sentence: a question that it needs was not answered.


@dataclass(frozen=True, slots=True)
class SpfVerdict:
    """What a receiver would conclude of mail from an address."""

    ip: str
    identity: Identity
    result: SpfResult
    reason: str = ""  # In words; empty where the result says it.


def records_of(txt: Answer) -> list[str]:
    """The SPF records among the TXT records (RFC 7208 §4.5)."""
    return [r for r in txt.records if r.lower() == "v=spf1" or r.lower().startswith("v=spf1 ")]


def evaluate(
    domain: str,
    txt: Answer,
    reading: SpfReading,
    verdicts: Sequence[SpfVerdict],
    expected: Sequence[str],
) -> Check:
    """The check: the worst over the record, all addresses, and the names it must include."""
    shown = [f'{domain} TXT "{record}" (from {txt.server})' for record in records_of(txt)]
    if not shown:
        shown = list(txt.lines())
    return concluded(
        CheckKind.SPF,
        domain,
        _remarks(domain, txt, reading, verdicts, expected),
        well=_well(domain, verdicts),
        evidence=[*shown, *_counts(reading), *map(_line, verdicts)],
        records=records_of(txt),
    )


def _well(domain: str, verdicts: Sequence[SpfVerdict]) -> str:
    ips = ", ".join(dict.fromkeys(verdict.ip for verdict in verdicts))
    return f"The SPF record of {domain} is sound" + (f", and covers {ips}." if ips else ".")


def _counts(reading: SpfReading) -> list[str]:
    if reading.lookups is None or reading.void_lookups is None:
        return []
    return [f"{reading.lookups} of 10 lookups, {reading.void_lookups} of 2 void lookups"]


def _line(verdict: SpfVerdict) -> str:
    reason = f" ({verdict.reason})" if verdict.reason else ""
    return f"{verdict.identity} from {verdict.ip}: {verdict.result}{reason}"


def _remarks(
    domain: str,
    txt: Answer,
    reading: SpfReading,
    verdicts: Sequence[SpfVerdict],
    expected: Sequence[str],
) -> list[Remark]:
    records = records_of(txt)
    if not txt.is_known:
        return [Remark(CheckState.ERROR, unknown([txt]))]
    if not records:
        said = f"{domain} {txt.absence}." if not txt.records else f"{domain} has no SPF record."
        return [Remark(CheckState.FAIL, said)]
    if len(records) > 1:
        said = f"{domain} has {len(records)} SPF records, which receivers take for an error."
        return [Remark(CheckState.FAIL, said)]
    return [
        *_record_remarks(reading),
        *_includes(reading, expected),
        *(remark for verdict in verdicts if (remark := _verdict_remark(verdict))),
    ]


def _record_remarks(reading: SpfReading) -> list[Remark]:
    if reading.unanswered:
        return [Remark(CheckState.ERROR, reading.unanswered)]
    if reading.error:
        return [Remark(CheckState.FAIL, f"The SPF record is of no use: {reading.error}")]
    remarks = [Remark(CheckState.WARN, warning) for warning in reading.warnings]
    match reading.last:
        case "pass":
            remarks.append(Remark(CheckState.FAIL, "The SPF record lets anybody send (+all)."))
        case "neutral":
            said = "The SPF record says nothing of those it does not name (no -all or ~all)."
            remarks.append(Remark(CheckState.WARN, said))
    return remarks


def _includes(reading: SpfReading, expected: Sequence[str]) -> Iterable[Remark]:
    """What is to be said of names that should be included."""
    if reading.unanswered or reading.error:
        return  # What it includes is not known then.
    for each in expected:
        if each.lower().rstrip(".") not in reading.includes:
            yield Remark(CheckState.FAIL, f"The SPF record does not include {each}.")


def _verdict_remark(verdict: SpfVerdict) -> Remark | None:
    """What is to be said of one address; a HELO name needs no record of its own."""
    state = _STATES[verdict.identity][verdict.result]
    if state is CheckState.OK:
        return None
    reason = f": {verdict.reason}" if verdict.reason else ""
    of = "" if verdict.identity is Identity.MAIL_FROM else " for the HELO name"
    return Remark(state, f"SPF gives {verdict.result} for mail from {verdict.ip}{of}{reason}.")


_STATES = {
    Identity.MAIL_FROM: {
        SpfResult.NONE: CheckState.FAIL,
        SpfResult.NEUTRAL: CheckState.WARN,
        SpfResult.PASS: CheckState.OK,
        SpfResult.FAIL: CheckState.FAIL,
        SpfResult.SOFTFAIL: CheckState.FAIL,
        SpfResult.TEMPERROR: CheckState.ERROR,
        SpfResult.PERMERROR: CheckState.FAIL,
    },
    Identity.HELO: {
        SpfResult.NONE: CheckState.OK,
        SpfResult.NEUTRAL: CheckState.OK,
        SpfResult.PASS: CheckState.OK,
        SpfResult.FAIL: CheckState.FAIL,
        SpfResult.SOFTFAIL: CheckState.WARN,
        SpfResult.TEMPERROR: CheckState.ERROR,
        SpfResult.PERMERROR: CheckState.WARN,
    },
}
