"""Whether what is named is right, or true.

Right is a component, with all that it cannot be told apart from, that has exactly the routes of
what is at fault. True is one all of whose routes were at fault lately, though there may be more.
"""

from __future__ import annotations

from collections.abc import Iterable

from probe.core.component import Component
from probe.core.incident import Incident
from tests.simulation.fault import Fault
from tests.simulation.grid import Grid, covers

LAG = 30.0  # s after the end of a fault in which it is still true to name it.
CLOSED_WITHIN = 120.0  # s after the end of its cause in which a provisional incident closes.


def is_alone(incident: Incident, grid: Grid) -> bool:
    """Whether one thing is named, under however many names, and not the one or the other."""
    reach = grid.reach(incident.component)
    return all(grid.reach(one) == reach for one in incident.alternatives)


def is_right(incident: Incident, where: Component, grid: Grid) -> bool:
    """Whether this component is named, alone."""
    return is_alone(incident, grid) and grid.reach(incident.component) == grid.reach(where)


def is_true(incident: Incident, faults: Iterable[Fault], grid: Grid) -> bool:
    """Whether what is named, or one of what is named, has only routes with one of these faults."""
    places = [fault.where for fault in faults]
    return any(
        all(any(covers(where, key) for where in places) for key in grid.reach(component))
        for component in (incident.component, *incident.alternatives)
    )


def told(incident: Incident) -> str:
    """What an incident says, in short."""
    faults = "+".join(grievance.fault for grievance in incident.faults)
    others = "".join(f" or {one}" for one in incident.alternatives)
    return f"{incident.component}{others}: {faults}"
