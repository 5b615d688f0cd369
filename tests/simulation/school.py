"""What a week in which all is well teaches, without living through it."""

from __future__ import annotations

from functools import cache

from probe.core.detection.baseline import Baselines
from probe.core.model import RouteKey
from tests.simulation.archive import Archive, Rows
from tests.simulation.grid import Grid
from tests.simulation.simulation import EPOCH
from tests.simulation.world import Climate, World

_PROBES = 20_000  # Of each relay: the share of failures is what it is.
_ARRIVALS = 2_000  # Of each relay and mailbox.
_TIMED = 60  # Of each node.


@cache
def learned(grid: Grid, climate: Climate) -> Rows:
    """The baselines of a prober that has watched this for long."""
    baselines, world = Baselines(), World(climate, seed=0)
    for relay in grid.relay_names:
        for number in range(_PROBES):
            failed = number < round(_PROBES * climate.failures)
            baselines.ended(relay, failed=failed, now=EPOCH)
        for mailbox in grid.mailbox_names:
            for _ in range(_ARRIVALS):
                course = world.submit(RouteKey(relay, "", "", mailbox), 0.0)
                if course.travel < 60.0:
                    baselines.arrived(relay, mailbox, course.travel)
    for relay, node in grid.node_names:
        for _ in range(_TIMED):
            for step in world.submit(RouteKey(relay, node, "", ""), 0.0).steps:
                baselines.timed(relay, node, step.phase, step.seconds)
    return baselines.rows()


def schooled(grid: Grid, climate: Climate) -> Archive:
    """The journal of such a prober."""
    archive = Archive()
    archive.rows = learned(grid, climate)
    return archive
