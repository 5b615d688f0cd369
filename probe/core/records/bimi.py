"""The logo that a domain shows beside its mail; a draft, so for information."""

from __future__ import annotations

from probe.core.records import tags
from probe.core.records.answer import Answer, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

VERSION = "v=BIMI1"


def name(domain: str) -> str:
    """Where the record of the default selector is."""
    return f"default._bimi.{domain}"


def evaluate(domain: str, answer: Answer) -> Check:
    """The check of the record (draft-brand-indicators-for-message-identification)."""
    records = tags.starting(answer.records, VERSION)
    return concluded(
        CheckKind.BIMI,
        domain,
        _remarks(domain, answer, records),
        well=f"{domain} names its logo.",
        evidence=answer.lines(),
        records=records,
    )


def _remarks(domain: str, answer: Answer, records: list[str]) -> list[Remark]:
    if not answer.is_known:
        return [Remark(CheckState.ERROR, unknown([answer]))]
    if not records:
        return [Remark(CheckState.NONE, f"{domain} names no logo.")]
    if len(records) > 1:
        return [Remark(CheckState.WARN, f"{domain} has {len(records)} BIMI records.")]
    found = tags.parse(records[0])
    if found.trouble:
        return [Remark(CheckState.WARN, f"The record is written wrongly: {found.trouble}")]
    place = found.values.get("l")
    if place == "":
        return [Remark(CheckState.NONE, f"{domain} declines to show a logo.")]
    if place is None or not place.lower().startswith("https://"):
        return [Remark(CheckState.WARN, "The logo is not at an https:// address (l=).")]
    return []
