"""How every route stands: how many probes are undecided, in flight, overdue, and since when."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from probe.core.attic import Lapse
from probe.core.model import RouteKey
from probe.core.record import Record

_SLACK = 16  # So many that wait no longer may be left among those that do.


@dataclass(slots=True)
class Flight:
    """What is on its way by one learned node."""

    in_flight: int = 0
    overdue: int = 0


@dataclass(slots=True)
class RouteLevel:
    """The account of one route."""

    submitting: int = 0
    undecided: int = 0  # Of the schedule: without confirmation probes.
    in_flight: int = 0
    overdue: int = 0
    last_success: float | None = None  # Send time of the newest on-time arrival.
    newest: float = float("-inf")  # Acceptance of the newest probe that has arrived.
    waiting: list[tuple[float, int]] = field(default_factory=list)  # Heap: acceptances after it.
    flying: set[int] = field(default_factory=set)
    learned: dict[str, Flight] = field(default_factory=dict)  # By node; those with any.
    shelved: int = 0  # Of those in flight, how many are in the attic,
    shelved_from: float = 0.0  # and the acceptances
    shelved_to: float = 0.0  # between which they are.

    @property
    def empty(self) -> bool:
        """Whether nothing of this route is open."""
        return not (self.submitting or self.undecided or self.in_flight)

    @property
    def oldest_unanswered(self) -> float | None:
        """Acceptance of the oldest probe in flight that is younger than the newest arrival.

        Of those in the attic only the range is known: it may be up to an interval older.
        """
        if self.shelved and self.shelved_to > self.newest:
            return max(self.shelved_from, self.newest)
        return self.waiting[0][0] if self.waiting else None

    def change(self, old: Record | None, new: Record) -> None:
        """A record of this route has changed."""
        was = (old.owed, old.in_flight, _overdue(old)) if old else (False, False, False)
        self.undecided += new.owed - was[0]
        self.in_flight += new.in_flight - was[1]
        self.overdue += _overdue(new) - was[2]
        if old is not None:
            self._attribute(old, -1)
        self._attribute(new, +1)
        sequence = new.probe.sequence
        if new.in_flight and not was[1] and new.accepted is not None:
            self.flying.add(sequence)
            heapq.heappush(self.waiting, (new.accepted, sequence))
        elif was[1] and not new.in_flight:
            self.flying.discard(sequence)
        if new.arrived is not None and new.accepted is not None:
            self.newest = max(self.newest, new.accepted)
        if new.succeeded and new.accepted is not None:
            self.last_success = max(self.last_success or new.accepted, new.accepted)
        self._trim()

    def _trim(self) -> None:
        """Of those that wait, the first is in flight and younger than the newest arrival."""
        if len(self.waiting) > 2 * len(self.flying) + _SLACK:  # Behind one that is stuck.
            self.waiting = [one for one in self.waiting if one[1] in self.flying]
            heapq.heapify(self.waiting)
        while self.waiting:
            accepted, sequence = self.waiting[0]
            if accepted > self.newest and sequence in self.flying:
                return
            heapq.heappop(self.waiting)

    def _attribute(self, record: Record, sign: int) -> None:
        """One more or less of such a record for its learned node."""
        if record.learned:
            count = sign * record.in_flight
            self._count(record.learned, in_flight=count, overdue=sign * _overdue(record))

    def _count(self, learned: str, *, in_flight: int, overdue: int) -> None:
        flight = self.learned.setdefault(learned, Flight())
        flight.in_flight += in_flight
        flight.overdue += overdue
        if not flight.in_flight:
            del self.learned[learned]

    def remember(self, success: float) -> None:
        """The newest success of the last run: what was sent before it is not unanswered."""
        self.last_success, self.newest = success, max(self.newest, success)
        self._trim()

    def shelve(self, sequence: int, accepted: float) -> None:
        """A probe in flight has gone to the attic."""
        self.flying.discard(sequence)
        self._trim()
        self.shelved_from = min(self.shelved_from, accepted) if self.shelved else accepted
        self.shelved_to = max(self.shelved_to, accepted) if self.shelved else accepted
        self.shelved += 1

    def lapse(self, lapse: Lapse) -> None:
        """Probes in the attic were given up."""
        self.shelved -= lapse.count
        self.in_flight -= lapse.count
        self.overdue -= lapse.count
        self.shelved_from = max(self.shelved_from, lapse.newest)
        for node, count in lapse.learned.items():
            self._count(node, in_flight=-count, overdue=-count)


@dataclass(slots=True)
class MailboxLevel:
    """What is on its way to one mailbox."""

    expected: int = 0  # Launched and not seen, those being submitted included.
    newest_acceptance: float | None = None


class Levels:
    """The accounts of all routes."""

    def __init__(self) -> None:
        self._routes: dict[RouteKey, RouteLevel] = {}
        self._mailboxes: dict[str, MailboxLevel] = {}

    def of(self, route: RouteKey) -> RouteLevel:
        """The account of this route."""
        return self._routes.setdefault(route, RouteLevel())

    def mailbox(self, name: str) -> MailboxLevel:
        """What is on its way to this mailbox."""
        return self._mailboxes.setdefault(name, MailboxLevel())

    def forget(self, route: RouteKey) -> None:
        """A retired route has nothing open any more."""
        self._routes.pop(route, None)

    def replace(self, old: Record | None, new: Record) -> None:
        """A record has changed. One that was and is settled is nobody's account any more."""
        if old is None and new.settled:
            return
        self.of(new.probe.route).change(old, new)
        level = self.mailbox(new.probe.route.mailbox)
        level.expected += _expected(new) - (old is not None and _expected(old))
        if new.in_flight and new.accepted is not None:
            level.newest_acceptance = max(level.newest_acceptance or new.accepted, new.accepted)

    def shelve(self, record: Record) -> None:
        """A record has left the table for the attic: it counts as before."""
        if record.accepted is not None:
            self.of(record.probe.route).shelve(record.probe.sequence, record.accepted)

    def lapse(self, lapse: Lapse) -> None:
        """Records in the attic were given up."""
        self.of(lapse.route).lapse(lapse)
        self.mailbox(lapse.route.mailbox).expected -= lapse.count


def _expected(record: Record) -> bool:
    return record.arrived is None and not record.settled


def _overdue(record: Record) -> bool:
    return record.overdue and record.in_flight
