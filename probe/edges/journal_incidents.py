"""The incidents and the learned baselines in the journal: how they become rows, and rows they.

An incident is a text of JSON in which all moments are seconds from its opening: when the wall
clock steps only the columns beside it have to be moved.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from probe.core.component import Component, Fault, Kind
from probe.core.incident import End, Grievance, Incident, Share
from probe.edges.journal_changes import Changes
from probe.edges.journal_rows import Row, Value, Work, storable

SELECT_INCIDENTS = "SELECT id, opened, closed, value FROM incidents"
SELECT_BASELINES = "SELECT name, value FROM baselines"

_PUT_INCIDENT = "INSERT OR REPLACE INTO incidents VALUES (?, ?, ?, ?)"
_PUT_BASELINE = "INSERT OR REPLACE INTO baselines VALUES (?, ?, ?)"


def incident_works(changes: Changes, offset: float, now: float) -> list[Work]:
    """The statements that write what these changes have of both; `now` is a wall time."""
    incidents = [_incident_row(incident, offset) for incident in changes.incidents.values()]
    baselines: list[Row] = [
        (storable(name), now, json.dumps(row)) for name, row in changes.baselines.items()
    ]
    work = [Work(_PUT_INCIDENT, incidents), Work(_PUT_BASELINE, baselines)]
    return [piece for piece in work if piece.rows]


def incident_of(row: Sequence[Value], offset: float) -> Incident:
    """A row of SELECT_INCIDENTS as a value.

    Raises ValueError, TypeError, KeyError, OverflowError or RecursionError where it makes no sense.
    """
    name, stored, closed, text = row
    opened = _number(stored) - offset
    told = json.loads(str(text))
    faults = tuple(_grievance(one, opened) for one in told["faults"])
    if not faults:
        raise ValueError("it has no fault")
    return Incident(
        id=str(name),
        component=_component(told["component"]),
        opened=opened,
        changed=opened + _number(told["changed"]),
        since=opened + _number(told["since"]),
        faults=faults,
        closed=None if closed is None else _number(closed) - offset,
        end=None if told["end"] is None else End(told["end"]),
        share=None if told["share"] is None else Share(*map(_number, told["share"])),
        alternatives=tuple(_component(one) for one in told["alternatives"]),
        evidence=_lines(told["evidence"]),
        unaffected=_lines(told["unaffected"]),
        standby=_lines(told["standby"]),
    )


def baseline_of(row: Sequence[Value], offset: float) -> tuple[str, tuple[float, ...]]:
    """A row of SELECT_BASELINES as name and numbers; no moment is among them. Raises likewise."""
    name, text = row
    return str(name), tuple(_number(one) for one in json.loads(str(text)))


def _incident_row(incident: Incident, offset: float) -> Row:
    closed = None if incident.closed is None else incident.closed + offset
    return storable(incident.id), incident.opened + offset, closed, _text(incident)


def _text(incident: Incident) -> str:
    opened, share = incident.opened, incident.share
    return json.dumps(
        {
            "component": astuple(incident.component),
            "changed": incident.changed - opened,
            "since": incident.since - opened,
            "faults": [
                (
                    one.fault,
                    one.since - opened,
                    None if one.confirmed is None else one.confirmed - opened,
                )
                for one in incident.faults
            ],
            "end": incident.end,
            "share": None if share is None else (share.low, share.high),
            "alternatives": [astuple(one) for one in incident.alternatives],
            "evidence": incident.evidence,
            "unaffected": incident.unaffected,
            "standby": incident.standby,
        },
        separators=(",", ":"),
    )


def _component(told: Any) -> Component:
    kind, *names = told
    return Component(Kind(kind), *_lines(names))


def _grievance(told: Any, opened: float) -> Grievance:
    fault, since, confirmed = told
    later = None if confirmed is None else opened + _number(confirmed)
    return Grievance(Fault(fault), opened + _number(since), later)


def _number(told: Any) -> float:
    if type(told) not in (int, float) or not math.isfinite(told):
        raise ValueError(f"{told!r:.40} is no number")
    return float(told)


def _lines(told: Any) -> tuple[str, ...]:
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        raise ValueError(f"{told!r:.40} is no list of texts")
    return tuple(told)
