"""A detector that names nothing: for what concerns the simulation alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from probe.core.change import Change
from probe.core.incident import Incident
from probe.core.model import Attempt, Phase, Probe, Relay, Route, RouteKey


@dataclass(frozen=True, slots=True)
class Nothing:
    """A diagnosis without a finding."""

    wishes: tuple[RouteKey, ...] = ()
    incidents: tuple[Incident, ...] = ()
    asks: tuple[str, ...] = ()


@dataclass(slots=True)
class Blank:
    """Writes down what it hears."""

    wishes: list[RouteKey] = field(default_factory=list)  # To be sent at the next tick.
    open: tuple[Incident, ...] = ()
    routes: tuple[Route, ...] = ()
    probes: list[Probe] = field(default_factory=list)
    phases: list[tuple[int, Phase | None, float]] = field(default_factory=list)
    attempts: dict[int, Attempt] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    ticks: list[float] = field(default_factory=list)

    def follow(
        self, routes: Iterable[Route], relays: Mapping[str, Relay], *, slow_after: float = 5.0
    ) -> None:
        self.routes = tuple(routes)

    def launched(self, probe: Probe) -> None:
        self.probes.append(probe)

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        self.phases.append((sequence, phase, moment))

    def attempted(self, sequence: int, attempt: Attempt, learned: str) -> None:
        self.attempts[sequence] = attempt

    def changed(self, change: Change) -> None:
        self.changes.append(change)

    def tick(self, now: float) -> Nothing:
        self.ticks.append(now)
        wishes, self.wishes = tuple(self.wishes), []
        return Nothing(wishes)

    def denied(self, key: RouteKey) -> None: ...
