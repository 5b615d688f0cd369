"""A journal that ends with the process: for a check, which leaves nothing behind."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

from probe.core.incident import Incident
from probe.core.model import Place, Probe
from probe.core.record import Record
from probe.ports import Clock, Position, Remembered


class MemoryJournal:
    """Fulfils `ports.Journal` without a disk, with a random id of its own."""

    up = True
    errors = 0

    def __init__(self, clock: Clock) -> None:
        self.id = secrets.token_hex(6)
        self.created = clock.now()
        self._sequences = itertools.count(1)
        self._records: dict[int, Record] = {}
        self._positions: dict[tuple[str, str], Position] = {}
        self._kept: dict[Place, float] = {}  # When each is to be cleaned.

    @property
    def records(self) -> list[Record]:
        """All probes, as they are known now."""
        return [*self._records.values()]

    @property
    def is_clean(self) -> bool:
        """Whether no message of ours is left to be cleaned."""
        return not self._kept

    def load(self) -> Remembered:
        """Nothing: there was no last run."""
        return Remembered((), {}, {}, None, False)

    def next_sequence(self) -> int:
        """A sequence number that this journal never gave before."""
        return next(self._sequences)

    async def launch(self, probe: Probe) -> None:
        """Remember the probe."""
        self.save(Record(probe))

    def save(self, record: Record) -> None:
        """What is now known of a probe that was launched."""
        self._records[record.probe.sequence] = record

    async def find(self, sequence: int) -> Record | None:
        """A probe of this run."""
        return self._records.get(sequence)

    def arrived(self, record: Record, *, expunge: float) -> None:
        """As save, with the last of its places to be cleaned at `expunge`."""
        self.save(record)
        self._kept[record.places[-1]] = expunge

    def give_up(self, mailbox: str, before: float, last: int) -> None:
        """What is open and judged of this mailbox is lost, if that was due before this moment."""
        for record in self.records:
            probe, accepted = record.probe, record.accepted
            if probe.route.mailbox != mailbox or probe.sequence > last or record.undecided:
                continue
            if record.in_flight and accepted is not None and accepted + probe.give_up < before:
                self.save(replace(record, lost=True))

    async def position(self, mailbox: str, folder: str) -> Position | None:
        """How far this folder was read."""
        return self._positions.get((mailbox, folder))

    async def advance(self, position: Position) -> None:
        """The folder has been read so far."""
        self._positions[position.mailbox, position.folder] = position

    async def to_clean(self, mailbox: str, folder: str, now: float, limit: int) -> list[Place]:
        """Places whose time to be cleaned has come, oldest first."""
        due = [
            (expunge, place.uid, place)
            for place, expunge in self._kept.items()
            if (place.mailbox, place.folder) == (mailbox, folder) and expunge <= now
        ]
        return [place for _, _, place in sorted(due, key=lambda one: one[:2])[:limit]]

    def keep_until(self, place: Place, sequence: int | None, expunge: float) -> None:
        """A place of ours that is to be cleaned at `expunge`."""
        self._kept[place] = expunge

    async def cleaned(self, places: Sequence[Place]) -> None:
        """These are gone from the mailbox, or are not ours after all."""
        for place in places:
            self._kept.pop(place, None)

    def save_incident(self, incident: Incident) -> None:
        """No later run asks for it."""

    def keep_baselines(self, rows: Mapping[str, tuple[float, ...]]) -> None:
        """No later run asks for them."""

    def note(self, topic: str, name: str, text: str) -> None:
        """Nobody will read it."""

    def shift(self, seconds: float) -> None:
        """Nothing is stored by the wall clock."""

    def prune(self, now: float) -> None:
        """Nothing grows old here."""

    async def close(self) -> None:
        """There is nothing to let go of."""
