"""One run of the prober: what its engine does with the core, without waiting for anything.

The order in which the core hears of things is the engine's (`engine/courier`, `engine/desk`,
`engine/reaper`). What the engine awaits takes simulated time here, and nothing else does.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from random import Random
from typing import Protocol

from probe.core.change import Arrived, Change, Copied, Judged, Returned
from probe.core.incident import Incident
from probe.core.ledger import Ledger
from probe.core.limits import MINUTE
from probe.core.model import (
    Attempt,
    Bounce,
    Folder,
    Phase,
    Place,
    Probe,
    Relay,
    Route,
    RouteKey,
    Sighting,
    UnknownCause,
)
from probe.core.record import Bad, Record, Verdict
from probe.core.schedule import OVERLAP, next_slot
from probe.core.sight import Sight
from probe.core.usage import Usage
from tests.simulation.agenda import Action, Agenda
from tests.simulation.archive import Archive, Rows
from tests.simulation.diary import Diary, Told
from tests.simulation.grid import Grid
from tests.simulation.world import Course, Item, World

INBOX = "INBOX"
TURN = 0.25  # s between two ticks of the ledger; the detector is asked at every second one.
LULL = 10.0  # The same while nothing is undecided and nothing has failed lately.
ALERT = 120.0  # s after a failure in which no tick is left out.
TOGETHER = 0.1  # s: phases that are over within that are told at their end, in one go.
KEEPING = 60.0  # s between two times that the baselines are written down.
QUIET = 30.0  # s between two searches while nothing is awaited.
RETRY = 5.0  # s between two tries to read a mailbox that cannot be read.


class Pace(StrEnum):
    """How often to tick."""

    FULL = "full"  # Always as often as the engine does.
    LAZY = "lazy"  # Not while nothing can come of it.


class Diagnosis(Protocol):
    """What a tick of the detector answers."""

    @property
    def wishes(self) -> tuple[RouteKey, ...]: ...
    @property
    def incidents(self) -> tuple[Incident, ...]: ...
    @property
    def asks(self) -> tuple[str, ...]: ...


class Detector(Protocol):
    """The detector, as far as an engine needs it."""

    @property
    def open(self) -> Iterable[Incident]: ...
    def follow(
        self, routes: Iterable[Route], relays: Mapping[str, Relay], *, slow_after: float = ...
    ) -> None: ...
    def launched(self, probe: Probe) -> None: ...
    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None: ...
    def attempted(self, sequence: int, attempt: Attempt, learned: str) -> None: ...
    def changed(self, change: Change) -> None: ...
    def tick(self, now: float) -> Diagnosis: ...
    def denied(self, key: RouteKey) -> None: ...


@dataclass(frozen=True, slots=True)
class Mind:
    """A detector, and how what it has learned is read off."""

    detector: Detector
    rows: Callable[[], Rows]


MakeMind = Callable[[Mapping[str, Sight], Archive], Mind]


@dataclass(frozen=True, slots=True)
class Ground:
    """What a run stands on, and what is there after it."""

    grid: Grid
    world: World
    agenda: Agenda
    archive: Archive
    diary: Diary
    make_mind: MakeMind
    pace: Pace
    seed: int


class Prober:
    """From a start to the kill."""

    def __init__(self, ground: Ground, ahead: float, *, clock_stepped: bool = False) -> None:
        """`ahead`: how far the prober's timeline is ahead of simulated time (s).

        `clock_stepped`: the wall clock was set between the end of the last run and now.
        """
        self._world, self._agenda = ground.world, ground.agenda
        self._archive, self._diary = ground.archive, ground.diary
        self._pace, self._ahead = ground.pace, ahead
        self._routes = {route.key: route for route in ground.grid.routes()}
        self._relays = ground.grid.relay_table()
        now, boxes = self._now(), ground.grid.mailbox_names
        folders = frozenset({INBOX})
        self._sights = {box: Sight(folders, now, self._archive.stopped) for box in boxes}
        self._ledger = Ledger(self._sights)
        self._mind = ground.make_mind(self._sights, self._archive)
        self._detector = self._mind.detector
        self._usage = {relay: Usage(MINUTE) for relay in self._relays}
        self._running: Counter[RouteKey] = Counter()
        self._submitting: dict[int, tuple[RouteKey, Course, float]] = {}  # The last: its begin.
        self._chance = Random(ground.seed).random
        self._undecided: set[int] = set()
        self._awaited: Counter[str] = Counter()
        self._youngest: dict[str, float] = defaultdict(lambda: -inf)
        self._next_look: dict[str, float] = dict.fromkeys(boxes, inf)
        self._next_tick = inf
        self._alert_until = -inf
        self._failed = False
        self._dead = False
        self._begin(clock_stepped=clock_stepped)

    @property
    def detector(self) -> Detector:
        return self._detector

    def kill(self) -> None:
        """End at once. What was being submitted may have been taken or not."""
        self._archive.stopped = self._now()
        self._dead = True
        for sequence, (key, course, began) in self._submitting.items():
            if course.taken and self._chance() < 0.5:
                end = began + course.seconds
                self._agenda.at(end, self._world.take, sequence, key, course, end)

    # ---- beginning

    def _begin(self, *, clock_stepped: bool) -> None:
        self._world.notice = self._noticed
        self._detector.follow(self._routes.values(), self._relays)
        cause = UnknownCause.CLOCK if clock_stepped else None
        for record in self._archive.open:
            if record.undecided:
                self._await(record.probe, since=record.since - self._ahead)
            self._changed(self._ledger.restore(record, cause))
        for route in self._routes.values():
            self._slate(route, next_slot(route, self._now()))
        for box in self._sights:
            self._look_by(box, self._agenda.now)
        self._at(self._agenda.now + KEEPING, self._keep)
        self._wake()

    def _keep(self) -> None:
        self._archive.rows = self._mind.rows()
        self._archive.tidy(self._now() - KEEPING)
        self._at(self._agenda.now + KEEPING, self._keep)

    # ---- time

    def _now(self) -> float:
        return self._agenda.now + self._ahead

    def _at(self, moment: float, action: Action, *args: object) -> None:
        self._agenda.at(moment, self._unless_dead, action, args)

    def _unless_dead(self, action: Action, args: tuple[object, ...]) -> None:
        if not self._dead:
            action(*args)

    @property
    def _is_busy(self) -> bool:
        return (
            self._pace is Pace.FULL
            or bool(self._undecided)
            or self._agenda.now < self._alert_until
            or any(True for _ in self._detector.open)
        )

    def _wake(self) -> None:
        """The next tick is due at the next turn."""
        due = (self._agenda.now // TURN + 1) * TURN
        if due < self._next_tick:
            self._next_tick = due
            self._at(due, self._tick, due)

    def _tick(self, due: float) -> None:
        if due != self._next_tick:
            return
        self._diary.ticks += 1
        self._post(self._ledger.tick(self._now()))
        asked = self._failed or due % (2 * TURN) == 0
        if asked:
            self._diagnose()
        self._next_tick = due + (TURN if self._is_busy or not asked else LULL)
        self._at(self._next_tick, self._tick, self._next_tick)

    def _diagnose(self) -> None:
        self._failed = False
        diagnosis = self._detector.tick(self._now())
        for incident in diagnosis.incidents:
            self._archive.incidents[incident.id] = incident
            self._diary.told.append(Told(self._agenda.now, incident))
        for mailbox in diagnosis.asks:
            self._look_by(mailbox, self._agenda.now)
        for key in diagnosis.wishes:
            self._alert_until = self._agenda.now + ALERT
            self._confirm(key)

    # ---- sending

    def _slate(self, route: Route, due: float) -> None:
        self._at(due - self._ahead, self._slot, route, due)

    def _slot(self, route: Route, due: float) -> None:
        self._slate(route, next_slot(route, due))
        if self._running[route.key] < OVERLAP and self._is_allowed(route.key):
            self._diary.probes += 1
            self._launch(route, slot=due, confirmation=False)

    def _confirm(self, key: RouteKey) -> None:
        if not self._is_allowed(key):
            self._diary.denied += 1
            self._detector.denied(key)
            return
        self._diary.confirmations += 1
        self._launch(self._routes[key], slot=self._now(), confirmation=True)

    def _is_allowed(self, key: RouteKey) -> bool:
        now, limit = self._now(), self._relays[key.relay].limits.per_minute
        return limit is None or self._usage[key.relay].free_at(now, limit) <= now

    def _launch(self, route: Route, *, slot: float, confirmation: bool) -> None:
        now, key = self._now(), route.key
        sequence = self._archive.next_sequence()
        times = route.deadline, route.give_up
        probe = Probe(sequence, key, slot, now, "", *times, confirmation=confirmation)
        self._detector.launched(probe)
        self._ledger.launched(Record(probe), self._relays[key.relay].timeouts)
        self._archive.save(Record(probe))
        self._await(probe, since=self._agenda.now)
        self._running[key] += 1
        self._usage[key.relay].add(now)
        course = self._world.submit(key, self._agenda.now)
        self._submitting[sequence] = key, course, self._agenda.now
        self._go_on(sequence, course, 0, self._agenda.now)
        self._wake()
        self._look_by(key.mailbox, self._agenda.now + TURN)

    def _go_on(self, sequence: int, course: Course, number: int, began: float) -> None:
        """The phase of this number begins; short ones after it are told when they are over."""
        steps, first, moment = course.steps, number, began
        self._entered(sequence, steps[number].phase, began)
        ends = began + steps[number].seconds
        while number + 1 < len(steps) and ends + steps[number + 1].seconds - began <= TOGETHER:
            number += 1
            ends += steps[number].seconds
        self._at(ends, self._went, sequence, course, (first, number), moment)

    def _went(self, sequence: int, course: Course, numbers: tuple[int, int], moment: float) -> None:
        """The phases of these numbers are over; the first, begun at `moment`, has been told."""
        first, last = numbers
        for number in range(first, last):
            moment += course.steps[number].seconds
            self._entered(sequence, course.steps[number + 1].phase, moment)
        if last + 1 < len(course.steps):
            self._go_on(sequence, course, last + 1, self._agenda.now)
        else:
            self._submitted(sequence)

    def _entered(self, sequence: int, phase: Phase, moment: float) -> None:
        self._ledger.entered(sequence, phase, moment + self._ahead)
        self._detector.entered(sequence, phase, moment + self._ahead)

    def _submitted(self, sequence: int) -> None:
        key, course, began = self._submitting.pop(sequence)
        self._running[key] -= 1
        attempt = course.attempt(began + self._ahead)
        changes = self._ledger.submitted(sequence, attempt)
        self._post(changes)
        self._detector.attempted(sequence, attempt, "")
        if course.taken:
            self._world.take(sequence, key, course, self._agenda.now)
        if self._failed:
            self._diagnose()

    # ---- reading

    def _noticed(self, mailbox: str, arrival: float) -> None:
        """Something will arrive: it is seen by the poll after it, which age makes rarer."""
        age = max(0.0, arrival - self._youngest[mailbox])
        self._look_by(mailbox, arrival + self._chance() * min(max(0.005, 0.1 * age), 2.0))

    def _look_by(self, mailbox: str, moment: float) -> None:
        if self._dead or moment >= self._next_look[mailbox]:
            return
        self._next_look[mailbox] = moment
        self._at(moment, self._look, mailbox, moment)

    def _look(self, mailbox: str, due: float) -> None:
        if due != self._next_look[mailbox]:
            return
        self._next_look[mailbox] = inf
        now = self._agenda.now
        if not self._world.readable(mailbox, now):
            self._sights[mailbox].blinded(INBOX, self._now())
            self._look_by(mailbox, now + RETRY)
            return
        self._post([self._found(mailbox, item) for item in self._world.fetch(mailbox, now)])
        self._sights[mailbox].proved(INBOX, self._now())
        self._look_by(mailbox, now + self._pause(mailbox))
        if (arrival := self._world.next_arrival(mailbox)) is not None:
            self._noticed(mailbox, arrival)
        if self._failed:
            self._diagnose()

    def _pause(self, mailbox: str) -> float:
        if not self._awaited[mailbox]:
            return QUIET
        return min(max(TURN, 0.1 * (self._agenda.now - self._youngest[mailbox])), 1.0)

    def _found(self, mailbox: str, item: Item) -> Change:
        record, place = self._archive.records[item.sequence], Place(mailbox, INBOX, 1, item.uid)
        if item.returned:
            bounce = Bounce(item.sequence, place, self._now(), "failed", "5.1.1")
            return self._ledger.bounced(bounce, record)
        sighting = Sighting(item.sequence, "", place, Folder.INBOX, self._now())
        return self._ledger.sighted(sighting, record)

    # ---- what comes of it

    def _await(self, probe: Probe, *, since: float) -> None:
        mailbox = probe.route.mailbox
        self._undecided.add(probe.sequence)
        self._awaited[mailbox] += 1
        self._youngest[mailbox] = max(self._youngest[mailbox], since)

    def _post(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._changed(change)

    def _changed(self, change: Change) -> None:
        record = change.record
        sequence = record.probe.sequence
        self._archive.save(record)
        self._detector.changed(change)
        self._wake()
        if not record.undecided and sequence in self._undecided:
            self._undecided.discard(sequence)
            self._awaited[record.probe.route.mailbox] -= 1
        for event in change.events:
            match event:
                case Judged(verdict):
                    self._judged(verdict)
                case Copied() | Returned() | Arrived(late=True):
                    self._alert_until = self._agenda.now + ALERT
                case _:
                    pass

    def _judged(self, verdict: Verdict) -> None:
        if isinstance(verdict, Bad):
            self._diary.verdicts[verdict.reason] += 1
            self._failed = True
            self._alert_until = self._agenda.now + ALERT
        else:
            self._diary.verdicts[type(verdict).__name__.lower()] += 1
