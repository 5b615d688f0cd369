"""The probes that are too many to be remembered one by one: counted, by route and by their end.

A day of mail that does not arrive is millions of probes. What is known of each stands in the
journal, where it is looked up when it arrives after all. Here is only how many of a route are to
be given up when, so that memory is bounded by routes and not by the length of an outage.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from probe.core.model import RouteKey
from probe.core.record import Record

WIDTH = 600.0  # s: what is to be given up within the same stretch of this length goes together.


@dataclass(slots=True)
class Lapse:
    """Probes of one route that are given up together."""

    route: RouteKey
    count: int = 0
    confirmations: int = 0  # Among them.
    newest: float = float("-inf")  # The acceptance of the newest of them.
    learned: Counter[str] = field(default_factory=Counter)  # How many by each learned node.


@dataclass(slots=True)
class Shelf:
    """What is given up together of one mailbox."""

    mailbox: str
    end: float  # When that is due.
    last: int = 0  # The greatest of their sequence numbers.
    lapses: dict[RouteKey, Lapse] = field(default_factory=dict)


class Attic:
    """Counts probes that are in flight, overdue and judged, and not in the table any more."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, float], Shelf] = {}

    def put(self, record: Record) -> None:
        """One more."""
        key = _key(record)
        shelf = self._shelves.setdefault(key, Shelf(*key))
        shelf.last = max(shelf.last, record.probe.sequence)
        lapse = shelf.lapses.setdefault(record.probe.route, Lapse(record.probe.route))
        lapse.count += 1
        lapse.confirmations += record.probe.confirmation
        lapse.learned.update([record.learned] if record.learned else ())
        lapse.newest = max(lapse.newest, record.since)

    def take(self, record: Record) -> bool:
        """Whether it was here; if so it no longer is."""
        shelf = self._shelves.get(_key(record))
        lapse = shelf.lapses.get(record.probe.route) if shelf else None
        if lapse is None or not lapse.count:
            return False
        lapse.count -= 1
        lapse.confirmations -= record.probe.confirmation
        lapse.learned.subtract([record.learned] if record.learned else ())
        return True

    def dismiss(self, gone: Callable[[RouteKey], bool]) -> list[Lapse]:
        """What of these routes is here; it is gone here, and nobody waits for it any more."""
        return [
            shelf.lapses.pop(route)
            for shelf in self._shelves.values()
            for route in [*shelf.lapses]
            if gone(route)
        ]

    def due(self, mailbox: str, proof: float) -> list[Shelf]:
        """What of a mailbox has not come up to `proof`, and is to be given up; it is gone here."""
        keys = [key for key in self._shelves if key[0] == mailbox and key[1] <= proof]
        return [self._shelves.pop(key) for key in keys]


def _key(record: Record) -> tuple[str, float]:
    probe = record.probe
    return probe.route.mailbox, ((record.since + probe.give_up) // WIDTH + 1) * WIDTH
