"""When a route is due: a fixed grid for each route, which nothing delays.

Open loop: a slow probe never moves the next slot, or the prober would slow down together with
what it measures (coordinated omission, Schroeder et al., NSDI 2006).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

from probe.core.model import Route

OVERLAP = 4  # Submissions of one route at a time; further slots are skipped.
GREYLIST_PAUSES = (60.0, 120.0, 300.0, 300.0)  # s, between the tries of a greylisted probe.
GREYLIST_MEMORY = 35 * 86400.0  # s a relay may forget a sender in (RFC 6647 5, rounded up).


def phase(route: Route) -> float:
    """Where in its interval a route is due (s, 0 to under its interval): from a hash, no jitter."""
    digest = hashlib.sha256(str(route.key).encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * route.interval


def slots(route: Route, since: float, until: float) -> list[float]:
    """The moments in (since, until] at which this route is due, ascending (s)."""
    grid = _Grid(phase(route), route.interval)
    return [grid.moment(n) for n in range(grid.number(since) + 1, grid.number(until) + 1)]


def next_slot(route: Route, now: float) -> float:
    """The first moment after `now` at which this route is due (s)."""
    grid = _Grid(phase(route), route.interval)
    return grid.moment(grid.number(now) + 1)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Slots, numbered from the beginning of the timeline."""

    phase: float
    interval: float

    def number(self, moment: float) -> int:
        """The number of the last slot at or before `moment`."""
        number = math.floor((moment - self.phase) / self.interval)
        # The division may be rounded over the edge of a slot.
        if self.moment(number) > moment:
            return number - 1
        return number + 1 if self.moment(number + 1) <= moment else number

    def moment(self, number: int) -> float:
        """When the slot of this number is due."""
        return self.phase + number * self.interval


def greylist_pause(tries: int) -> float | None:
    """How long to wait after so many deferred tries (s), or None when it was one too many."""
    return GREYLIST_PAUSES[tries - 1] if tries <= len(GREYLIST_PAUSES) else None


def is_stranger(accepted_before: float | None, now: float) -> bool:
    """Whether a relay may take this sender for a stranger, as it has not accepted it lately."""
    return accepted_before is None or now - accepted_before > GREYLIST_MEMORY
