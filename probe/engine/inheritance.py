"""Takes over what the last run left: what is open, and what succeeded when."""

from __future__ import annotations

import logging

from probe.core.model import UnknownCause
from probe.core.record import Record
from probe.engine.books import Books
from probe.engine.learner import Learner
from probe.engine.roster import Roster
from probe.ports import Journal, Metrics, Remembered

log = logging.getLogger("probe.inheritance")


def inherit(
    remembered: Remembered,
    *,
    roster: Roster,
    learner: Learner,
    books: Books,
    journal: Journal,
    metrics: Metrics,
) -> None:
    """Every open probe is in the ledger, and its route in the books, before the first is sent."""
    for key, moment in remembered.last_success.items():
        if roster.known(key):
            books.ledger.levels.of(key).remember(moment)
    for key, moment in remembered.began.items():
        if roster.known(key):
            books.remember(key, moment)
    cause = UnknownCause.CLOCK if remembered.clock_stepped else None
    for record in remembered.open:
        key = record.probe.route
        if roster.known(key):
            roster.adopt(key)
            learner.adopt(key.relay, record.learned)
            if record.undecided:  # It is on this run's account, whose counters begin at 0.
                metrics.scheduled(key)
            books.post([books.ledger.restore(record, cause)])
        else:
            journal.save(_dropped(record, books))
    if remembered.open:
        log.info("%d probes of the last run are still open.", len(remembered.open))


def _dropped(record: Record, books: Books) -> Record:
    """One whose route is not configured any more: nobody waits for it."""
    change = books.ledger.restore(record, UnknownCause.CONFIG)
    books.drop(record.probe.route)
    return change.record
