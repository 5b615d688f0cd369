"""The series about the DNS of the senders' domains."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from probe.core.records.check import CheckKind, CheckState
from probe.metrics import catalogue as m
from probe.metrics.table import Column, Table
from probe.metrics.text import Writing


class DomainSeries:
    """Fulfils ports_dns.DnsMetrics."""

    def __init__(self) -> None:
        """No domain yet."""
        states = (Column(m.DNS_STATE, (state.value,)) for state in CheckState)
        self._checks = Table(("domain", "check"), [*states, Column(m.DNS_CHANGED, start=math.nan)])
        self._domains = Table(
            ("domain",),
            [Column(m.SPF_LOOKUPS, start=math.nan), Column(m.SPF_VOID, start=math.nan)],
        )
        self._listed = Table(("ip", "list"), [Column(m.DNSBL_LISTED, start=math.nan)])
        self._usable = Table(("list",), [Column(m.DNSBL_USABLE, start=math.nan)])

    def snapshots(self) -> Iterator[Writing]:
        """The numbers of this moment."""
        for table in (self._checks, self._domains, self._listed, self._usable):
            yield table.snapshot()

    def add_domain(self, domain: str) -> None:
        """A domain is checked: its series exist from now on."""
        self._domains.add((domain,))
        for kind in CheckKind:
            self._checks.add((domain, kind))

    def drop_domain(self, domain: str) -> None:
        """A domain is not checked any more: its series go at once."""
        self._domains.remove((domain,))
        self._checks.remove((domain,))

    def checked(self, domain: str, kind: CheckKind, state: CheckState) -> None:
        """The worst state of this kind of check, over all of its subjects."""
        for each in CheckState:
            self._checks.put((domain, kind), int(each is state), m.DNS_STATE, each.value)

    def record_changed(self, domain: str, kind: CheckKind, when: float) -> None:
        """When what is published last changed (Unix time)."""
        self._checks.put((domain, kind), when, m.DNS_CHANGED)

    def spf_counted(self, domain: str, *, lookups: int, void_lookups: int) -> None:
        """What the SPF record costs."""
        self._domains.put((domain,), lookups, m.SPF_LOOKUPS)
        self._domains.put((domain,), void_lookups, m.SPF_VOID)

    def show_lists(
        self, listed: Mapping[tuple[str, str], bool | None], usable: Mapping[str, bool | None]
    ) -> None:
        """By address and list, and by list: all that there are; None is not known."""
        self._listed.remove(())
        self._usable.remove(())
        for pair, is_listed in listed.items():
            self._listed.add(pair)
            self._listed.put(pair, _known(is_listed), m.DNSBL_LISTED)
        for zone, is_usable in usable.items():
            self._usable.add((zone,))
            self._usable.put((zone,), _known(is_usable), m.DNSBL_USABLE)


def _known(value: bool | None) -> float:
    return math.nan if value is None else int(value)
