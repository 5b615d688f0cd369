"""The policy by which a domain wants mail to it encrypted, and no other server used (RFC 8461)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from probe.core.records import tags
from probe.core.records.answer import Answer, lines_of, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

VERSION = "v=STSv1"
MAX_POLICY = 64 * 1024  # Octets; RFC 8461 §3.3 suggests the limit.
MIN_AGE = 86_400  # Below a day a policy hardly protects (s).
MAX_AGE = 31_557_600  # RFC 8461 §3.2 (s)

_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_MODES = ("enforce", "testing", "none")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of the request for a policy."""

    text: str = ""  # Where one came.
    media_type: str = ""
    refused: str = ""  # A sentence: what came was no policy, as every sender will find.
    unknown: str = ""  # A sentence: nothing came in time, which may be the fault of our network.


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy says."""

    mode: str = ""
    max_age: int | None = None  # Seconds
    patterns: tuple[str, ...] = ()
    trouble: tuple[str, ...] = field(default=())  # Sentences.


def name(domain: str) -> str:
    """Where the record is."""
    return f"_mta-sts.{domain}"


def policy_host(domain: str) -> str:
    """The web server that has the policy."""
    return f"mta-sts.{domain}"


def is_announced(record: Answer) -> bool:
    """Whether a record asks senders to fetch a policy."""
    return bool(tags.starting(record.records, VERSION))


def evaluate(
    domain: str, record: Answer, policy: Fetched, mx: Answer, hosts: Sequence[str]
) -> Check:
    """The check of record and policy; `hosts` are the mail servers of the domain."""
    announced = tags.starting(record.records, VERSION)
    shown = [f"policy: {line}" for line in policy.text.splitlines()[:12]]
    return concluded(
        CheckKind.MTA_STS,
        domain,
        _remarks(domain, record, policy, mx, hosts),
        well=f"Mail to {domain} is only sent encrypted, to the servers that it has.",
        evidence=[*lines_of([record]), *shown],
        records=[*announced, *policy.text.splitlines()],
    )


def parsed(text: str) -> Policy:
    """The fields of a policy (RFC 8461 §3.2): lines of `key: value`, unknown keys ignored."""
    fields: dict[str, str] = {}
    patterns: list[str] = []
    trouble = []
    for line in filter(str.strip, text.splitlines()):
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not colon:
            trouble.append(f"The policy has a line that is no field: “{line[:60]}”.")
        elif key == "mx":
            patterns.append(value.lower())
        else:
            fields.setdefault(key, value)
    if fields.get("version") != "STSv1":
        trouble.append("The policy does not say version: STSv1.")
    mode, age = fields.get("mode", ""), fields.get("max_age", "")
    if mode not in _MODES:
        trouble.append(f"The policy's mode is none of {', '.join(_MODES)}.")
    seconds = int(age) if re.fullmatch(r"[0-9]{1,10}", age) else None
    if seconds is None or seconds > MAX_AGE:
        trouble.append(f"The policy's max_age is not a number up to {MAX_AGE}.")
    if not patterns and mode != "none":
        trouble.append("The policy names no mail server (mx).")
    return Policy(mode, seconds, tuple(patterns), tuple(trouble))


def matches(host: str, pattern: str) -> bool:
    """Whether a mail server is one of those (RFC 8461 §4.1): `*.` stands for one label."""
    if pattern.startswith("*."):
        return host.partition(".")[2] == pattern[2:] != ""
    return host == pattern


def _remarks(
    domain: str, record: Answer, policy: Fetched, mx: Answer, hosts: Sequence[str]
) -> list[Remark]:
    if not record.is_known:
        return [Remark(CheckState.ERROR, unknown([record]))]
    announced = tags.starting(record.records, VERSION)
    if not announced:
        return [Remark(CheckState.NONE, f"{domain} has no policy for TLS (MTA-STS).")]
    if len(announced) > 1:
        said = f"{domain} has {len(announced)} MTA-STS records, so none of them counts."
        return [Remark(CheckState.FAIL, said)]
    return [*_record_remarks(announced[0]), *_policy_remarks(policy, mx, hosts)]


def _record_remarks(record: str) -> list[Remark]:
    found = tags.parse(record)
    if found.trouble:
        return [Remark(CheckState.FAIL, f"The record is written wrongly: {found.trouble}")]
    if not _ID.fullmatch(found.values.get("id", "")):
        return [Remark(CheckState.FAIL, "The record's id is not 1 to 32 letters and digits.")]
    return []


def _policy_remarks(fetched: Fetched, mx: Answer, hosts: Sequence[str]) -> list[Remark]:
    if fetched.unknown:
        return [Remark(CheckState.ERROR, fetched.unknown)]
    if fetched.refused:
        return [Remark(CheckState.FAIL, fetched.refused)]
    policy = parsed(fetched.text)
    if policy.trouble:
        return [Remark(CheckState.FAIL, sentence) for sentence in policy.trouble]
    return [*_mode_remarks(policy, fetched.media_type), *_mx_remarks(policy, mx, hosts)]


def _mode_remarks(policy: Policy, media_type: str) -> list[Remark]:
    remarks = []
    if policy.mode != "enforce":
        remarks.append(
            Remark(CheckState.WARN, f"The policy's mode is {policy.mode}, so it protects nothing.")
        )
    if policy.max_age is not None and policy.max_age < MIN_AGE:
        said = f"The policy is forgotten after {policy.max_age} s; weeks are advised."
        remarks.append(Remark(CheckState.WARN, said))
    if media_type != "text/plain":
        said = f"The policy comes as “{media_type}”; some senders take text/plain only."
        remarks.append(Remark(CheckState.WARN, said))
    return remarks


def _mx_remarks(policy: Policy, mx: Answer, hosts: Sequence[str]) -> list[Remark]:
    """What is to be said of mail servers that the policy does not know."""
    if policy.mode == "none":
        return []
    if not mx.is_known:
        return [Remark(CheckState.ERROR, unknown([mx]))]
    missing = [host for host in hosts if not any(matches(host, p) for p in policy.patterns)]
    if not missing:
        return []
    state = CheckState.FAIL if policy.mode == "enforce" else CheckState.WARN
    said = f"The policy leaves out the mail server {', '.join(missing)}: senders do not use it."
    return [Remark(state, said)]
