"""The journal on SQLite: what the prober knows of its probes, so that it survives us.

The event loop only fills a backlog; one thread writes it in groups, each in one transaction.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar, cast

from probe.core.incident import Incident
from probe.core.model import Place, Probe
from probe.core.record import Record
from probe.edges.journal_backlog import Backlog, View
from probe.edges.journal_changes import GivenUp, Kept, Note
from probe.edges.journal_file import JournalFile
from probe.edges.journal_guard import JournalRefused
from probe.edges.journal_open import boot_id
from probe.edges.journal_writer import SEQUENCES, Beginning, Limits, Report, Writer
from probe.ports import Clock, Position, Remembered

__all__ = ["JournalRefused", "Limits", "SqliteJournal"]

Answer = TypeVar("Answer")
Told = TypeVar("Told")

log = logging.getLogger(__name__)


class SqliteJournal:
    """Fulfils `ports.Journal`; made by `open`, ended by `close`."""

    id: str
    created: float
    up: bool
    errors: int

    def __init__(self, file: JournalFile, limits: Limits, clock: Clock) -> None:
        self._path = file.path
        self._clock = clock
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[Beginning] = self._loop.create_future()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._backlog = Backlog()
        self._writer = Writer(file, self._backlog, limits, self._tell)
        self._silent = False  # The writer does not answer.
        self._closing = False

    @classmethod
    async def open(
        cls,
        path: Path | str,
        clock: Clock,
        *,
        limits: Limits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        boot: str | None = None,
    ) -> SqliteJournal:
        """The journal at this path, in memory where the disk is at fault. Raises JournalRefused."""
        boot = boot_id() if boot is None else boot
        file = JournalFile(Path(path), clock, monotonic=monotonic, boot=boot)
        journal = cls(file, limits or Limits(), clock)
        await journal._begin()
        return journal

    async def _begin(self) -> None:
        threading.Thread(target=self._work, name="journal", daemon=True).start()
        try:
            beginning = await self._begun
        except asyncio.CancelledError:
            with self._backlog as batch:
                batch.closing = True
            raise
        self.id, self.created = beginning.id, beginning.created
        self.up, self.errors = beginning.up, beginning.errors
        self._remembered = beginning.remembered
        self._positions = {(p.mailbox, p.folder): p for p in beginning.positions}
        self._next = beginning.first_sequence
        self._ceiling = self._next + SEQUENCES

    def load(self) -> Remembered:
        """What the last run left. Called once, before anything else."""
        return self._remembered

    def next_sequence(self) -> int:
        """A sequence number that this journal never gave before."""
        sequence, self._next = self._next, self._next + 1
        if self._next > self._ceiling - SEQUENCES // 2:
            self._ceiling += SEQUENCES
            with self._backlog as batch:
                batch.changes.ceiling = self._ceiling
        return sequence

    async def launch(self, probe: Probe) -> None:
        """Returns when the probe would survive a power cut (or the journal is in memory)."""
        self.save(Record(probe, ended=False))
        await self._durable()

    def save(self, record: Record) -> None:
        """What is now known of a probe that was launched."""
        with self._backlog as batch:
            batch.changes.put(record)
            self.errors += batch.changes.trim(self._limits.entries)

    async def find(self, sequence: int) -> Record | None:
        """A probe that may have left the table long ago."""
        return await self._ask(lambda view: view.find(sequence), None)

    def arrived(self, record: Record, *, expunge: float) -> None:
        """As save, with the last of its places to be cleaned at `expunge`."""
        with self._backlog as batch:
            batch.changes.put(record)
            batch.changes.keep(Kept(record.places[-1], record.probe.sequence, expunge))

    def give_up(self, mailbox: str, before: float, last: int) -> None:
        """What is open and judged of this mailbox is lost, if that was due before this moment."""
        with self._backlog as batch:
            batch.changes.give_up(GivenUp(mailbox, before, last))

    async def position(self, mailbox: str, folder: str) -> Position | None:
        """How far this folder was read."""
        return self._positions.get((mailbox, folder))

    async def advance(self, position: Position) -> None:
        """The folder has been read so far; returns when it is durable, and all before it."""
        self._positions[position.mailbox, position.folder] = position
        with self._backlog as batch:
            batch.changes.advance(position)
        await self._durable()

    async def to_clean(self, mailbox: str, folder: str, now: float, limit: int) -> list[Place]:
        """Places whose time to be cleaned has come, oldest first."""
        return await self._ask(lambda view: view.due(mailbox, folder, now, limit), [])

    def keep_until(self, place: Place, sequence: int | None, expunge: float) -> None:
        """A place of ours that is to be cleaned at `expunge`, such as an orphan's or a DSN's."""
        with self._backlog as batch:
            batch.changes.keep(Kept(place, sequence, expunge))

    async def cleaned(self, places: Sequence[Place]) -> None:
        """These are gone from the mailbox, or are not ours after all."""
        with self._backlog as batch:
            batch.changes.clean(places)
        await self._durable()

    def save_incident(self, incident: Incident) -> None:
        """What is now known of an incident."""
        with self._backlog as batch:
            batch.changes.report(incident)
            self.errors += batch.changes.trim(self._limits.entries)

    def keep_baselines(self, rows: Mapping[str, tuple[float, ...]]) -> None:
        """What was learned, by its name."""
        with self._backlog as batch:
            batch.changes.learn(rows)
            self.errors += batch.changes.trim(self._limits.entries)

    def note(self, topic: str, name: str, text: str) -> None:
        """A text that is to be known after a restart; an empty one takes it back."""
        with self._backlog as batch:
            batch.changes.notes[topic, name] = Note(text, self._clock.wall(self._clock.now()))

    def shift(self, seconds: float) -> None:
        """The wall clock stepped by so much: what is stored is moved with it."""
        with self._backlog as batch:
            batch.changes.shift += seconds

    def prune(self, now: float) -> None:
        """Drop what is older than anything that may still come, and more rows than the bound."""
        with self._backlog as batch:
            batch.prune = now

    async def close(self) -> None:
        """Write what is queued, and let go of the file."""
        if self._closing:
            return
        self._closing = True
        with self._backlog as batch:
            batch.closing = True
        try:
            async with asyncio.timeout(self._limits.closing):
                await self._ended
        except TimeoutError:
            log.warning("journal %s: the disk does not answer; closed without it", self._path)
        self.up, self._silent = False, True

    async def _durable(self) -> None:
        """Returns when all that was put in is written, or at once where nothing can be."""
        if self.up:
            waiter = self._loop.create_future()
            with self._backlog as batch:
                batch.waiters.append(waiter)
            await self._await(waiter)

    async def _ask(self, question: Callable[[View], Answer], otherwise: Answer) -> Answer:
        if self._silent:
            return otherwise
        future: asyncio.Future[object] = self._loop.create_future()
        with self._backlog as batch:
            batch.questions.append((question, future))
        answer = await self._await(future)
        return otherwise if answer is None else cast(Answer, answer)

    async def _await(self, future: asyncio.Future[object]) -> object:
        """The future's result; None where the disk takes too long."""
        try:
            async with asyncio.timeout(self._limits.stall):
                return await future
        except TimeoutError:
            if not self._silent:
                log.warning("journal %s: the disk does not answer", self._path)
            self.up, self._silent = False, True
            self.errors += 1
            return None

    def _work(self) -> None:
        """The writer's thread."""
        try:
            beginning = self._writer.begin()
        except Exception as error:
            self._call(self._fail, error)
        else:
            self._call(self._succeed, beginning)
            self._writer.run()

    def _tell(self, report: Report) -> None:
        self._call(self._hear, report)

    def _call(self, callback: Callable[[Told], None], told: Told) -> None:
        with suppress(RuntimeError):  # The loop is closed: nobody is there to be told.
            self._loop.call_soon_threadsafe(callback, told)

    def _succeed(self, beginning: Beginning) -> None:
        if not self._begun.done():
            self._begun.set_result(beginning)

    def _fail(self, error: Exception) -> None:
        if not self._begun.done():
            self._begun.set_exception(error)

    def _hear(self, report: Report) -> None:
        self.up, self._silent = report.up and not self._closing, False
        self.errors += report.errors
        for waiter in report.waiters:
            if not waiter.done():
                waiter.set_result(None)
        for future, answer in report.answers:
            if not future.done():
                future.set_result(answer)
        if report.ended and not self._ended.done():
            self._ended.set_result(None)
