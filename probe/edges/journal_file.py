"""The journal's SQLite file. Used by one thread only; every method may wait for the disk.

Methods raise Trouble where the disk is at fault, and Unfit where the file itself is.
"""

from __future__ import annotations

import logging
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from probe.core.record import Record
from probe.edges.journal_changes import Changes, Kept
from probe.edges.journal_guard import FileLock, JournalForbidden, Trouble, Unfit, set_aside
from probe.edges.journal_incidents import incident_works
from probe.edges.journal_open import (
    check,
    connect,
    inspect,
    make_ready,
    meta_of,
    read_modes,
    sensible,
    translated,
)
from probe.edges.journal_rows import (
    SELECT_PLACES,
    SELECT_PROBES,
    SET_META,
    Row,
    Value,
    Work,
    kept_of,
    position_of,
    record_of,
    storable,
    works,
)
from probe.ports import Clock, Position

Made = TypeVar("Made")

log = logging.getLogger(__name__)

_SENSELESS = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
_REFUSED = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeError,
)


def _execute_singly(db: sqlite3.Connection, piece: Work) -> int:
    refused = 0
    for row in piece.rows:
        try:
            db.execute(piece.sql, row)
        except _REFUSED as error:
            log.warning("journal: a row was refused: %s", error)
            refused += 1
    return refused


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment by both clocks."""

    wall: float
    monotonic: float
    boot: str


class JournalFile:
    """A journal on disk; it keeps its identity while the file comes and goes."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        monotonic: Callable[[], float],
        boot: str,
    ) -> None:
        self.path = path
        self.id = secrets.token_hex(6)
        self.created = clock.now()
        self.first_sequence = 0  # None from here on was used when the file was opened.
        self.ceiling = 0  # All below it may have been used since.
        self.offset = clock.wall(0.0)  # Moves with `shift` only, so that all rows agree.
        self.rows = 0  # Probes in the file, about.
        self.senseless = 0  # Rows that were passed over, because they make no sense.
        self._known = False
        self._clock = clock
        self._monotonic = monotonic
        self._boot = boot
        self._lock = FileLock(Path(f"{path}.lock"))
        self._db: sqlite3.Connection | None = None
        self._writable = False
        self._checked = False
        self._inode = 0
        self._beaten = float("-inf")
        self._greatest = -1

    # ---- opening and closing

    def open(self) -> None:
        """Lock and open the file; one that is no journal of ours makes room for a new one."""
        self._lock.acquire()
        if self._writable:
            return
        if self.path.is_dir():
            raise JournalForbidden(f"cannot open {self.path}: it is a directory, and no file")
        try:
            self._open_writable()
        except Unfit as unfit:
            self.replace(unfit)
            self._open_writable()
        finally:
            if not self._writable:
                self.disconnect()

    def open_readable(self) -> None:
        """Open the file only to read it, as on a read-only disk, where that is possible."""
        for mode in read_modes(self.path):
            try:
                with translated():
                    self._db = connect(self.path, mode)
                    self._adopt(self._db)
                return
            except (Trouble, Unfit):
                self.disconnect()

    def replace(self, unfit: Unfit) -> None:
        """Set the file aside; the next open begins a new one, of the same id if it was told."""
        self.disconnect()
        target = set_aside(self.path, unfit.kind)
        self._greatest, self.rows = -1, 0
        log.warning("journal %s: %s; set aside as %s", self.path, unfit, target.name)

    def disconnect(self) -> None:
        """Close the file and keep the lock."""
        db, self._db, self._writable = self._db, None, False
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def close(self) -> None:
        """Close the file and let go of the lock."""
        self.disconnect()
        self._lock.release()

    @property
    def is_open(self) -> bool:
        """Whether the file can be read."""
        return self._db is not None

    def _open_writable(self) -> None:
        self.disconnect()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Trouble(f"cannot make {self.path.parent}: {error.strerror}") from error
        with translated():
            self._db = db = connect(self.path)
            if not self._checked:
                check(db)
            self._checked = True
            make_ready(db)
            self._adopt(db)
        self._inode = self._stat()
        self._writable = True

    def keep_identity(self) -> None:
        """Somebody was told our id: from now on a file of another is not ours."""
        self._known = True

    def _adopt(self, db: sqlite3.Connection) -> None:
        """Take the file's identity, or give it ours where it has none."""
        self._greatest, self.rows = inspect(db)
        meta = meta_of(db)
        if "id" not in meta:
            created = self.created + self.offset
            mine: list[Row] = [("id", self.id), ("created", created), ("ceiling", self.ceiling)]
            self.transact([Work(SET_META, mine)])
        elif self._known and meta["id"] != self.id:
            raise Unfit("other", f"it is another journal, {meta['id']}")
        else:
            with sensible():
                self.id = str(meta["id"])
                self.created = float(meta["created"] or 0) - self.offset
                self.ceiling = max(self.ceiling, int(meta["ceiling"] or 0))
        self.first_sequence = max(self.ceiling, self._greatest + 1)

    def _stat(self) -> int:
        try:
            return self.path.stat().st_ino
        except OSError:
            return 0

    # ---- writing

    def write(self, changes: Changes, *, beat: bool = False) -> int:
        """Write all of it durably, but for rows that SQLite refuses; how many those are."""
        offset = self.offset + changes.shift
        work = [
            *works(changes, offset),
            *incident_works(changes, offset, self._clock.now() + offset),
            *self._beat(offset, beat=beat),
        ]
        with translated():
            try:
                refused = self.transact(work)
            except _REFUSED:
                refused = self.transact(work, singly=True)
        self.offset = offset
        self.ceiling = max(self.ceiling, changes.ceiling)
        self._count(changes)
        return refused

    def vacuum(self, pages: int) -> None:
        """Give so many free pages back to the disk."""
        with translated():  # `execute` would stop after the first page.
            self._database().executescript(f"PRAGMA incremental_vacuum({pages})")

    def _beat(self, offset: float, *, beat: bool) -> list[Work]:
        """When this was written, at most once a second; also a look whether the file is there."""
        moment = self._monotonic()
        if moment < self._beaten + 1.0 and not beat:
            return []
        if self._stat() != self._inode:
            raise Unfit("lost", "the file is not there any more")
        self._beaten = moment
        now = self.now()
        wall = now.wall - self.offset + offset
        rows: list[Row] = [("wall", wall), ("monotonic", now.monotonic), ("boot", now.boot)]
        return [Work(SET_META, rows)]

    def transact(self, work: Iterable[Work], *, singly: bool = False) -> int:
        """One transaction; `singly` leaves out the rows that SQLite refuses, and counts them."""
        db, refused = self._database(), 0
        db.execute("BEGIN IMMEDIATE")
        try:
            for piece in work:
                if singly:
                    refused += _execute_singly(db, piece)
                else:
                    db.executemany(piece.sql, piece.rows)
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")
        return refused

    def _count(self, changes: Changes) -> None:
        fresh = [sequence for sequence in changes.records if sequence > self._greatest]
        self.rows += len(fresh)
        self._greatest = max(fresh, default=self._greatest)

    def _database(self) -> sqlite3.Connection:
        if self._db is None:
            raise Trouble("the file is not open")
        return self._db

    # ---- reading

    def select(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """The rows that a statement answers with."""
        with translated():
            return self._database().execute(sql, values).fetchall()

    def records(self, where: str, values: Sequence[Value] = ()) -> Iterator[Record]:
        """The probes that a condition holds for, but for those that make no sense."""
        return self.sense(record_of, f"{SELECT_PROBES} WHERE {where}", values)

    def sense(
        self, made: Callable[[Row, float], Made], sql: str, values: Sequence[Value] = ()
    ) -> Iterator[Made]:
        """What is made of the rows, but for those that make no sense: those are counted."""
        for row in self.select(sql, values):
            try:
                yield made(row, self.offset)
            except _SENSELESS as error:
                self.senseless += 1
                why = f"row {row[0]!r:.60} makes no sense: {error!r:.200}"
                log.warning("journal %s: %s", self.path, why)

    def now(self) -> Instant:
        """This moment, as it is stored."""
        wall = self._clock.now() + self.offset
        return Instant(wall, self._monotonic(), self._boot)

    def meta(self) -> dict[str, Value]:
        """What the file says of itself."""
        with translated():
            return meta_of(self._database())

    def find(self, sequence: int) -> Record | None:
        """The probe with this number."""
        return next(self.records("sequence = ?", [sequence]), None)

    def due(self, mailbox: str, folder: str, now: float, limit: int) -> list[Kept]:
        """Places whose time to be cleaned has come, oldest first."""
        where = "WHERE mailbox = ? AND folder = ? AND expunge <= ? ORDER BY expunge LIMIT ?"
        values: Row = (storable(mailbox), storable(folder), now + self.offset, limit)
        return [
            kept_of(row, self.offset) for row in self.select(f"{SELECT_PLACES} {where}", values)
        ]

    def positions(self) -> list[Position]:
        """How far each folder was read."""
        rows = self.select("SELECT mailbox, folder, uidvalidity, next_uid, scanned FROM positions")
        with sensible():
            return [position_of(row) for row in rows]
