"""What the journal has been told and not yet written: the latest state of everything touched.

A second save of the same probe replaces the first, so a long trouble with the disk costs memory
for each probe and not for each write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from probe.core.incident import Incident
from probe.core.model import Place, RouteKey
from probe.core.record import Record
from probe.ports import Position

MOST_INCIDENTS, MOST_BASELINES = 1000, 10_000  # In memory while the file cannot be written.

Key = TypeVar("Key")
Known = TypeVar("Known")


@dataclass(frozen=True, slots=True)
class Kept:
    """A place of ours, and when it is to be cleaned."""

    place: Place
    sequence: int | None
    expunge: float


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What is open and judged of a mailbox, up to a sequence number, is lost if that is due."""

    mailbox: str
    before: float
    last: int


@dataclass(frozen=True, slots=True)
class Note:
    """A text to be kept, and when it was written (Unix time); an empty one is taken back."""

    text: str
    written: float


@dataclass(slots=True)
class Changes:
    """A set of changes that are written together; moments on the timeline."""

    records: dict[int, Record] = field(default_factory=dict)
    successes: dict[RouteKey, float] = field(default_factory=dict)
    acceptances: dict[RouteKey, float] = field(default_factory=dict)
    kept: dict[Place, Kept | None] = field(default_factory=dict)  # None: cleaned.
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    given_up: dict[str, GivenUp] = field(default_factory=dict)  # By mailbox.
    incidents: dict[str, Incident] = field(default_factory=dict)  # By id.
    baselines: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: dict[tuple[str, str], Note] = field(default_factory=dict)  # By topic and name.
    shift: float = 0.0  # What is stored moves by so much (s).
    ceiling: int = 0  # Every sequence number below it may have been used.

    def __len__(self) -> int:
        """How many entries are kept in memory, but for the few that have bounds of their own."""
        return len(self.records) + len(self.kept) + len(self.positions) + len(self.successes)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        more = self.acceptances or self.given_up or self.incidents or self.baselines
        return bool(len(self) or more or self.shift or self.ceiling)

    def put(self, record: Record) -> None:
        """A probe as it is now known, and what follows from it for its route."""
        self.records[record.probe.sequence] = record
        route = record.probe.route
        if record.succeeded and record.accepted is not None:
            _raise(self.successes, [(route, record.accepted)])
        if record.accepted is not None and not record.ack_lost:
            _raise(self.acceptances, [(route, record.accepted)])

    def keep(self, kept: Kept) -> None:
        """A place is to be cleaned at its time."""
        self.kept[kept.place] = kept

    def clean(self, places: Sequence[Place]) -> None:
        """These places need no cleaning any more."""
        self.kept.update(dict.fromkeys(places))

    def advance(self, position: Position) -> None:
        """A folder has been read so far."""
        self.positions[position.mailbox, position.folder] = position

    def give_up(self, given_up: GivenUp) -> None:
        """A mailbox's probes are not waited for any longer."""
        before = self.given_up.get(given_up.mailbox, given_up)
        self.given_up[given_up.mailbox] = GivenUp(
            given_up.mailbox,
            max(before.before, given_up.before),
            max(before.last, given_up.last),
        )

    def report(self, incident: Incident) -> None:
        """An incident as it is now known."""
        _renew(self.incidents, {incident.id: incident})

    def learn(self, baselines: Mapping[str, tuple[float, ...]]) -> None:
        """What was learned, by its name."""
        _renew(self.baselines, baselines)

    def absorb(self, later: Changes) -> None:
        """Add what came after this."""
        self.records.update(later.records)
        _raise(self.successes, later.successes.items())
        _raise(self.acceptances, later.acceptances.items())
        self.kept.update(later.kept)
        self.positions.update(later.positions)
        self.notes.update(later.notes)
        for given_up in later.given_up.values():
            self.give_up(given_up)
        _renew(self.incidents, later.incidents)
        _renew(self.baselines, later.baselines)
        self.shift += later.shift
        self.ceiling = max(self.ceiling, later.ceiling)

    def trim(self, bound: int) -> int:
        """Where there are more entries than `bound`, forget the oldest probes; how many.

        Settled ones go first. A tenth more than needed goes, so that this is seldom done.
        Incidents and baselines are cut to bounds of their own.
        """
        few = _cut(self.incidents, MOST_INCIDENTS) + _cut(self.baselines, MOST_BASELINES)
        if len(self) <= bound:
            return few
        excess = len(self) - bound + bound // 10
        settled = [s for s, record in self.records.items() if record.settled]
        others = (s for s, record in self.records.items() if not record.settled)
        doomed = [*settled, *others][:excess]
        for sequence in doomed:
            del self.records[sequence]
        return few + len(doomed)


def _renew(known: dict[Key, Known], later: Mapping[Key, Known]) -> None:
    """Each in the place of what was before it; the newest go last."""
    for key, value in later.items():
        known.pop(key, None)
        known[key] = value


def _cut(known: dict[Key, Known], most: int) -> int:
    """Forget the oldest of too many; how many."""
    doomed = [*known][: max(0, len(known) - most)]
    for key in doomed:
        del known[key]
    return len(doomed)


def _raise(known: dict[Key, float], later: Iterable[tuple[Key, float]]) -> None:
    for key, moment in later:
        if moment > known.get(key, float("-inf")):
            known[key] = moment
