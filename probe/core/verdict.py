"""The verdicts: what an arrival, a silence or a cut says of a probe, given what could be seen."""

from __future__ import annotations

from probe.core.model import Folder, Reason, Sighting, UnknownCause
from probe.core.record import Bad, Good, Record, Unknown, Verdict
from probe.core.sight import Sight


def of_arrival(record: Record, sighting: Sighting, sight: Sight) -> Verdict:
    """The verdict on a probe that arrived."""
    if sighting.seen - record.since > record.probe.deadline:
        return of_silence(record, sight, seen=sighting.seen)
    if sighting.folder is not Folder.INBOX:
        return Bad(Reason.JUNK)
    return Bad(Reason.CONTENT) if sighting.altered else Good()


def of_silence(record: Record, sight: Sight, *, seen: float | None = None) -> Verdict:
    """The verdict on a probe whose deadline has passed; it may have been `seen` afterwards."""
    if not record.ended:
        return Unknown(UnknownCause.PROBER)
    node = (record.probe.route.relay, record.node)
    deadline = record.since + record.probe.deadline
    cause = sight.void(node, record.since, deadline, seen=seen)
    if cause is not None:
        return Unknown(cause)
    return Bad(Reason.ACK_LOST if record.ack_lost else Reason.OVERDUE)


def of_cut(record: Record) -> Verdict | None:
    """The verdict on a probe that the last run left, if there is nothing to wait for."""
    if record.arrived is not None:
        late = record.arrived - record.since > record.probe.deadline
        return Unknown(UnknownCause.PROBER) if late else Good()
    if record.bounced:
        return Bad(Reason.BOUNCED)
    return None if record.in_flight else Unknown(UnknownCause.PROBER)
