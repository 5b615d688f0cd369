"""Keeps the books: what the ledger decides is saved, counted and logged, in that order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import assert_never

from probe.core import wording
from probe.core.authenticity import Proof
from probe.core.change import (
    Arrived,
    Change,
    Copied,
    Event,
    GaveUp,
    Judged,
    Returned,
    Sent,
    Vouched,
)
from probe.core.detection.baseline import Baselines
from probe.core.detection.detector import Detector
from probe.core.ledger import Ledger
from probe.core.model import Attempt, Phase, Probe, RouteKey, Timeouts
from probe.core.record import Bad, Good, Record, Unknown, Verdict
from probe.core.sight import LOOK
from probe.core.standstill import Standstill
from probe.core.tag import read, short
from probe.ports import Clock, Journal, Level, Metrics

log = logging.getLogger("probe.verdict")

KEPT = 60  # Verdicts of a route that the status page shows.


@dataclass(slots=True)
class History:
    """What the status page shows of a route beside its numbers."""

    began: float
    in_force: bool = True  # Else its node is gone, and something of it is still open.
    verdicts: deque[Verdict] = field(default_factory=lambda: deque(maxlen=KEPT))
    evidence: str = ""  # The newest failure, in words.


class Books:
    """The ledger with its consequences."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        journal: Journal,
        metrics: Metrics,
        clock: Clock,
        detector: Detector | None = None,
    ) -> None:
        """`detector`: who is told of everything, too; without one, one that knows nothing yet."""
        self.ledger = ledger
        self.detector = detector or Detector(ledger.sights, Baselines())
        self.histories: dict[RouteKey, History] = {}
        self.ended = clock.now()  # When a submission last came to its end, well or not.
        self._began: dict[RouteKey, float] = {}
        self._stood_still: Standstill | None = None  # The last one that was taken in.
        self._journal = journal
        self._metrics = metrics
        self._clock = clock

    def remember(self, route: RouteKey, began: float) -> None:
        """When a route began that has not succeeded since."""
        self._began[route] = began

    def open(self, route: RouteKey) -> None:
        """A route is in force."""
        now = self._clock.now()
        history = History(began=min(now, self._began.pop(route, now)))
        self.histories.setdefault(route, history).in_force = True

    def retire(self, route: RouteKey) -> None:
        """A route is no longer in force."""
        self.histories[route].in_force = False

    def drop(self, route: RouteKey) -> None:
        """A retired route has nothing open any more."""
        self.histories.pop(route, None)
        self.ledger.levels.forget(route)

    def launched(self, probe: Probe, timeouts: Timeouts) -> None:
        """A probe is about to be submitted."""
        self.ledger.launched(Record(probe), timeouts)
        self.detector.launched(probe)

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        """A submission has come to a phase, or pauses (None)."""
        self.ledger.entered(sequence, phase, moment)
        self.detector.entered(sequence, phase, moment)

    def submitted(
        self, sequence: int, attempt: Attempt, *, learned: str, moot: bool = False
    ) -> None:
        """A submission has ended; one whose end is `moot` says nothing."""
        self.ended = self._clock.now()
        changes = self.ledger.submitted(sequence, attempt, learned=learned, moot=moot)
        self.post(changes)
        if moot:
            self.detector.dropped(sequence)
        else:
            self.detector.attempted(sequence, attempt, learned)

    def interrupted(self, sequence: int) -> None:
        """A submission was cut off by us."""
        self.post(self.ledger.interrupted(sequence))
        self.detector.dropped(sequence)

    def abandoned(self, sequence: int) -> None:
        """Something of ours broke in the middle of a submission."""
        self.post(self.ledger.abandoned(sequence))
        self.detector.dropped(sequence)

    def post(self, changes: Iterable[Change]) -> None:
        """Save, count and log."""
        for change in changes:
            self._journal.save(change.record)
            self.count(change)

    def tick(self) -> None:
        """Time has passed."""
        self.catch_up()
        self.post(self.ledger.tick(self._clock.now()))
        for shelf in self.ledger.lapse():
            self._journal.give_up(shelf.mailbox, shelf.end, shelf.last)
            for lapse in shelf.lapses.values():
                for number in range(lapse.count):
                    self._metrics.lost(lapse.route, confirmation=number < lapse.confirmations)
            count = sum(lapse.count for lapse in shelf.lapses.values())
            fields = {"mailbox": shelf.mailbox, "count": count, "verdict": "lost"}
            log.warning("Probes were given up.", extra={"fields": fields})

    def catch_up(self) -> None:
        """If we stood still, say so; after a long while nobody knows when what came then came."""
        last = self._clock.standstill
        if last is None or last == self._stood_still:
            return
        self._stood_still = last
        self._metrics.lagged(last.seconds)
        log.warning(
            "The prober stood still for %.1f s; what failed meanwhile is held against nobody.",
            last.seconds,
        )
        if last.seconds > LOOK:
            for sight in self.ledger.sights.values():
                sight.interrupted(last.moment)

    def count(self, change: Change) -> None:
        """Count and log what was saved elsewhere.

        What still comes of a route that was forgotten, or is not configured any more, is nobody's.
        """
        self.detector.changed(change)
        if change.record.probe.route not in self.histories:
            return
        for event in change.events:
            self._count(change.record, event)

    def level(self, route: RouteKey) -> Level:
        """The gauges of a route, as Unix times."""
        level = self.ledger.levels.of(route)
        learned = level.learned.values()
        began = self.histories[route].began
        oldest = level.oldest_unanswered
        success = level.last_success if level.last_success is not None else began
        return Level(
            undecided=level.undecided,
            in_flight=level.in_flight - sum(flight.in_flight for flight in learned),
            overdue=level.overdue - sum(flight.overdue for flight in learned),
            oldest_unanswered=None if oldest is None else self._wall(oldest),
            last_success=self._wall(success),
        )

    def _wall(self, moment: float) -> float:
        # To the ms: what stays the same must not seem to change with each reading of the clocks.
        return round(self._clock.wall(moment), 3)

    def _count(self, record: Record, event: Event) -> None:
        key = record.probe.route
        match event:
            case Sent():
                if not record.probe.confirmation:
                    self._metrics.sent(key)
            case Judged(verdict):
                self._judged(record, verdict)
            case Arrived():
                self._arrived(record, event)
            case Copied(sighting):
                self._metrics.duplicate(key)
                self.note(key, f"a second copy arrived, in {sighting.place.folder}")
            case Returned(bounce):
                if bounce.action == "failed":
                    self._metrics.bounced(key, bounce.status)
                self.note(key, f"DSN {bounce.action} {bounce.status} {bounce.text}".strip())
            case GaveUp():
                self._metrics.lost(key, confirmation=record.probe.confirmation)
                log.warning("The probe was given up.", extra=_fields(record, "lost"))
            case Vouched(authenticity):
                if authenticity.proof is Proof.FAILS:
                    self.note(key, "; ".join(authenticity.evidence))
            case _:
                assert_never(event)

    def _judged(self, record: Record, verdict: Verdict) -> None:
        key = record.probe.route
        if record.probe.confirmation:
            self._confirmed(key, verdict)
        else:
            self._accounted(key, verdict)
        deadline = record.probe.deadline
        if isinstance(verdict, Bad) and (words := wording.failure(verdict.reason, deadline)):
            self.note(key, words)
        log.info("The probe was judged.", extra=_fields(record, wording.verdict(verdict)))

    def _accounted(self, key: RouteKey, verdict: Verdict) -> None:
        """One of the schedule."""
        self.histories[key].verdicts.append(verdict)
        match verdict:
            case Good():
                self._metrics.judged(key, None)
            case Bad(reason):
                self._metrics.judged(key, reason)
            case Unknown(cause):
                self._metrics.unknown(key, cause)
            case _:
                assert_never(verdict)

    def _confirmed(self, key: RouteKey, verdict: Verdict) -> None:
        """One of a burst: it would weigh too much in what the schedule samples evenly."""
        if not isinstance(verdict, Unknown):
            self._metrics.confirmed(key, ok=isinstance(verdict, Good))

    def _arrived(self, record: Record, event: Arrived) -> None:
        key = record.probe.route
        if not record.probe.confirmation:
            self._delivered(record, event)
        for part in sorted(event.sighting.altered):
            self.note(key, wording.damage(part))
        if event.late:
            self._metrics.late(key)
            log.info("A late probe arrived.", extra=_fields(record, "late"))

    def _delivered(self, record: Record, event: Arrived) -> None:
        key, sighting = record.probe.route, event.sighting
        self._metrics.delivered(key, sighting.folder, event.seconds, given_up=record.lost)
        for hop in sighting.hops:
            self._metrics.hopped(key, hop)
        for result in sighting.authentication:
            self._metrics.authenticated(key, result)
        for part in sorted(sighting.altered):
            self._metrics.altered(key, part)

    def note(self, key: RouteKey, text: str) -> None:
        """Evidence in words, for the status page."""
        if key in self.histories:
            self.histories[key].evidence = text


def _fields(record: Record, verdict: str) -> dict[str, dict[str, object]]:
    probe = record.probe
    fields: dict[str, object] = {
        "route": str(probe.route),
        "sequence": probe.sequence,
        # What a damaged journal gives back as a token is none.
        "tag": short(probe.token) if read(probe.token) else "",
        "verdict": verdict,
    }
    if probe.confirmation:
        fields["confirmation"] = True
    if record.learned:
        fields["node"] = record.learned
    if record.arrived is not None and record.accepted is not None:
        fields["seconds"] = round(max(0.0, record.arrived - record.accepted), 3)
    return {"fields": fields}
