"""What outlives a run of the prober: what its journal would hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from probe.core.incident import Grievance, Incident
from probe.core.record import Record

Rows = Mapping[str, tuple[float, ...]]


class Archive:
    """Probes, incidents and baselines. Moments are on the prober's timeline."""

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self.incidents: dict[str, Incident] = {}
        self.rows: Rows = {}
        self.stopped: float | None = None  # When the last run was killed.
        self._sequence = 0

    def next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    def save(self, record: Record) -> None:
        self.records[record.probe.sequence] = record

    def tidy(self, before: float) -> None:
        """Forget what was launched before this moment, and of which nothing more comes."""
        settled = [
            sequence
            for sequence, record in self.records.items()
            if record.settled and record.probe.launched < before
        ]
        for sequence in settled:
            del self.records[sequence]

    @property
    def open(self) -> list[Record]:
        """The probes that are not settled."""
        return [record for record in self.records.values() if not record.settled]

    def shift(self, seconds: float) -> None:
        """The wall clock was set while the prober ran: what is stored moves with it."""
        if not seconds:
            return
        self.stopped = moved(self.stopped, seconds)
        self.records = {n: _record(record, seconds) for n, record in self.records.items()}
        self.incidents = {i: _incident(one, seconds) for i, one in self.incidents.items()}


def moved(moment: float | None, seconds: float) -> float | None:
    return None if moment is None else moment + seconds


def _record(record: Record, seconds: float) -> Record:
    probe = record.probe
    probe = replace(probe, slot=probe.slot + seconds, launched=probe.launched + seconds)
    return replace(
        record,
        probe=probe,
        accepted=moved(record.accepted, seconds),
        arrived=moved(record.arrived, seconds),
    )


def _incident(incident: Incident, seconds: float) -> Incident:
    return replace(
        incident,
        opened=incident.opened + seconds,
        changed=incident.changed + seconds,
        since=incident.since + seconds,
        closed=moved(incident.closed, seconds),
        faults=tuple(_grievance(one, seconds) for one in incident.faults),
    )


def _grievance(one: Grievance, seconds: float) -> Grievance:
    return replace(one, since=one.since + seconds, confirmed=moved(one.confirmed, seconds))
