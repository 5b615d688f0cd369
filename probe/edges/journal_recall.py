"""What the journal still knows: after a restart, and of a file that must be given up."""

from __future__ import annotations

from contextlib import suppress

from probe.core.incident import Incident
from probe.core.model import RouteKey
from probe.edges.journal_changes import Changes, Note
from probe.edges.journal_file import JournalFile
from probe.edges.journal_guard import Trouble, Unfit
from probe.edges.journal_incidents import (
    SELECT_BASELINES,
    SELECT_INCIDENTS,
    baseline_of,
    incident_of,
)
from probe.edges.journal_open import sensible
from probe.edges.journal_rows import SELECT_PLACES, Value, kept_of
from probe.ports import Launches, Remembered

NOTHING = Remembered((), {}, {}, None, False)

_CLOSED = 200  # Incidents that are over and still told of.
_DAY, _MINUTE = 86400.0, 60.0
_SELECT_LAUNCHES = """SELECT relay, mailbox, max(launched), count(*)
    FROM probes JOIN routes ON routes.id = probes.route WHERE launched > ?
    GROUP BY relay, mailbox, CAST(launched / ? AS INTEGER)"""

_FIRST = "SELECT launched FROM probes WHERE route = routes.id ORDER BY sequence LIMIT 1"
_TOLERANCE = 1.0  # A smaller step of the wall clock is none (s).


def remember(file: JournalFile, most: int) -> Remembered:
    """What the last run left; of what is open the newest `most`. Raises Trouble, Unfit."""
    meta, accepted = file.meta(), _stored(file, "accepted")
    with sensible():
        stopped = None if "wall" not in meta else float(meta["wall"] or 0)
        stepped = stopped is not None and _stepped(file, meta, stopped)
    return Remembered(
        open=tuple(reversed(list(file.records("open ORDER BY sequence DESC LIMIT ?", [most])))),
        last_success=_stored(file, "succeeded"),
        accepted_before={
            (key.relay, key.node, key.sender, key.mailbox): moment
            for key, moment in accepted.items()
        },
        stopped=None if stopped is None else stopped - file.offset,
        clock_stepped=stepped,
        launches=_launches(file),
        began=_moments(file, f"({_FIRST}) AS began", "succeeded IS NULL AND began IS NOT NULL"),
        incidents=_incidents(file),
        baselines=dict(file.sense(baseline_of, SELECT_BASELINES)),
        notes={key: note.text for key, note in _notes(file).items()},
    )


def _incidents(file: JournalFile) -> tuple[Incident, ...]:
    """All that are open, and the newest that are closed; in the order of their opening."""
    is_open = f"{SELECT_INCIDENTS} WHERE closed IS NULL"
    newest = f"{SELECT_INCIDENTS} WHERE closed IS NOT NULL ORDER BY closed DESC LIMIT {_CLOSED}"
    found = [*file.sense(incident_of, is_open), *file.sense(incident_of, newest)]
    return tuple(sorted(found, key=lambda incident: (incident.opened, incident.id)))


def _notes(file: JournalFile) -> dict[tuple[str, str], Note]:
    rows = file.select("SELECT topic, name, text, written FROM notes")
    with sensible():
        return {
            (str(topic), str(name)): Note(str(text), float(written or 0))
            for topic, name, text, written in rows
        }


def _launches(file: JournalFile) -> tuple[Launches, ...]:
    rows = file.select(_SELECT_LAUNCHES, (file.now().wall - _DAY, _MINUTE))
    with sensible():
        return tuple(
            Launches(str(relay), str(mailbox), float(newest or 0) - file.offset, int(count or 0))
            for relay, mailbox, newest, count in rows
        )


def salvage(file: JournalFile) -> Changes:
    """As much of what is still needed as can be read."""
    saved = Changes()
    with suppress(Trouble, Unfit), sensible():
        saved.positions = {(p.mailbox, p.folder): p for p in file.positions()}
        kept = [kept_of(row, file.offset) for row in file.select(SELECT_PLACES)]
        saved.kept = {one.place: one for one in kept}
        saved.notes = _notes(file)
        saved.successes = _stored(file, "succeeded")
        saved.acceptances = _stored(file, "accepted")
        saved.incidents = {incident.id: incident for incident in _incidents(file)}
        saved.baselines = dict(file.sense(baseline_of, SELECT_BASELINES))
        saved.records = {record.probe.sequence: record for record in file.records("open")}
    return saved


def _stored(file: JournalFile, column: str) -> dict[RouteKey, float]:
    return _moments(file, column, f"{column} IS NOT NULL ORDER BY {column}")


def _moments(file: JournalFile, column: str, where: str) -> dict[RouteKey, float]:
    rows = file.select(f"SELECT {column}, relay, node, sender, mailbox FROM routes WHERE {where}")
    with sensible():
        return {
            RouteKey(*(str(name) for name in names)): float(moment or 0) - file.offset
            for moment, *names in rows
        }


def _stepped(file: JournalFile, meta: dict[str, Value], wall: float) -> bool:
    now = file.now()
    if meta.get("boot") != now.boot or not now.boot:
        return now.wall < wall
    before = wall - float(meta.get("monotonic") or 0)
    return abs(now.wall - now.monotonic - before) > _TOLERANCE
