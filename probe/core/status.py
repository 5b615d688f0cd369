"""How everything stands at one moment, as the page and the API show it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from probe.core.component import Component, Fault
from probe.core.incident import Incident, Share
from probe.core.model import RouteKey, State
from probe.core.records.check import Check
from probe.core.records.history import RecordChange

MOST_RECENT = 60
"""How many verdicts of a route are shown."""

_MOST_NAMED = 3


class Mark(StrEnum):
    """What became of one probe, as a letter."""

    GOOD = "g"
    BAD = "b"
    UNKNOWN = "u"  # Never to be judged.


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """How one route stands. Moments are Unix times."""

    key: RouteKey
    state: State
    in_flight: int
    oldest_unanswered: float | None = None
    last_success: float | None = None
    recent: tuple[Mark, ...] = ()  # The newest verdicts, oldest first; at most MOST_RECENT.
    evidence: str = ""  # The newest line of it, cleaned and cut.


@dataclass(frozen=True, slots=True)
class FaultStatus:
    """A fault that is named."""

    fault: Fault
    since: float  # Unix time.
    confirmed: bool = False  # It may page.
    evidence: tuple[str, ...] = ()  # Newest first, cleaned and cut.


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """How one component stands, and since when (Unix time)."""

    component: Component
    state: State
    since: float
    faults: tuple[FaultStatus, ...] = ()  # The leading one first.
    share: Share | None = None  # Of its probes that fail.
    alternatives: tuple[Component, ...] = ()  # What it cannot be told apart from.


@dataclass(frozen=True, slots=True)
class DomainStatus:
    """How the DNS of a sender's domain stands, by the last run of each check."""

    domain: str
    checks: tuple[Check, ...]
    changes: tuple[RecordChange, ...]  # The last of each check; newest first.


@dataclass(frozen=True, slots=True)
class Status:
    """How everything stands, and since when (Unix time)."""

    state: State
    since: float
    routes: tuple[RouteStatus, ...] = ()
    components: tuple[ComponentStatus, ...] = ()  # All of them, healthy ones too.
    incidents: tuple[Incident, ...] = ()  # Newest first, open and closed; moments are Unix times.
    domains: tuple[DomainStatus, ...] = ()
    notices: tuple[str, ...] = ()  # What is wrong with the prober itself, in sentences.


@dataclass(frozen=True, slots=True)
class Health:
    """How the prober itself is; what is outside never makes it unhealthy."""

    healthy: bool  # Every loop has turned within 60 s.
    ready: bool  # Configuration and journal are loaded, and the first slot is scheduled.
    detail: str = ""  # What is missing, in words.


# Worst first: said of one route, of several, of all.
_SAID = {
    State.DOWN: ("does not deliver", "do not deliver", "No route delivers."),
    State.DEGRADED: ("is impaired", "are impaired", "Every route is impaired."),
    State.UNKNOWN: ("cannot be judged", "cannot be judged", "No route can be judged yet."),
}


def summary(status: Status) -> str:
    """What is at fault, and whether mail is delivered, or on which routes it is not."""
    sentences = [_blame(component) for component in status.components if component.faults]
    return " ".join([*sentences[:_MOST_NAMED], _delivery(status)])


def _blame(status: ComponentStatus) -> str:
    name = str(status.component)
    return f"{name[0].upper()}{name[1:]} is {status.faults[0].fault}."


def _delivery(status: Status) -> str:
    total = len(status.routes)
    if total == 0:
        return "There are no routes yet."
    for state, (of_one, of_several, of_all) in _SAID.items():
        keys = [route.key for route in status.routes if route.state is state]
        if len(keys) == total > 1:
            return of_all
        if keys:
            routes = "route" if total == 1 else "routes"
            said = of_one if len(keys) == 1 else of_several
            return f"{len(keys)} of {total} {routes} {said}: {_listed(keys)}."
    return "The only route delivers." if total == 1 else f"All {total} routes deliver."


def _listed(keys: list[RouteKey]) -> str:
    names = [str(key) for key in keys[:_MOST_NAMED]]
    if len(keys) > _MOST_NAMED:
        names.append(f"{len(keys) - _MOST_NAMED} more")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
