"""Connecting to the journal's SQLite file: what makes it sound, ours, and of our version."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from probe.edges.journal_guard import Trouble, Unfit
from probe.edges.journal_incidents import SELECT_BASELINES, SELECT_INCIDENTS
from probe.edges.journal_rows import SELECT_PLACES, SELECT_PROBES, STEPS, Value

_NOTES = "SELECT topic, name, text, written FROM notes"
_UNFIT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def boot_id() -> str:
    """The kernel's name for this boot; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


@contextmanager
def translated() -> Iterator[None]:
    """Turns what SQLite raises into Trouble and Unfit."""
    try:
        yield
    except sqlite3.Error as error:
        if _code(error) in _UNFIT:
            raise Unfit("corrupt", str(error)) from error
        raise Trouble(str(error)) from error


@contextmanager
def sensible() -> Iterator[None]:
    """Turns what cannot be understood into Unfit."""
    try:
        yield
    except (ValueError, TypeError, KeyError) as error:
        raise Unfit("corrupt", f"it makes no sense: {error!r}") from error


def connect(path: Path, mode: str = "mode=rwc") -> sqlite3.Connection:
    """A connection without implicit transactions, whose texts are always decodable."""
    name = f"file:{quote(str(path.absolute()))}?{mode}"
    db = sqlite3.connect(name, timeout=5.0, isolation_level=None, uri=True)
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def read_modes(path: Path) -> Sequence[str]:
    """How a file on a read-only disk can be opened."""
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size:
        return ["mode=ro"]
    return ["mode=ro", "immutable=1"]  # Without a WAL the file alone is complete.


def check(db: sqlite3.Connection) -> None:
    """Raises Unfit where the file is damaged, or made by a newer program."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise Unfit("newer", f"version {version} is newer than our {len(STEPS)}")
    (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if answer != "ok":
        raise Unfit("corrupt", f"quick_check: {answer}")


def make_ready(db: sqlite3.Connection) -> None:
    """Set what must be set on each connection, and bring the file to our version."""
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # Before WAL and the first table.
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 16777216")
    with _ours():
        migrate(db)


def migrate(db: sqlite3.Connection, steps: Sequence[Sequence[str]] = STEPS) -> None:
    """Bring a file to the newest version, one transaction for each step."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    for number, step in enumerate(steps[version:], start=version + 1):
        db.execute("BEGIN IMMEDIATE")
        try:
            for statement in step:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                db.execute("ROLLBACK")


def inspect(db: sqlite3.Connection) -> tuple[int, int]:
    """The greatest sequence number (-1: none) and how many probes there are.

    Raises Unfit where the tables are not those that we know.
    """
    with _ours():
        for select in (
            *(SELECT_PROBES, SELECT_PLACES, SELECT_INCIDENTS, SELECT_BASELINES, _NOTES),
            "SELECT next_uid FROM positions",
        ):
            db.execute(f"{select} LIMIT 0")
        greatest, rows = db.execute("SELECT max(sequence), count(*) FROM probes").fetchone()
    return (-1 if greatest is None else greatest), rows


def meta_of(db: sqlite3.Connection) -> dict[str, Value]:
    """What the file says of itself."""
    with _ours():
        return dict(db.execute("SELECT name, value FROM meta").fetchall())


@contextmanager
def _ours() -> Iterator[None]:
    """A statement that does not fit the file's tables means that they are not ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if _code(error) == sqlite3.SQLITE_ERROR:
            raise Unfit("corrupt", str(error)) from error
        raise


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
