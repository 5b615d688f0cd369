"""What the event loop hands to the journal's writer: changes, and questions about them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TypeAlias

from probe.core.model import Place
from probe.core.record import Record
from probe.edges.journal_changes import Changes
from probe.edges.journal_file import JournalFile
from probe.edges.journal_rows import storable


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


GATHERING = 0.05  # The longest that a change which nobody waits for is kept back (s).

Question: TypeAlias = Callable[[View], object]


@dataclass(slots=True)
class Batch:
    """What the writer is told at once."""

    changes: Changes = field(default_factory=Changes)
    waiters: list[asyncio.Future[None]] = field(default_factory=list)  # For it to be durable.
    questions: list[tuple[Question, asyncio.Future[object]]] = field(default_factory=list)
    prune: float | None = None  # The moment for which to prune.
    closing: bool = False

    @property
    def urgent(self) -> bool:
        """Whether somebody waits for it."""
        return bool(self.waiters or self.questions or self.closing or self.prune is not None)

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.urgent or self.changes)


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
        """All that was put in, waiting for something for so long (s; None: for ever).

        A change that nobody waits for goes with the next that somebody does, if that is soon: a
        commit costs the same for one and for many.
        """
        with self._condition:
            if self._condition.wait_for(lambda: self._batch, patience):
                self._condition.wait_for(lambda: self._batch.urgent, GATHERING)
            batch, self._batch = self._batch, Batch()
            return batch
