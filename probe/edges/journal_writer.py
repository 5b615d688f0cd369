"""The thread that writes the journal: group commit, and going on in memory without a disk."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeAlias

from probe.core.model import Place
from probe.core.record import Record
from probe.edges.journal_changes import Changes
from probe.edges.journal_file import JournalFile
from probe.edges.journal_guard import JournalLocked, Trouble, Unfit
from probe.edges.journal_prune import prune
from probe.edges.journal_rows import storable
from probe.ports import Position, Remembered

SEQUENCES = 100_000  # Numbers set apart at a time, so that a number is never given twice.

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a journal."""

    rows: int = 1_000_000  # Probes in the file; more than these are pruned.
    entries: int = 100_000  # Changes in memory while the file cannot be written.
    retry: float = 30.0  # How often a file in trouble is tried again (s).
    stall: float = 2.0  # The longest that a caller waits for the disk (s).
    closing: float = 3.0  # The longest that the end waits for it (s).


@dataclass(frozen=True, slots=True)
class View:
    """What can be read: the file, and over it what is not written yet."""

    file: JournalFile
    unsaved: Changes

    def find(self, sequence: int) -> Record | None:
        """The probe with this number."""
        known = self.unsaved.records.get(sequence)
        return known if known or not self.file.is_open else self.file.find(sequence)

    def due(self, mailbox: str, folder: str, now: float, limit: int) -> list[Place]:
        """Places whose time to be cleaned has come, oldest first."""
        most = limit + len(self.unsaved.kept)
        stored = self.file.due(mailbox, folder, now, most) if self.file.is_open else []
        found = {one.place: one for one in stored} | self.unsaved.kept
        due = [
            one
            for one in found.values()
            if one is not None
            and one.expunge <= now
            and storable(one.place.mailbox) == storable(mailbox)
            and storable(one.place.folder) == storable(folder)
        ]
        return [one.place for one in sorted(due, key=lambda one: one.expunge)[:limit]]


Question: TypeAlias = Callable[[View], object]


@dataclass(slots=True)
class Batch:
    """What the writer is told at once."""

    changes: Changes = field(default_factory=Changes)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)  # For it to be durable.
    questions: list[tuple[Question, asyncio.Future[object]]] = field(default_factory=list)
    prune: float | None = None  # The moment for which to prune.
    closing: bool = False

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        asked = self.waiters or self.questions or self.closing or self.prune is not None
        return bool(asked or self.changes)


