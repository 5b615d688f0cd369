"""The journal's tables, and how values become rows and rows values.

Moments are stored as wall times: `offset` is what is added to the timeline.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from probe.core.model import Place, Probe, Reason, RouteKey, UnknownCause
from probe.core.record import Bad, Good, Record, Unknown, Verdict
from probe.edges.journal_changes import Changes, GivenUp, Kept
from probe.ports import Position

Value: TypeAlias = str | int | float | None
Row: TypeAlias = tuple[Value, ...]

# Step n brings a file from version n to n + 1; a published step is never changed.
STEPS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
        """CREATE TABLE routes (
            id INTEGER PRIMARY KEY,
            relay TEXT NOT NULL, node TEXT NOT NULL, sender TEXT NOT NULL, mailbox TEXT NOT NULL,
            succeeded REAL, accepted REAL,
            UNIQUE (relay, node, sender, mailbox))""",
        """CREATE TABLE probes (
            sequence INTEGER PRIMARY KEY, route INTEGER NOT NULL REFERENCES routes (id),
            slot REAL NOT NULL, launched REAL NOT NULL, token TEXT NOT NULL,
            deadline REAL NOT NULL, give_up REAL NOT NULL,
            accepted REAL, ack_lost INTEGER NOT NULL, ended INTEGER NOT NULL,
            verdict TEXT, arrived REAL,
            overdue INTEGER NOT NULL, bounced INTEGER NOT NULL, lost INTEGER NOT NULL,
            places TEXT NOT NULL, open INTEGER NOT NULL)""",
        "CREATE INDEX probes_open ON probes (sequence) WHERE open",
        "CREATE INDEX probes_route ON probes (route)",
        """CREATE TABLE places (
            mailbox TEXT NOT NULL, folder TEXT NOT NULL, uidvalidity INTEGER NOT NULL,
            uid INTEGER NOT NULL, sequence INTEGER, expunge REAL NOT NULL,
            PRIMARY KEY (mailbox, folder, uidvalidity, uid)) WITHOUT ROWID""",
        "CREATE INDEX places_due ON places (mailbox, folder, expunge)",
        "CREATE INDEX places_sequence ON places (sequence)",
        """CREATE TABLE positions (
            mailbox TEXT NOT NULL, folder TEXT NOT NULL, uidvalidity INTEGER NOT NULL,
            next_uid INTEGER NOT NULL, scanned INTEGER NOT NULL,
            PRIMARY KEY (mailbox, folder)) WITHOUT ROWID""",
    ),
    ("ALTER TABLE probes ADD COLUMN learned TEXT NOT NULL DEFAULT ''",),
    (
        "ALTER TABLE probes ADD COLUMN confirmation INTEGER NOT NULL DEFAULT 0",
        """CREATE TABLE incidents (
            id TEXT PRIMARY KEY, opened REAL NOT NULL, closed REAL, value TEXT NOT NULL)
            WITHOUT ROWID""",
        """CREATE TABLE baselines (
            name TEXT PRIMARY KEY, kept REAL NOT NULL, value TEXT NOT NULL) WITHOUT ROWID""",
    ),
    (
        """CREATE TABLE notes (
            topic TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, written REAL NOT NULL,
            PRIMARY KEY (topic, name)) WITHOUT ROWID""",
    ),
)

SELECT_PROBES = """SELECT sequence, relay, node, sender, mailbox, slot, launched, token, deadline,
    give_up, confirmation, probes.accepted, ack_lost, ended, verdict, arrived, overdue, bounced,
    lost, places, learned FROM probes JOIN routes ON routes.id = probes.route"""
_OF_PROBE = 11  # So many of these columns say what was sent, the others what became of it.
SELECT_PLACES = "SELECT mailbox, folder, uidvalidity, uid, sequence, expunge FROM places"
SET_META = "INSERT OR REPLACE INTO meta VALUES (?, ?)"
SHIFT = (
    """UPDATE probes SET slot = slot + ?, launched = launched + ?, accepted = accepted + ?,
        arrived = arrived + ? WHERE open""",
    "UPDATE routes SET succeeded = succeeded + ?, accepted = accepted + ?",
    "UPDATE places SET expunge = expunge + ?",
    "UPDATE incidents SET opened = opened + ?, closed = closed + ?",
    "UPDATE baselines SET kept = kept + ?",
    "UPDATE meta SET value = value + ? WHERE name = 'created'",
)

_NAMED = "relay = ? AND node = ? AND sender = ? AND mailbox = ?"
_ADD_ROUTE = "INSERT OR IGNORE INTO routes (relay, node, sender, mailbox) VALUES (?, ?, ?, ?)"
_PUT_PROBE = f"""INSERT OR REPLACE INTO probes VALUES
    (?, (SELECT id FROM routes WHERE {_NAMED}),
    ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_SUCCEEDED = f"UPDATE routes SET succeeded = coalesce(max(succeeded, ?), ?) WHERE {_NAMED}"
_ACCEPTED = f"UPDATE routes SET accepted = coalesce(max(accepted, ?), ?) WHERE {_NAMED}"
_KEEP = "INSERT OR REPLACE INTO places VALUES (?, ?, ?, ?, ?, ?)"
_CLEAN = "DELETE FROM places WHERE mailbox = ? AND folder = ? AND uidvalidity = ? AND uid = ?"
_GIVE_UP = """UPDATE probes SET lost = 1, open = 0
    WHERE open AND sequence <= ? AND verdict IS NOT NULL AND accepted + give_up <= ?
    AND route IN (SELECT id FROM routes WHERE mailbox = ?)"""
_NOTE = "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?)"
_ERASE = "DELETE FROM notes WHERE topic = ? AND name = ?"
_ADVANCE = "INSERT OR REPLACE INTO positions VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Work:
    """One statement, and the rows to run it with."""

    sql: str
    rows: Sequence[Row]


def storable(text: str) -> str:
    """The text without lone surrogates, which SQLite refuses."""
    return text.encode("utf-8", "replace").decode()


def works(changes: Changes, offset: float) -> list[Work]:
    """The statements that write these changes, in order."""
    records = changes.records.values()
    routes = (
        {r.probe.route for r in records} | changes.successes.keys() | changes.acceptances.keys()
    )
    kept = [_kept_row(kept, offset) for kept in changes.kept.values() if kept is not None]
    gone = [_place_row(place) for place, kept in changes.kept.items() if kept is None]
    given_up = [_given_up_row(one, offset) for one in changes.given_up.values()]
    positions = [_position_row(position) for position in changes.positions.values()]
    work = [
        *(Work(sql, [(changes.shift,) * sql.count("?")]) for sql in SHIFT if changes.shift),
        Work(SET_META, [("ceiling", changes.ceiling)] if changes.ceiling else []),
        Work(_ADD_ROUTE, [_names(route) for route in routes]),
        Work(_PUT_PROBE, [_probe_row(record, offset) for record in records]),
        Work(_GIVE_UP, given_up),
        Work(_SUCCEEDED, _moment_rows(changes.successes.items(), offset)),
        Work(_ACCEPTED, _moment_rows(changes.acceptances.items(), offset)),
        Work(_KEEP, kept),
        Work(_CLEAN, gone),
        Work(_ADVANCE, positions),
        *_notes(changes),
    ]
    return [piece for piece in work if piece.rows]


def record_of(row: Sequence[Value], offset: float) -> Record:
    """A row of SELECT_PROBES as a value. Raises ValueError, TypeError where it makes no sense."""
    of_probe, of_fate = row[:_OF_PROBE], row[_OF_PROBE:]
    accepted, ack_lost, ended, verdict, arrived, overdue, bounced, lost, places, learned = of_fate
    return Record(
        probe=_probe_of(of_probe, offset),
        accepted=_moment(accepted, offset),
        ack_lost=bool(ack_lost),
        ended=bool(ended),
        verdict=None if verdict is None else _verdict(str(verdict)),
        arrived=_moment(arrived, offset),
        overdue=bool(overdue),
        bounced=bool(bounced),
        lost=bool(lost),
        places=tuple(Place(*place) for place in json.loads(str(places))) if places else (),
        learned=str(learned),
    )


def _probe_of(row: Sequence[Value], offset: float) -> Probe:
    sequence, *names, slot, launched, token, deadline, give_up, confirmation = row
    return Probe(
        sequence=int(sequence or 0),
        route=RouteKey(*map(str, names)),
        slot=float(slot or 0) - offset,
        launched=float(launched or 0) - offset,
        token=str(token),
        deadline=float(deadline or 0),
        give_up=float(give_up or 0),
        confirmation=bool(confirmation),
    )


def kept_of(row: Sequence[Value], offset: float) -> Kept:
    """A row of SELECT_PLACES as a value."""
    mailbox, folder, uidvalidity, uid, sequence, expunge = row
    place = Place(str(mailbox), str(folder), int(uidvalidity or 0), int(uid or 0))
    return Kept(place, None if sequence is None else int(sequence), float(expunge or 0) - offset)


def position_of(row: Sequence[Value]) -> Position:
    """A row of the positions as a value."""
    mailbox, folder, uidvalidity, next_uid, scanned = row
    return Position(
        str(mailbox), str(folder), int(uidvalidity or 0), int(next_uid or 0), bool(scanned)
    )


def _verdict(text: str) -> Verdict:
    """Raises ValueError for a text that no verdict has."""
    kind, _, why = text.partition(":")
    match kind:
        case "good":
            return Good()
        case "bad":
            return Bad(Reason(why))
        case "unknown":
            return Unknown(UnknownCause(why))
        case _:
            raise ValueError(f"{text!r} is no verdict")


def _verdict_text(verdict: Verdict) -> str:
    match verdict:
        case Good():
            return "good"
        case Bad(reason):
            return f"bad:{reason}"
        case Unknown(cause):
            return f"unknown:{cause}"
        case _:
            assert_never(verdict)


def _notes(changes: Changes) -> tuple[Work, Work]:
    noted = [(*_storable(key), storable(n.text), n.written) for key, n in changes.notes.items()]
    return (
        Work(_NOTE, [row for row in noted if row[2]]),
        Work(_ERASE, [row[:2] for row in noted if not row[2]]),
    )


def _storable(texts: tuple[str, str]) -> tuple[str, str]:
    return storable(texts[0]), storable(texts[1])


def _moment(stored: Value, offset: float) -> float | None:
    return None if stored is None else float(stored) - offset


def _names(route: RouteKey) -> tuple[str, str, str, str]:
    return (
        storable(route.relay),
        storable(route.node),
        storable(route.sender),
        storable(route.mailbox),
    )


def _probe_row(record: Record, offset: float) -> Row:
    probe = record.probe
    return (
        probe.sequence,
        *_names(probe.route),
        probe.slot + offset,
        probe.launched + offset,
        storable(probe.token),
        probe.deadline,
        probe.give_up,
        None if record.accepted is None else record.accepted + offset,
        int(record.ack_lost),
        int(record.ended),
        None if record.verdict is None else _verdict_text(record.verdict),
        None if record.arrived is None else record.arrived + offset,
        int(record.overdue),
        int(record.bounced),
        int(record.lost),
        _places_text(record.places),
        int(not record.settled),
        storable(record.learned),
        int(probe.confirmation),
    )


def _places_text(places: tuple[Place, ...]) -> str:
    if not places:
        return ""
    rows = [(place.mailbox, place.folder, place.uidvalidity, place.uid) for place in places]
    return json.dumps(rows, separators=(",", ":"))


def _moment_rows(moments: Iterable[tuple[RouteKey, float]], offset: float) -> list[Row]:
    return [(when + offset, when + offset, *_names(route)) for route, when in moments]


def _place_row(place: Place) -> Row:
    return storable(place.mailbox), storable(place.folder), place.uidvalidity, place.uid


def _kept_row(kept: Kept, offset: float) -> Row:
    return (*_place_row(kept.place), kept.sequence, kept.expunge + offset)


def _given_up_row(given_up: GivenUp, offset: float) -> Row:
    return given_up.last, given_up.before + offset, storable(given_up.mailbox)


def _position_row(position: Position) -> Row:
    return (
        storable(position.mailbox),
        storable(position.folder),
        position.uidvalidity,
        position.next_uid,
        position.scanned,
    )
