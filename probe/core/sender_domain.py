"""What is configured of the domain that a sender's mail is from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from probe.core.records.check import CheckKind, DomainPlan
from probe.core.records.history import Courses, Unit


@dataclass(frozen=True, slots=True)
class SenderDomain:
    """The domain of one sender, and what is known beforehand of how its mail is sent."""

    sender: str
    domain: str  # Lower case, in ASCII.
    selectors: tuple[str, ...] = ()  # Its mail is signed with these keys.
    egress_ips: tuple[str, ...] = ()  # Its mail leaves from these addresses.
    checked: bool = True  # Whether its DNS is checked.


def domain_plans(
    domains: Iterable[SenderDomain],
    learned: Mapping[str, Collection[str]],
    dnsbls: tuple[str, ...],
) -> dict[str, DomainPlan]:
    """What is checked of each domain, whichever of its senders named it; by domain, in order.

    `learned`: the selectors that were seen in arrived mail, by domain.
    """
    checked = [one for one in domains if one.checked]
    return {
        domain: DomainPlan(
            domain,
            selectors=_all(
                *(one.selectors for one in checked if one.domain == domain),
                learned.get(domain, ()),
            ),
            egress_ips=_all(*(one.egress_ips for one in checked if one.domain == domain)),
            dnsbls=dnsbls,
        )
        for domain in sorted({one.domain for one in checked})
    }


def affected(before: DomainPlan, after: DomainPlan) -> frozenset[CheckKind]:
    """The checks that another plan makes anew: new selectors are no reason to ask blocklists."""
    if before == after:
        return frozenset()
    if replace(before, selectors=after.selectors) == after:
        return frozenset({CheckKind.DKIM, CheckKind.NS})
    return frozenset(CheckKind)


def concerning(origin: SenderDomain, courses: Courses) -> Courses:
    """Without what is about the addresses of others that send for the same domain."""
    return {unit: each for unit, each in courses.items() if _concerns(origin, unit)}


def _concerns(origin: SenderDomain, unit: Unit) -> bool:
    if unit.kind not in (CheckKind.PTR, CheckKind.DNSBL):
        return True
    return unit.subject.partition(" ")[0] in origin.egress_ips


def asked_lists(
    plans: Collection[DomainPlan],
) -> tuple[dict[tuple[str, str], bool | None], dict[str, bool | None]]:
    """The addresses with the lists that they are looked up in, and the lists: nothing is known."""
    pairs = ((ip, zone) for plan in plans for ip in plan.egress_ips for zone in plan.dnsbls)
    return dict.fromkeys(pairs), {zone: None for plan in plans for zone in plan.dnsbls}


def _all(*several: Collection[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(one for some in several for one in some))
