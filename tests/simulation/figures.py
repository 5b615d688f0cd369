"""How long the right name takes by the simulations that the design rests on, at 15 s, local mail.

Means and 95th percentiles (s) of 150 to 400 runs each, with q = 0.2 and 0.001 baseline failures.
Where a phase dawdles they are with a limit of 3 s, which here is 5 s over the usual.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from probe.core.component import Kind
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import Grid

SLACK = 1.5  # The factor on the 95th percentile that is allowed.
DAWDLED = 5.0  # s that a phase must take longer than usual before it counts.


@dataclass(frozen=True, slots=True)
class Expected:
    """What a row says (s)."""

    mean: float
    p95: float
    confirmed: float  # 95th percentile.


_H, _C, _G, _D = Ill.HOLD, Ill.REFUSE_CONNECTIONS, Ill.GREET_LATE, Ill.DROP
_R, _L = Ill.REFUSE, Ill.LOSE

ROWS: dict[tuple[str, Kind, Ill, float], Expected] = {
    ("1x3x1", Kind.NODE, _H, 1.0): Expected(12, 19, 69),
    ("1x3x1", Kind.NODE, _C, 1.0): Expected(11, 19, 69),
    ("1x3x1", Kind.NODE, _G, 1.0): Expected(17, 24, 69),
    ("1x3x1", Kind.NODE, _D, 1.0): Expected(17, 24, 69),
    ("1x3x1", Kind.NODE, _R, 0.5): Expected(38, 86, 96),
    ("1x3x1", Kind.NODE, _R, 0.25): Expected(100, 225, 236),
    ("1x3x1", Kind.NODE, _R, 0.16): Expected(202, 456, 503),
    ("1x3x1", Kind.NODE, _L, 0.5): Expected(37, 83, 95),
    ("1x3x1", Kind.NODE, _L, 0.25): Expected(87, 203, 212),
    ("1x3x1", Kind.NODE, _L, 0.16): Expected(156, 359, 368),
    ("1x3x1", Kind.PROBER, _H, 1.0): Expected(6, 13, 65),
    ("1x3x1", Kind.PROBER, _C, 1.0): Expected(6, 12, 65),
    ("1x3x1", Kind.PROBER, _R, 0.16): Expected(47, 122, 139),
    ("4x4x5", Kind.NODE, _H, 1.0): Expected(6, 11, 61),
    ("4x4x5", Kind.NODE, _C, 1.0): Expected(6, 10, 61),
    ("4x4x5", Kind.NODE, _G, 1.0): Expected(10, 14, 61),
    ("4x4x5", Kind.NODE, _R, 0.5): Expected(13, 25, 36),
    ("4x4x5", Kind.NODE, _R, 0.25): Expected(32, 60, 68),
    ("4x4x5", Kind.NODE, _R, 0.16): Expected(54, 101, 111),
    ("4x4x5", Kind.NODE, _L, 0.16): Expected(52, 98, 110),
    ("4x4x5", Kind.RELAY, _H, 1.0): Expected(3, 5, 57),
    ("4x4x5", Kind.RELAY, _C, 1.0): Expected(3, 4, 57),
    ("4x4x5", Kind.RELAY, _R, 0.16): Expected(18, 29, 40),
    ("4x4x5", Kind.MAILBOX, _L, 1.0): Expected(4, 6, 57),
    ("4x4x5", Kind.MAILBOX, _L, 0.16): Expected(22, 43, 56),
    ("4x4x5", Kind.ROUTE, _L, 1.0): Expected(21, 28, 69),
}

# What a component of so many routes, of whose probes such a share fails, has at the longest (s):
# the rows above by their number of routes.
_BY_ROUTES = (
    (1, ((1.0, 19.0), (0.5, 86.0), (0.25, 225.0), (0.16, 456.0))),
    (3, ((1.0, 13.0), (0.16, 122.0))),
    (5, ((1.0, 11.0), (0.5, 25.0), (0.25, 60.0), (0.16, 101.0))),
    (16, ((1.0, 6.0), (0.16, 43.0))),
    (20, ((1.0, 5.0), (0.16, 29.0))),
)
_COMBINED = 28.0  # A route among many takes that long even if all of it fails.


def p95(grid: Grid, fault: Fault) -> float:
    """The 95th percentile for any grid: that of what is told no more easily (s).

    Where there is no row for a share, the one of the next smaller share holds, and where there is
    none for a number of routes, that of the next smaller number. Everything scales with the
    interval.
    """
    routes = len(grid.reach(fault.where))
    found = min(
        (
            seconds
            for least, shares in _BY_ROUTES
            for share, seconds in shares
            if least <= routes and share <= fault.share
        ),
        default=inf,
    )
    if fault.where.kind is Kind.ROUTE:
        found = max(found, _COMBINED)
    if fault.ill in (Ill.GREET_LATE, Ill.DROP):
        found += DAWDLED
    return found * max(1.0, grid.interval / 15.0)
