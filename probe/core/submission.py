"""A probe on its way into the relay: in which phase, since when, and what was seen of it early."""

from __future__ import annotations

from dataclasses import dataclass

from probe.core.model import Phase, Reason, Sighting, Timeouts
from probe.core.outcome import limit_reason


@dataclass(slots=True)
class Submission:
    """A submission that is going on."""

    timeouts: Timeouts
    phase: Phase | None = None  # None: not begun, or it pauses.
    since: float = 0.0
    greeted: bool = False  # The greeting of this connection has been waited for.
    sightings: tuple[Sighting, ...] = ()  # Mail can arrive before the final reply does.

    def enter(self, phase: Phase | None, moment: float) -> None:
        """It has come to a phase, or pauses (None)."""
        self.phase, self.since = phase, moment
        self.greeted = phase is not None and (self.greeted or phase is Phase.GREETING)

    def too_slow(self, now: float) -> Reason | None:
        """Why it has failed, if its phase has gone on for longer than it may."""
        if self.phase is None or now - self.since <= self.timeouts.limit(self.phase):
            return None
        return limit_reason(self.phase, greeted=self.greeted)
