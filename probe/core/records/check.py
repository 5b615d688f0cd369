"""What is looked at of a sender's domain, and what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from probe.core.wire import clean

# What strangers write is cut to this, whatever they publish.
SUMMARY_LIMIT = 400
LINE_LIMIT = 600
RECORD_LIMIT = 4096
MAX_LINES = 24
MAX_RECORDS = 32


class CheckKind(StrEnum):
    """What is checked of a domain."""

    MX = "mx"  # Who takes its mail. Subject: the domain.
    SPF = "spf"  # Who may send for it; the worst over all IPs and the HELO name. The domain.
    DKIM = "dkim"  # The keys of its signatures. Subject: the selector.
    DMARC = "dmarc"  # What it asks of receivers. Subject: the domain.
    MTA_STS = "mta_sts"  # That mail to it needs TLS (RFC 8461). Subject: the domain.
    TLS_RPT = "tls_rpt"  # Where reports about TLS go (RFC 8460). Subject: the domain.
    DANE = "dane"  # The certificates of its mail servers by DNS (RFC 7672). Subject: the host.
    PTR = "ptr"  # The name of an address that sends for it. Subject: the IP address.
    DNSBL = "dnsbl"  # Whether a blocklist has such an address. Subject: `IP LIST`.
    BIMI = "bimi"  # Its logo; for information. Subject: the domain.
    NS = "ns"  # Whether its name servers agree. Subject: the name server.


class CheckState(StrEnum):
    """How a check ended."""

    OK = "ok"  # As it should be.
    WARN = "warn"  # It works, and may not tomorrow, or not everywhere.
    FAIL = "fail"  # Receivers will mind.
    ERROR = "error"  # No answer could be had, so nothing is known: never a missing record.
    NONE = "none"  # Optional, and not published.


@dataclass(frozen=True, slots=True)
class Check:
    """One thing about a domain, and the grounds for what is said of it."""

    check: CheckKind
    subject: str  # As CheckKind says.
    state: CheckState
    summary: str  # One sentence.
    evidence: tuple[str, ...] = ()  # Lines: the record, the server asked, what else was found.
    records: tuple[str, ...] = ()  # What is published, in a fixed order; a change shows in it.


@dataclass(frozen=True, slots=True)
class DomainPlan:
    """A sender's domain, and what is known of how mail is sent for it."""

    domain: str  # Lower case, without a final dot; internationalised ones in their ASCII form.
    selectors: tuple[str, ...] = ()  # Of DKIM.
    egress_ips: tuple[str, ...] = ()  # From which its mail leaves, as ipaddress writes them.
    helo: str = ""  # The name that the sending server gives; empty: not known.
    expect_includes: tuple[str, ...] = ()  # Names that its SPF record must include.
    dnsbls: tuple[str, ...] = ()  # The zones of blocklists.


@dataclass(frozen=True, slots=True)
class Listing:
    """Whether a blocklist has an address."""

    ip: str
    zone: str
    listed: bool


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found out about a domain in one run."""

    checks: tuple[Check, ...]  # In the order of CheckKind.
    spf_lookups: int | None = None  # Terms that cost a lookup; None: SPF was not checked or read.
    spf_void_lookups: int | None = None
    listings: tuple[Listing, ...] = ()  # Of the lists that are usable and answered.
    usable: tuple[tuple[str, bool], ...] = ()  # By list: whether its self-test passed.


@dataclass(frozen=True, slots=True)
class Remark:
    """Something worth saying of what was looked at."""

    state: CheckState
    sentence: str


def concluded(
    check: CheckKind,
    subject: str,
    remarks: Sequence[Remark],
    *,
    well: str,
    evidence: Iterable[str] = (),
    records: Iterable[str] = (),
) -> Check:
    """The check that follows from the remarks: its summary is the worst, or `well` without any.

    The other remarks stand at the head of the evidence.
    """
    ranked = sorted(remarks, key=lambda remark: -_RANKS.index(remark.state))
    first = ranked[0] if ranked else Remark(CheckState.OK, well)
    said = dict.fromkeys((*(remark.sentence for remark in ranked[1:]), *evidence))
    return Check(
        check,
        subject,
        first.state,
        clean(first.sentence, SUMMARY_LIMIT),
        tuple(clean(line, LINE_LIMIT) for line in list(said)[:MAX_LINES]),
        tuple(clean(record, RECORD_LIMIT) for record in sorted(records)[:MAX_RECORDS]),
    )


# From harmless to bad: `none` says nothing, and what is not known may be worse than a warning.
_RANKS = (CheckState.NONE, CheckState.OK, CheckState.WARN, CheckState.ERROR, CheckState.FAIL)


def worst(states: Iterable[CheckState]) -> CheckState:
    """The worst of these states: fail, error, warn, ok, none; none of nothing."""
    return max(states, key=_RANKS.index, default=CheckState.NONE)


def overall(checks: Iterable[Check]) -> CheckState:
    """The state of a whole domain: fail, error, warn or ok."""
    return worst((CheckState.OK, *(check.state for check in checks)))
