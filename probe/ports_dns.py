"""What the DNS checks need from outside, and what the others see of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from typing import Protocol

from probe.core.records.answer import Answer, Question
from probe.core.records.check import CheckKind, CheckState, DomainPlan, Inspection
from probe.core.records.dane import Shown
from probe.core.records.dmarc import DmarcReading
from probe.core.records.mta_sts import Fetched
from probe.core.records.spf import Identity, SpfReading, SpfVerdict

ALL_KINDS = frozenset(CheckKind)

Ask = Callable[[Question], Awaitable[Answer]]


class DomainInspector(Protocol):
    """Checks the DNS of a sender's domain."""

    async def inspect(self, plan: DomainPlan, kinds: Set[CheckKind] = ALL_KINDS) -> Inspection:
        """Checks of these kinds, once; never raises but for cancellation.

        It ends within 30 s from its turn: an instance may be asked for many domains at once, and
        inspects some at a time. Equal questions at the same time are one; what was heard is
        forgotten at the end, so the next run sees what is new.
        """


class Records(Protocol):
    """Puts questions to DNS servers."""

    async def ask(self, question: Question) -> Answer:
        """The answer, within 10 s; never raises but for cancellation.

        Where no server said anything of use, it was asked again, or another one was.
        """


class Semantics(Protocol):
    """Knows what SPF and DMARC records mean; asks for what they refer to."""

    async def spf(self, domain: str, ask: Ask) -> SpfReading:
        """What the SPF record says, with all that it includes, within 15 s."""

    async def spf_verdict(
        self, domain: str, ip: str, identity: Identity, *, helo: str, ask: Ask
    ) -> SpfVerdict:
        """What a receiver concludes of mail from this address, within 15 s."""

    async def dmarc(self, domain: str, ask: Ask) -> DmarcReading:
        """What the DMARC record says that applies to the domain, within 15 s."""


class PolicyReader(Protocol):
    """Fetches policies of MTA-STS."""

    async def fetch(self, host: str, addresses: Sequence[str]) -> Fetched:
        """The policy that the web server at these addresses has, within 18 s."""


class CertificateReader(Protocol):
    """Looks at the certificates of mail servers."""

    async def shown(self, host: str, addresses: Sequence[str]) -> Shown:
        """What the mail server at these addresses shows after STARTTLS, within 18 s."""


class DnsMetrics(Protocol):
    """The verbs by which the checks of the senders' domains are counted."""

    def add_domain(self, domain: str) -> None:
        """A domain is checked: its series exist from now on."""

    def drop_domain(self, domain: str) -> None:
        """A domain is not checked any more: its series go at once."""

    def checked(self, domain: str, kind: CheckKind, state: CheckState) -> None:
        """The worst state of this kind of check, over all of its subjects."""

    def record_changed(self, domain: str, kind: CheckKind, when: float) -> None:
        """When what is published last changed (Unix time)."""

    def spf_counted(self, domain: str, *, lookups: int, void_lookups: int) -> None:
        """What the SPF record costs."""

    def show_lists(
        self, listed: Mapping[tuple[str, str], bool | None], usable: Mapping[str, bool | None]
    ) -> None:
        """By address and list, and by list: all that there are; None is not known."""
