"""What the checks of the senders' domains found so far: kept, written down, logged and counted."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping

from probe.core.records.check import Check, CheckKind, DomainPlan, Inspection, worst
from probe.core.records.history import (
    Course,
    Courses,
    Unit,
    faults,
    followed,
    is_news,
    last_change,
)
from probe.core.records.written import course_of, name_of, text_of, unit_of
from probe.core.sender_domain import asked_lists
from probe.ports import Clock, Journal
from probe.ports_dns import DnsMetrics

log = logging.getLogger("probe.domains")

_TOPIC = "dns"  # Of the journal's notes.
_WRITTEN_AGAIN = 86400.0  # s after which it is noted again: what is still true does not grow old.


class DomainBook:
    """The domains with the last checks of each, and how they went."""

    def __init__(
        self,
        *,
        journal: Journal,
        metrics: DnsMetrics,
        clock: Clock,
        notes: Mapping[tuple[str, str], str],
    ) -> None:
        """`notes`: what the last run left in the journal, by topic and name."""
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._checks: dict[str, dict[CheckKind, tuple[Check, ...]]] = {}
        self._lists: dict[str, Inspection] = {}  # By domain: the last that looked at blocklists.
        self._courses: dict[str, Courses] = _restored(notes)
        self._written: dict[tuple[str, Unit], tuple[Course, float]] = {}

    def add(self, domain: str) -> None:
        """A domain is checked from now on; what was known of it before still is."""
        self._metrics.add_domain(domain)
        self._checks[domain] = {}
        for kind in CheckKind:
            self._show_change(domain, kind)

    def drop(self, domain: str) -> None:
        """A domain is not checked any more."""
        self._metrics.drop_domain(domain)
        self._checks.pop(domain, None)
        self._lists.pop(domain, None)

    def checks(self, domain: str) -> tuple[Check, ...]:
        """What the last run of each kind of check found."""
        found = self._checks.get(domain, {})
        return tuple(check for kind in CheckKind for check in found.get(kind, ()))

    def is_complete(self, domain: str) -> bool:
        """Whether every kind of check has been made since the domain was added."""
        return self._checks.get(domain, {}).keys() == set(CheckKind)

    def courses(self, domain: str) -> Courses:
        """How its checks went so far, in earlier runs of the prober too."""
        return self._courses.get(domain, {})

    def take_in(
        self, plan: DomainPlan, kind: CheckKind, found: Inspection, *, used: Collection[str]
    ) -> None:
        """One run of this kind of check has ended; `used`: the selectors seen in mail."""
        domain, before = plan.domain, self.courses(plan.domain)
        wall = self._clock.wall(self._clock.now())
        self._courses[domain] = followed(before, found.checks, {kind}, wall, used=used)
        self._checks[domain][kind] = found.checks
        if kind is CheckKind.DNSBL:
            self._lists[domain] = found
        self._tell(domain, before)
        self._write(domain, before, wall)
        self._show(domain, kind, found)

    def show_lists(self, plans: Collection[DomainPlan]) -> None:
        """Whom the blocklists have, of all that are asked about."""
        listed, usable = asked_lists(plans)
        for found in self._lists.values():
            told = {(one.ip, one.zone): one.listed for one in found.listings}
            listed |= {pair: is_listed for pair, is_listed in told.items() if pair in listed}
            usable |= {zone: is_usable for zone, is_usable in found.usable if zone in usable}
        self._metrics.show_lists(listed, usable)

    def _tell(self, domain: str, before: Courses) -> None:
        """Log what is new."""
        after = self.courses(domain)
        known, current = ({one.unit: one for one in faults(courses)} for courses in (before, after))
        for unit, fault in current.items():
            if unit not in known:
                log.warning("The DNS of %s was well and is not: %s", domain, fault.sentence)
        for unit in known.keys() - current.keys():
            log.info("The DNS of %s is well again: %s %s.", domain, unit.kind, unit.subject)
        for unit, course in after.items():
            change = course.change
            if change is not None and unit in before and before[unit].change != change:
                where = f"{unit.kind} {unit.subject}"
                log.info("DNS of %s, %s: %s became %s.", domain, where, change.old, change.new)

    def _write(self, domain: str, before: Courses, wall: float) -> None:
        """Write down what is new, and what was written long ago."""
        after = self.courses(domain)
        for unit in before.keys() - after.keys():
            self._journal.note(_TOPIC, name_of(domain, unit), "")
            self._written.pop((domain, unit), None)
        for unit, course in after.items():
            written, when = self._written.get((domain, unit), (None, -math.inf))
            if is_news(course, written) or wall - when > _WRITTEN_AGAIN:
                self._journal.note(_TOPIC, name_of(domain, unit), text_of(course))
                self._written[domain, unit] = course, wall

    def _show(self, domain: str, kind: CheckKind, found: Inspection) -> None:
        self._metrics.checked(domain, kind, worst(check.state for check in found.checks))
        if found.spf_lookups is not None and found.spf_void_lookups is not None:
            counted = {"lookups": found.spf_lookups, "void_lookups": found.spf_void_lookups}
            self._metrics.spf_counted(domain, **counted)
        self._show_change(domain, kind)

    def _show_change(self, domain: str, kind: CheckKind) -> None:
        if (when := last_change(self.courses(domain), kind)) is not None:
            self._metrics.record_changed(domain, kind, when)


def _restored(notes: Mapping[tuple[str, str], str]) -> dict[str, Courses]:
    """The courses that were written down, by domain."""
    found: dict[str, dict[Unit, Course]] = {}
    for (topic, name), text in notes.items():
        named = unit_of(name)
        if topic != _TOPIC or named is None:
            continue
        domain, unit = named
        if (course := course_of(unit, text)) is not None:
            found.setdefault(domain, {})[unit] = course
    return {**found}
