"""The DNS checks put together: what asks, what knows, and what fetches."""

from __future__ import annotations

from collections.abc import Sequence

from probe.core.records.check import DomainPlan, Inspection
from probe.edges.key import read_key
from probe.edges.policy import PolicyFetcher
from probe.edges.resolver import DnsResolver
from probe.edges.resolver_records import DnsRecords
from probe.edges.semantics import LibrarySemantics
from probe.edges.smtp_certificate import SmtpCertificates
from probe.engine.examiner import Examiner


def examiner(resolver: DnsResolver, helo: str) -> Examiner:
    """The checks, over the servers of this resolver; `helo` is the name we give to mail servers."""
    return Examiner(
        DnsRecords(resolver),
        semantics=LibrarySemantics(),
        policies=PolicyFetcher(),
        certificates=SmtpCertificates(helo),
        read_key=read_key,
    )


async def inspect(plan: DomainPlan, nameservers: Sequence[str] | None) -> Inspection:
    """Every check of a domain, once; `nameservers` None: the system's."""
    return await examiner(DnsResolver(nameservers), plan.helo or plan.domain).inspect(plan)
