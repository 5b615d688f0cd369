"""How everything stands at one moment, as the page and the API show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from probe.core.component import Component, Fault
from probe.core.incident import Incident, Share
from probe.core.model import RouteKey, State
from probe.core.records.check import Check
from probe.core.records.history import RecordChange
from probe.core.sentence import complaint, listed

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

    @property
    def confirmed(self) -> bool:
        """Whether it may page."""
        return any(one.confirmed for one in self.faults)

    @property
    def began(self) -> float:
        """Since when anything is wrong; where nothing is, since when it stands so."""
        return min((one.since for one in self.faults), default=self.since)

    @property
    def evidence(self) -> tuple[str, ...]:
        """All lines of it, each once, newest first."""
        return tuple(dict.fromkeys(line for one in self.faults for line in one.evidence))


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
    incidents: tuple[Incident, ...] = ()  # Open and closed; moments are Unix times.
    domains: tuple[DomainStatus, ...] = ()
    notices: tuple[str, ...] = ()  # What is wrong with the prober itself, in sentences.
    standby: frozenset[str] = frozenset()  # The relays that are there in case another fails.


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
    return f"{headline(status)} {delivery(status)}" if at_fault(status) else delivery(status)


def headline(status: Status) -> str:
    """What is at fault; where nothing is, whether mail is delivered."""
    faulty = at_fault(status)
    if not faulty:
        return delivery(status)
    said = [f"{blame(component)}." for component in faulty[:_MOST_NAMED]]
    if (more := len(faulty) - _MOST_NAMED) > 0:
        said.append(f"{more} more {'component is' if more == 1 else 'components are'} at fault.")
    return " ".join(said)


def blame(status: ComponentStatus) -> str:
    """What is wrong with a component that is at fault, as a sentence without its end."""
    faults = [one.fault for one in status.faults]
    return complaint(status.component, faults, status.alternatives)


def newest_first(incidents: Iterable[Incident]) -> list[Incident]:
    """Incidents in the order of their opening, those that are open before all others."""
    return sorted(incidents, key=lambda one: (one.closed is not None, -one.opened))


def at_fault(status: Status) -> list[ComponentStatus]:
    """The components that are, the worst and the most certain first, then the newest."""
    faulty = [component for component in status.components if component.faults]

    def rank(one: ComponentStatus) -> tuple[bool, bool, float]:
        return one.state is not State.DOWN, not one.confirmed, -one.began

    return sorted(faulty, key=rank)


def delivery(status: Status) -> str:
    """Whether mail is delivered, or on which routes it is not."""
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
            return f"{len(keys)} of {total} {routes} {said}: {listed([str(key) for key in keys])}."
    return "The only route delivers." if total == 1 else f"All {total} routes deliver."
