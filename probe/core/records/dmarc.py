"""What a domain asks of those who receive mail in its name (RFC 9989)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from probe.core.records.answer import Answer, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded


@dataclass(frozen=True, slots=True)
class DmarcReading:
    """What was found on the walk up the tree, and what it says."""

    record: str = ""  # Empty: there is none.
    location: str = ""  # The domain that has it, which may be a parent.
    error: str = ""  # Why it does not count.
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # Worth knowing, and nothing to be mended.
    tags: Mapping[str, str] = field(default_factory=dict)
    unanswered: str = ""  # A sentence: a question that it needs was not answered.


def name(domain: str) -> str:
    """Where the record of a domain is."""
    return f"_dmarc.{domain}"


def evaluate(domain: str, txt: Answer, reading: DmarcReading) -> Check:
    """The check of the record that applies to the domain; `txt` is what its own name has."""
    shown = list(txt.lines())
    if reading.record and reading.location != domain:
        shown.append(f'{name(reading.location)} TXT "{reading.record}" applies')
    return concluded(
        CheckKind.DMARC,
        domain,
        _remarks(domain, txt, reading),
        well=f"The DMARC policy of {domain} is {_policy(domain, reading)}.",
        evidence=[*shown, *reading.notes],
        records=[reading.record] if reading.record else txt.records,
    )


def _remarks(domain: str, txt: Answer, reading: DmarcReading) -> list[Remark]:
    if not txt.is_known:
        return [Remark(CheckState.ERROR, unknown([txt]))]
    if reading.unanswered:
        return [Remark(CheckState.ERROR, reading.unanswered)]
    if reading.error:
        return [Remark(CheckState.FAIL, f"DMARC does not protect {domain}: {reading.error}")]
    remarks = [Remark(CheckState.WARN, warning) for warning in reading.warnings]
    if reading.tags.get("t") == "y":
        said = "The policy is marked as a test (t=y): receivers apply it one level weaker."
        remarks.append(Remark(CheckState.WARN, said))
    return remarks


def _policy(domain: str, reading: DmarcReading) -> str:
    """What applies to mail from the domain: a parent's record has a word for its subdomains."""
    return reading.tags.get("p" if reading.location == domain else "sp", "none")