class Backlog:
    """The batch being filled: `with backlog as batch` on one thread, `take` on the other."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._batch = Batch()

    def __enter__(self) -> Batch:
        self._condition.acquire()
        return self._batch

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._condition.notify()
        self._condition.release()

    def take(self, patience: float | None) -> Batch:
        """All that was put in, waiting for something for so long (s; None: for ever)."""
        with self._condition:
            self._condition.wait_for(lambda: self._batch, patience)
            batch, self._batch = self._batch, Batch()
            return batch


@dataclass(slots=True)
class Report:
    """What the writer has to say after a turn."""

    up: bool
    errors: int  # Since the last report.
    waiters: list[asyncio.Future[None]]
    answers: list[tuple[asyncio.Future[object], object]]
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Beginning:
    """What the writer found at start."""

    id: str
    created: float
    up: bool
    errors: int
    first_sequence: int
    remembered: Remembered
    positions: list[Position]


class Writer:
    """Writes what is in the backlog, and reports each turn by `tell`, called on its thread."""

    def __init__(
        self, file: JournalFile, backlog: Backlog, limits: Limits, tell: Callable[[Report], None]
    ) -> None:
        self._file = file
        self._backlog = backlog
        self._limits = limits
        self._tell = tell
        self._unsaved = Changes()
        self._pruning: Iterator[None] | None = None
        self._up = False
        self._errors = 0
        self._reason = ""
        self._retry_at = 0.0

    def begin(self) -> Beginning:
        """Open the file, if only to read it, and try to write it. Raises JournalLocked."""
        try:
            self._file.open()
        except JournalLocked:
            raise
        except (Trouble, Unfit) as error:
            self._fall(str(error))
        remembered, positions = self._recall()  # Before anything is written.
        self._unsaved.ceiling = self._file.first_sequence + SEQUENCES
        if not self._reason:
            self._save()
        file = self._file
        file.keep_identity()
        errors, self._errors = self._errors, 0
        return Beginning(
            file.id, file.created, self._up, errors, file.first_sequence, remembered, positions
        )

    def run(self) -> None:
        """Turn until told to close."""
        ended = False
        while not ended:
            batch = self._backlog.take(self._patience())
            report = Report(self._up, 0, batch.waiters, [])
            try:
                report.answers = self._turn(batch)
            except Exception:
                log.exception("journal %s: changes are lost by a fault of ours", self._file.path)
                self._unsaved = Changes()
                self._errors += 1
            report.up, report.errors, self._errors = self._up, self._errors, 0
            report.ended = ended = batch.closing
            if ended:
                self._end()
            self._tell(report)

    def _patience(self) -> float | None:
        if not self._up:
            return max(0.0, self._retry_at - time.monotonic())
        return None if self._pruning is None else 0.0

    def _turn(self, batch: Batch) -> list[tuple[asyncio.Future[object], object]]:
        self._unsaved.absorb(batch.changes)
        if self._up or batch.closing or time.monotonic() >= self._retry_at:
            self._save(last=batch.closing)
        self._errors += self._unsaved.trim(self._limits.entries)
        if batch.prune is not None:
            self._pruning = prune(self._file, batch.prune, self._limits.rows)
        elif self._pruning is not None and self._up:
            self._prune_step(self._pruning)
        view = View(self._file, self._unsaved)
        return [(future, self._answer(question, view)) for question, future in batch.questions]

    def _recall(self) -> tuple[Remembered, list[Position]]:
        if self._file.is_open:
            try:
                return self._file.remember(), self._file.positions()
            except Unfit as unfit:
                self._renew(unfit)
            except Trouble as trouble:
                self._fall(str(trouble))
        return Remembered((), {}, {}, None, False), []

    def _save(self, *, last: bool = False) -> None:
        try:
            self._write(last=last)
        except Unfit as unfit:
            self._renew(unfit)
        except Trouble as trouble:
            self._fall(str(trouble))

    def _write(self, *, last: bool = False) -> None:
        """Write what is unsaved; after trouble also where there is nothing, to see if it works."""
        self._file.open()
        if self._unsaved or last or not self._up:
            try:
                self._errors += self._file.write(self._unsaved, beat=last or not self._up)
            except Trouble:
                if self._up:
                    raise  # The connection is kept: it can still be read.
                self._file.disconnect()
                self._file.open()
                self._errors += self._file.write(self._unsaved, beat=True)
        if self._reason:
            log.warning("journal %s: written again", self._file.path)
        self._unsaved, self._up, self._reason = Changes(), True, ""

    def _renew(self, unfit: Unfit) -> None:
        """Begin a new file with what can be saved of this one."""
        self._errors += 1
        saved = self._file.salvage()
        saved.absorb(self._unsaved)
        try:
            self._file.replace(unfit)
            self._unsaved = saved
            self._write()
        except (Trouble, Unfit) as error:
            self._fall(str(error))

    def _prune_step(self, pruning: Iterator[None]) -> None:
        try:
            next(pruning)
            return
        except StopIteration:
            pass
        except Unfit as unfit:
            self._renew(unfit)
        except Trouble as trouble:
            self._fall(str(trouble))
        self._pruning = None

    def _answer(self, question: Question, view: View) -> object:
        try:
            return question(view)
        except Unfit as unfit:
            self._renew(unfit)
        except Trouble as trouble:
            if self._up:
                self._fall(str(trouble))
        return None

    def _fall(self, reason: str) -> None:
        """Go on in memory."""
        self._errors += 1
        self._up = False
        self._retry_at = time.monotonic() + self._limits.retry
        if reason != self._reason:
            log.warning("journal %s: %s; going on in memory", self._file.path, reason)
        self._reason = reason
        if not self._file.is_open:
            self._file.open_readable()

    def _end(self) -> None:
        if self._unsaved:
            log.warning("journal %s: %d changes are lost", self._file.path, len(self._unsaved))
        self._file.close()
