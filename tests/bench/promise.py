"""What `mailprobe plan` promises of the pool that faults are replayed on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from probe.core.component import Kind
from probe.core.model import Relay, Route, RouteKey, Timeouts
from probe.core.node_plan import NodePlan
from probe.core.planning.ailment import Ailment
from probe.core.planning.habit import assumed
from probe.core.planning.outlook import Outlook, Premises
from tests.live.replay import INTERVAL


@dataclass(frozen=True, slots=True)
class Expected:
    """Which row of the plan it is, and for which pool."""

    ailment: Ailment
    kind: Kind = Kind.NODE
    interval: float = INTERVAL  # s
    plan: NodePlan = NodePlan.LIST
    by_chance: bool | None = None  # Behind a balancer: nodes are drawn, or take turns.
    connect: float = Timeouts().connect  # s


@cache
def promised(expected: Expected) -> float:
    """The mean from the beginning of the fault until it is named (s)."""
    names = [""] if expected.plan is NodePlan.GREETING else ["n1", "n2", "n3"]
    keys = [RouteKey("pool", name, "shop", "corp") for name in names]
    timeouts = Timeouts(connect=expected.connect)
    relay = Relay("pool", "relay.test", 25, plan=expected.plan, timeouts=timeouts)
    routes = [Route(key, expected.interval, 60.0, 600.0) for key in keys]
    outlook = Outlook(Premises(routes, {"pool": relay}, assumed({})))
    wanted = expected.kind, expected.ailment, expected.by_chance
    (mean,) = (
        one.named.mean
        for one in outlook.prospects()
        if (one.kind, one.ailment, one.by_chance) == wanted
    )
    return mean
