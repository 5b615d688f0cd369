"""Takes over what the last run left: what is open, and what succeeded when."""

from __future__ import annotations

import logging

from probe.core.model import UnknownCause
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
    for record in remembered.open:
        key = record.probe.route
        if not books.ledger.reads(key.mailbox):
            journal.save(books.ledger.restore(record, UnknownCause.CONFIG).record)
            books.drop(key)
            continue
        roster.adopt(record.probe)
        learner.adopt(key.relay, record.learned)
        if record.owed:  # It is on this run's account, whose counters begin at 0.
            metrics.scheduled(key)
        cause = _cause(roster.known(key), clock_stepped=remembered.clock_stepped)
        books.post([books.ledger.restore(record, cause)])
    if remembered.open:
        log.info("%d probes of the last run are still open.", len(remembered.open))


def _cause(known: bool, *, clock_stepped: bool) -> UnknownCause | None:
    """Why what is open can never be judged, if so. It is waited for all the same."""
    if not known:
        return UnknownCause.CONFIG
    return UnknownCause.CLOCK if clock_stepped else None
