"""Where reports about TLS are to be sent (RFC 8460)."""

from __future__ import annotations

import re

from probe.core.records import tags
from probe.core.records.answer import Answer, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

VERSION = "v=TLSRPTv1"

_ADDRESS = re.compile(r"mailto:[^@\s,!]+@[^@\s,!]+|https://[^\s,!]+")


def name(domain: str) -> str:
    """Where the record is."""
    return f"_smtp._tls.{domain}"


def evaluate(domain: str, answer: Answer) -> Check:
    """The check of the record (RFC 8460 §3)."""
    records = tags.starting(answer.records, VERSION)
    return concluded(
        CheckKind.TLS_RPT,
        domain,
        _remarks(domain, answer, records),
        well=f"Reports about TLS to {domain} have somewhere to go.",
        evidence=answer.lines(),
        records=records,
    )


def _remarks(domain: str, answer: Answer, records: list[str]) -> list[Remark]:
    if not answer.is_known:
        return [Remark(CheckState.ERROR, unknown([answer]))]
    if not records:
        return [Remark(CheckState.NONE, f"{domain} asks for no reports about TLS.")]
    if len(records) > 1:
        said = f"{domain} has {len(records)} TLS-RPT records, so none of them counts."
        return [Remark(CheckState.FAIL, said)]
    found = tags.parse(records[0])
    if found.trouble:
        return [Remark(CheckState.FAIL, f"The record is written wrongly: {found.trouble}")]
    addresses = [part.strip() for part in found.values.get("rua", "").split(",")]
    wrong = [each for each in addresses if not _ADDRESS.fullmatch(each)]
    if len(wrong) == len(addresses):
        said = "The record names no address for the reports (rua=mailto: or https:)."
        return [Remark(CheckState.FAIL, said)]
    return [Remark(CheckState.WARN, f"{each[:80]} is no address for reports.") for each in wrong]
