"""Brings what is shown up to date, and watches our own clock and journal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from probe.engine.books import Books
from probe.engine.desk import Desk
from probe.engine.learner import Learner
from probe.engine.overview import Overview
from probe.engine.roster import Roster
from probe.engine.supervisor import Beat
from probe.ports import Clock, Journal, Metrics

log = logging.getLogger("probe.publisher")

TURN = 1.0  # s
STEP = 1.0  # s: smaller steps of the wall clock are none, until together they are one.
PRUNING = 600.0  # s between two prunings of the journal.


class Publisher:
    """Keeps what is shown true: the gauges for each scrape, the rest by its loop."""

    def __init__(
        self,
        *,
        books: Books,
        desk: Desk,
        roster: Roster,
        learner: Learner,
        overview: Overview,
        journal: Journal,
        metrics: Metrics,
        clock: Clock,
        step: Callable[[], float],
    ) -> None:
        """`step` says how far the wall clock has moved against the timeline since last asked."""
        self._books = books
        self._desk = desk
        self._roster = roster
        self._learner = learner
        self._overview = overview
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._step = step
        self._stepped = 0.0  # What the journal has not been told of yet (s).
        self._pruned = clock.now()

    async def run(self, beat: Beat) -> None:
        """Turn for ever."""
        while True:
            beat()
            self._watch_clock()
            self._roster.forget_settled(self._clock.now())
            self._learner.refresh()
            self._overview.refresh()
            self._prune()
            await asyncio.sleep(TURN)

    def publish(self) -> None:
        """Set every gauge to what it is now; called for each scrape, the only reader."""
        for key in self._books.histories:
            self._metrics.level(key, self._books.level(key))
        self._learner.show()
        self._metrics.journaled(up=self._journal.up, errors=self._journal.errors)
        self._metrics.conflicting(self._desk.conflict)

    def _watch_clock(self) -> None:
        self._stepped += self._step()
        if abs(self._stepped) > STEP:
            log.warning(
                "The wall clock stepped by %+.1f s, or it went on while the prober stood still; "
                "what is in flight moves with it.",
                self._stepped,
            )
            self._journal.shift(self._stepped)
            self._stepped = 0.0

    def _prune(self) -> None:
        now = self._clock.now()
        if now - self._pruned >= PRUNING:
            self._pruned = now
            self._journal.prune(now)
