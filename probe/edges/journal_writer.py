"""The thread that writes the journal: group commit, and going on in memory without a disk."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from probe.core.ledger import MOST
from probe.edges.journal_backlog import Backlog, Batch, Question, View
from probe.edges.journal_changes import Changes
from probe.edges.journal_file import JournalFile
from probe.edges.journal_guard import JournalRefused, Trouble, Unfit
from probe.edges.journal_prune import prune
from probe.edges.journal_recall import NOTHING, remember, salvage
from probe.ports import Position, Remembered

SEQUENCES = 1_000_000  # Numbers set apart at a time, so that a number is never given twice.

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a journal."""

    rows: int = 1_000_000  # Probes in the file; more than these are pruned.
    open: int = MOST  # Open probes that are taken over from the last run: the newest.
    entries: int = 100_000  # Changes in memory while the file cannot be written.
    retry: float = 5.0  # How often a file in trouble is tried again (s).
    stall: float = 2.0  # The longest that a caller waits for the disk (s).
    closing: float = 3.0  # The longest that the end waits for it (s).


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
        """Open the file, if only to read it, and try to write it. Raises JournalRefused."""
        try:
            self._file.open()
        except JournalRefused:
            raise
        except (Trouble, Unfit) as error:
            self._fall(str(error))
        remembered, positions = self._recall()  # Before anything is written.
        first = self._file.first_sequence
        self._unsaved.ceiling = first + SEQUENCES
        if not self._reason:
            self._save()
        if not self._up:  # The next start may not know of this one: let it not meet its numbers.
            first += SEQUENCES * secrets.randbelow(1000)
            self._unsaved.ceiling = first + SEQUENCES
        file, errors = self._file, self._take_errors()
        file.keep_identity()
        return Beginning(file.id, file.created, self._up, errors, first, remembered, positions)

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
            report.up, report.errors = self._up, self._take_errors()
            report.ended = ended = batch.closing
            if ended:
                self._end()
            self._tell(report)

    def _take_errors(self) -> int:
        """How many there were since this was last asked."""
        errors = self._errors + self._file.senseless
        self._errors = self._file.senseless = 0
        return errors

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
                return remember(self._file, self._limits.open), self._file.positions()
            except Unfit as unfit:
                self._renew(unfit)
            except Trouble as trouble:
                self._fall(str(trouble))
        return NOTHING, []

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
        saved = salvage(self._file)
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
        if lost := len(self._unsaved):
            log.warning("journal %s: %d changes are lost", self._file.path, lost)
        self._file.close()
