"""Dropping what the journal needs no more, in steps that never hold up the writer for long."""

from __future__ import annotations

from collections.abc import Iterator

from probe.edges.journal_file import JournalFile
from probe.edges.journal_rows import Row, Value, Work

_DAY = 86400.0
_LEAST = 7 * _DAY  # Tags live for max(give_up, 7 d),
_MARGIN = _DAY  # and a day later nothing can come any more.
_ACCEPTANCE = 35 * _DAY  # RFC 6647: greylisting forgets a pair after about as long.
_SUCCESS = 400 * _DAY
_INCIDENT = 30 * _DAY  # After its end,
_MOST_INCIDENTS = 10_000  # and no more of them than these.
_NOTED = 60 * _DAY  # What is still true is noted again long before.
_STEP = 500  # Rows, or pages, in one step.
_SLACK = 4  # The file may hold one free page in so many.

_WALK = """SELECT sequence, launched, give_up, open,
    EXISTS (SELECT 1 FROM places WHERE places.sequence = probes.sequence)
    FROM probes WHERE sequence > ? ORDER BY sequence LIMIT ?"""
_STALE_PLACES = """DELETE FROM places WHERE (mailbox, folder, uidvalidity, uid) IN
    (SELECT mailbox, folder, uidvalidity, uid FROM places WHERE expunge < ? LIMIT ?)"""
_IDLE_ROUTES = """DELETE FROM routes
    WHERE accepted IS NULL AND (succeeded IS NULL OR succeeded < ?)
    AND NOT EXISTS (SELECT 1 FROM probes WHERE route = routes.id)"""

_OLD_INCIDENTS = """DELETE FROM incidents WHERE closed < ? OR id IN
    (SELECT id FROM incidents WHERE closed IS NOT NULL ORDER BY closed DESC LIMIT -1 OFFSET ?)"""
_STALE_BASELINES = "DELETE FROM baselines WHERE kept < ?"


def prune(file: JournalFile, now: float, limit: int) -> Iterator[None]:
    """Each turn of this iterator does one step; `limit` is the most probes to keep."""
    wall = now + file.offset
    yield from _prune_probes(file, wall, limit)
    stale = "SELECT 1 FROM places WHERE expunge < ? LIMIT 1"
    while file.select(stale, [wall - _ACCEPTANCE]):  # Of a mailbox that is read no more.
        file.transact([Work(_STALE_PLACES, [(wall - _ACCEPTANCE, _STEP)])])
        yield
    forget = "UPDATE routes SET accepted = NULL WHERE accepted < ?"
    file.transact([Work(forget, [(wall - _ACCEPTANCE,)])])
    file.transact([Work(_IDLE_ROUTES, [(wall - _SUCCESS,)])])
    file.transact([Work(_OLD_INCIDENTS, [(wall - _INCIDENT, _MOST_INCIDENTS)])])
    file.transact([Work(_STALE_BASELINES, [(wall - _ACCEPTANCE,)])])  # Of what is no more.
    file.transact([Work("DELETE FROM notes WHERE written < ?", [(wall - _NOTED,)])])
    yield
    while _pragma(file, "freelist_count") * _SLACK > _pragma(file, "page_count"):
        file.vacuum(_STEP)
        yield
    file.select("PRAGMA wal_checkpoint(TRUNCATE)")


def _prune_probes(file: JournalFile, wall: float, limit: int) -> Iterator[None]:
    """Walk from the oldest probe to the first that is too young to go."""
    cursor: Value = -1
    while rows := file.select(_WALK, [cursor, _STEP]):
        excess = file.rows - limit
        doomed: list[Row] = []
        for sequence, launched, give_up, is_open, is_kept in rows:
            age = wall - float(launched or 0)
            over = age > max(float(give_up or 0), _LEAST) + _MARGIN and not is_kept
            if not is_open and (over or len(doomed) < excess):
                doomed.append((sequence,))
        file.transact([Work("DELETE FROM probes WHERE sequence = ?", doomed)])
        file.rows -= len(doomed)
        yield
        cursor, youngest = rows[-1][0], float(rows[-1][1] or 0)
        if file.rows <= limit and youngest > wall - _LEAST - _MARGIN:
            return


def _pragma(file: JournalFile, name: str) -> int:
    ((value,),) = file.select(f"PRAGMA {name}")
    return int(value or 0)
