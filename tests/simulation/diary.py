"""What a run tells: incidents, and how much of what was done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from probe.core.incident import Incident


@dataclass(frozen=True, slots=True)
class Told:
    """An incident as it was told, and when in simulated time."""

    moment: float
    incident: Incident


@dataclass(slots=True)
class Diary:
    """Everything that is looked at afterwards."""

    told: list[Told] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    probes: int = 0  # Confirmation probes not counted.
    confirmations: int = 0
    denied: int = 0  # Confirmation probes that a limit of the relay did not allow.
    ticks: int = 0

    @property
    def opened(self) -> list[Told]:
        """The first time that each incident was told."""
        first: dict[str, Told] = {}
        for told in self.told:
            first.setdefault(told.incident.id, told)
        return list(first.values())

    @property
    def last(self) -> list[Told]:
        """Each incident as it was told last."""
        return list({told.incident.id: told for told in self.told}.values())
