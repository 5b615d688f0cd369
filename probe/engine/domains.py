"""The loop that checks the DNS of the senders' domains.

Each kind of check of each domain runs by itself: one that waits for a dead name server holds up
no other. Those that are due together put the same questions at the same time, which then are one.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterator, Sequence

from probe.core.component import Component, Fault, Kind, Named
from probe.core.incident import Incident
from probe.core.records.account import remarks
from probe.core.records.check import CheckKind, DomainPlan
from probe.core.records.history import Courses, DnsFault, changes, faults, suspects
from probe.core.records.timetable import DnsTimes, confirming_run, first_run, next_run
from probe.core.sender_domain import SenderDomain, affected, concerning, domain_plans
from probe.core.status import DomainStatus
from probe.engine.domain_book import DomainBook
from probe.engine.supervisor import Beat
from probe.ports import Clock
from probe.ports_dns import DomainInspector

TURN = 5.0  # s: the longest sleep between two turns,
BUSY_TURN = 0.5  # and while checks are being made: what they find may be due again soon (s).

Selectors = Callable[[str], Collection[str]]
Declare = Callable[[Component, tuple[Named, ...]], None]
"""Takes what is wrong with a sender, if anything is."""


class Domains:
    """Checks every domain at its times."""

    def __init__(
        self,
        inspector: DomainInspector,
        book: DomainBook,
        *,
        selectors: Selectors,
        declare: Declare,
        clock: Clock,
    ) -> None:
        """`selectors`: those seen in mail of a domain; `declare` is told of senders at fault."""
        self._inspector = inspector
        self._book = book
        self._selectors = selectors
        self._declare = declare
        self._clock = clock
        self._origins: Sequence[SenderDomain] = ()
        self._dnsbls: tuple[str, ...] = ()
        self._times = DnsTimes()
        self._plans: dict[str, DomainPlan] = {}
        self._due: dict[str, dict[CheckKind, float]] = {}
        self._busy: set[tuple[str, CheckKind]] = set()

    # ---- what is asked

    def status(self) -> tuple[DomainStatus, ...]:
        """How every domain stands, in order."""
        return tuple(
            DomainStatus(domain, self._book.checks(domain), changes(self._book.courses(domain)))
            for domain in sorted(self._plans)
        )

    def is_complete(self) -> bool:
        """Whether every check of every domain has been made."""
        return all(map(self._book.is_complete, self._plans))

    def courses(self, sender: str) -> Courses:
        """How the checks of a sender's domain went so far; nothing where it is not checked."""
        found = (one for one in self._origins if one.sender == sender and one.checked)
        origin = next(found, None)
        return {} if origin is None else concerning(origin, self._book.courses(origin.domain))

    def faults(self, sender: str) -> tuple[DnsFault, ...]:
        """What was well of a sender's domain, and is not, the oldest first."""
        return faults(self.courses(sender))

    def remarks(self, incident: Incident) -> tuple[str, ...]:
        """What DNS has to say of an incident that is a sender's, or may be."""
        parties = incident.component, *incident.alternatives
        senders = sorted({one.sender for one in parties if one.sender})
        faults, since = [one.fault for one in incident.faults], self._clock.wall(incident.since)
        domains = {one.sender: one.domain for one in self._origins}
        return tuple(
            sentence
            for sender in senders
            for sentence in remarks(
                domains.get(sender, ""), self.courses(sender), since=since, faults=faults
            )
        )

    # ---- what is told

    def follow(
        self, origins: Sequence[SenderDomain], times: DnsTimes, dnsbls: tuple[str, ...]
    ) -> None:
        """From now on these are the senders' domains; what is new in a plan is looked at soon."""
        former = self._origins
        self._origins, self._dnsbls, self._times = origins, dnsbls, times
        for gone in self._plans.keys() - {one.domain for one in origins if one.checked}:
            del self._plans[gone], self._due[gone]
            self._book.drop(gone)
        self._plan()
        self._book.show_lists(self._plans.values())
        self._declare_all(former)

    async def run(self, beat: Beat) -> None:
        """Turn for ever: begin what is due, or sleep until something is."""
        self._busy.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                beat()
                self._plan()
                now = self._clock.now()
                for domain, kind in self._now_due(now):
                    self._busy.add((domain, kind))
                    group.create_task(self._inspect(self._plans[domain], kind))
                turn = BUSY_TURN if self._busy else TURN
                await self._clock.sleep_until(min(now + turn, self._next()))

    async def once(self) -> None:
        """Make every check of every domain."""
        async with asyncio.TaskGroup() as group:
            for plan in self._plans.values():
                for kind in CheckKind:
                    group.create_task(self._inspect(plan, kind))

    # ---- what follows

    def _declare_all(self, former: Sequence[SenderDomain] = ()) -> None:
        """Say of each sender what is wrong with it; of `former` ones nothing is known any more."""
        for sender in sorted({one.sender for one in (*former, *self._origins)}):
            self._declare(Component(Kind.SENDER, sender=sender), self._named(sender))

    def _named(self, sender: str) -> tuple[Named, ...]:
        found = self.faults(sender)
        if not found:
            return ()
        now = self._clock.now()
        ahead = self._clock.wall(now) - now
        evidence = tuple(fault.sentence for fault in reversed(found))
        return (Named(Fault.DNS, found[0].since - ahead, evidence),)

    # ---- when

    def _plan(self) -> None:
        """Follow the configuration, and the selectors that are seen in mail."""
        now = self._clock.now()
        learned = {one.domain: self._selectors(one.domain) for one in self._origins}
        for domain, plan in domain_plans(self._origins, learned, self._dnsbls).items():
            before, self._plans[domain] = self._plans.get(domain), plan
            if before is None:
                self._book.add(domain)
                self._due[domain] = dict.fromkeys(CheckKind, first_run(domain, self._times, now))
            else:
                self._due[domain] |= dict.fromkeys(affected(before, plan), now)
            for kind, due in self._due[domain].items():  # An interval may have become shorter.
                self._due[domain][kind] = min(due, now + self._times.of(kind))

    def _now_due(self, now: float) -> list[tuple[str, CheckKind]]:
        return [each for each, due in self._waiting() if due <= now]

    def _next(self) -> float:
        return min((due for _, due in self._waiting()), default=math.inf)

    def _waiting(self) -> Iterator[tuple[tuple[str, CheckKind], float]]:
        """When each check is due that is not being made."""
        for domain, dues in self._due.items():
            for kind, due in dues.items():
                if (domain, kind) not in self._busy:
                    yield (domain, kind), due

    async def _inspect(self, plan: DomainPlan, kind: CheckKind) -> None:
        try:
            found = await self._inspector.inspect(plan, {kind})
        finally:
            self._busy.discard((plan.domain, kind))
        if plan.domain not in self._plans:
            return  # It is not configured any more.
        self._book.take_in(plan, kind, found, used=self._selectors(plan.domain))
        if kind is CheckKind.DNSBL:
            self._book.show_lists(self._plans.values())
        self._declare_all()
        self._rest(plan, kind)

    def _rest(self, plan: DomainPlan, kind: CheckKind) -> None:
        """When it is due again; at once where there is another plan by now."""
        if kind in affected(plan, self._plans[plan.domain]):
            return
        now, interval = self._clock.now(), self._times.of(kind)
        due = next_run(plan.domain, interval, self._due[plan.domain][kind])
        if due <= now:  # It took too long, or we did not run.
            due = next_run(plan.domain, interval, now)
        if kind in suspects(self._book.courses(plan.domain)):
            due = min(due, confirming_run(kind, interval, now))
        self._due[plan.domain][kind] = due
