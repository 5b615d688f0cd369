"""An incident: what is wrong with a component, from when it is named until it is over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from probe.core.component import Component, Fault

MOST_EVIDENCE = 20  # Lines that are kept: the first few, and the newest.


class End(StrEnum):
    """How an incident ended."""

    RECOVERED = "recovered"
    BLIP = "blip"  # It was over before it was confirmed.
    MERGED = "merged"  # It turned out to be part of another.
    RETIRED = "retired"  # The component is gone: taken out of DNS or of the configuration.


@dataclass(frozen=True, slots=True)
class Share:
    """A 95 % interval of the share of probes that fail, 0 .. 1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Grievance:
    """One fault of an incident: since when it is seen, and since when it may page."""

    fault: Fault
    since: float
    confirmed: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """What is known of it; moments on the prober's timeline."""

    id: str
    component: Component
    opened: float  # When it was named; its first failure was at `since`.
    changed: float
    since: float
    faults: tuple[Grievance, ...]  # The leading one first.
    closed: float | None = None
    end: End | None = None
    share: Share | None = None
    alternatives: tuple[Component, ...] = ()  # What it cannot be told apart from.
    evidence: tuple[str, ...] = ()  # One line each, newest first.
    unaffected: tuple[str, ...] = ()  # What works meanwhile, one line each: `NAME: how well`.
    standby: tuple[str, ...] = ()  # The standby relays that work.

    @property
    def confirmed(self) -> bool:
        """Whether it may page, or could."""
        return any(one.confirmed is not None for one in self.faults)
