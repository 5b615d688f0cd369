"""What is wrong at this moment, as somebody who is woken up by it wants to know it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from probe.core.incident import Incident, Share
from probe.core.model import State
from probe.core.runbook import runbook
from probe.core.sentence import complaint, doubt, works
from probe.core.status import ComponentStatus, Status, blame, newest_first


@dataclass(frozen=True, slots=True)
class Trouble:
    """A component at fault, with all that is known of it; moments are Unix times."""

    said: str  # What is wrong, as a sentence without its end.
    state: State
    since: float
    confirmed: bool  # It may page.
    share: Share | None
    remarks: tuple[str, ...]  # What else it may be, and what works meanwhile, in sentences.
    evidence: tuple[str, ...]  # Newest first.
    runbook: str  # What to do about it, by its name.


def troubles(status: Status) -> list[Trouble]:
    """All there are, the worst and the most certain first, then the newest."""
    states = {one.component: one.state for one in status.components}
    opened = [one for one in newest_first(status.incidents) if one.closed is None]
    told = {one.component for one in opened}
    found = [_of_incident(one, states.get(one.component, State.DEGRADED)) for one in opened]
    untold = [one for one in status.components if one.faults and one.component not in told]
    return _worst_first([*found, *map(_of_component, untold)])


def _worst_first(found: Sequence[Trouble]) -> list[Trouble]:
    def rank(one: Trouble) -> tuple[bool, bool, float]:
        return one.state is not State.DOWN, not one.confirmed, -one.since

    return sorted(found, key=rank)


def _of_incident(incident: Incident, state: State) -> Trouble:
    faults = [grievance.fault for grievance in incident.faults]
    return Trouble(
        said=complaint(incident.component, faults, incident.alternatives),
        state=state,
        since=incident.since,
        confirmed=incident.confirmed,
        share=incident.share,
        remarks=(*doubt(incident.component, incident.alternatives), *works(incident)),
        evidence=incident.evidence,
        runbook=runbook(incident.component, faults[0]),
    )


def _of_component(status: ComponentStatus) -> Trouble:
    return Trouble(
        said=blame(status),
        state=status.state,
        since=status.began,
        confirmed=status.confirmed,
        share=status.share,
        remarks=tuple(doubt(status.component, status.alternatives)),
        evidence=status.evidence,
        runbook=runbook(status.component, status.faults[0].fault),
    )
