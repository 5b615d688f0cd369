"""How soon which fault will be named, and may page, with a configuration as it stands."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from probe.core.cadence import retry_delay
from probe.core.component import CONFIRMED_AFTER, Kind
from probe.core.detection.topology import Topology
from probe.core.limits import MINUTE
from probe.core.mailbox_faults import UNREADABLE_AFTER
from probe.core.model import Relay, Route
from probe.core.node_plan import NodePlan
from probe.core.planning.ailment import Ailment, Rules, sign_of
from probe.core.planning.habit import Habit
from probe.core.planning.rehearsal import LOOK, PATIENCE, Times, rehearsed
from probe.core.planning.scene import Scene, thinned

RUNS = 40  # Rehearsals of each fault,
DRAWN = 5  # and so many times as many where a balancer draws the nodes: that scatters more.
BALANCED = 3  # Nodes that are assumed behind an address with `nodes: greeting`.

_ENDS = 1.0  # s until the end of a server is felt: with Dovecot it is named after 1 to 2 s in all.
_OF_NODES = (
    Ailment.HOLDS,
    Ailment.STOPPED,
    Ailment.DROPS,
    Ailment.GREETS_LATE,
    Ailment.HALF,
    Ailment.QUARTER,
    Ailment.SIXTH,
    Ailment.DUPLICATES,
    Ailment.BOUNCES,
)
_OF_RELAYS = (Ailment.HOLDS, Ailment.STOPPED, Ailment.SIXTH)


@dataclass(frozen=True, slots=True)
class Spread:
    """How long something takes (s); inf: it may well not happen within two hours."""

    mean: float
    p95: float


@dataclass(frozen=True, slots=True)
class Prospect:
    """A fault, and how long it takes from its beginning until it is named, and may page."""

    kind: Kind  # Of what is at fault.
    relay: str  # Empty where the relay does not matter.
    ailment: Ailment
    named: Spread
    confirmed: Spread
    by_chance: bool | None = None  # Behind a balancer: nodes are drawn, or take turns.


@dataclass(frozen=True, slots=True)
class Premises:
    """What the times follow from."""

    routes: Sequence[Route]  # In force.
    relays: Mapping[str, Relay]
    habit: Habit
    slow_after: float = 5.0  # s
    runs: int = RUNS


class Outlook:
    """Works out the prospects of one configuration; relays that are alike only once."""

    def __init__(self, premises: Premises) -> None:
        """Nothing is worked out before it is asked for."""
        self._premises = premises
        self._topology = Topology(premises.routes)
        self._by_relay: dict[str, list[Route]] = defaultdict(list)
        for route in premises.routes:
            self._by_relay[route.key.relay].append(route)
        self._known: dict[object, list[Times]] = {}

    def prospects(self) -> Iterator[Prospect]:
        """All of them, relay by relay."""
        for name, routes in self._by_relay.items():
            if self._premises.relays[name].plan is NodePlan.GREETING:
                yield from self._balanced(name, routes)
                yield from (self._relay(name, ailment) for ailment in _OF_RELAYS)
            elif len({route.key.node for route in routes}) > 1:
                yield from (self.node(name, ailment) for ailment in _OF_NODES)
                yield from (self._relay(name, ailment) for ailment in _OF_RELAYS)
            else:
                yield from (self._relay(name, ailment) for ailment in _OF_NODES)
        if self._premises.routes:
            yield self._cut_off()
            yield unreadable()

    def node(self, relay: str, ailment: Ailment) -> Prospect:
        """A node of several, with this ailment."""
        routes = self._by_relay[relay]
        first = min(route.key.node for route in routes)
        struck = [route for route in routes if route.key.node == first]
        return self._prospect(Kind.NODE, relay, ailment, self._scene(struck))

    def _relay(self, relay: str, ailment: Ailment) -> Prospect:
        scene = self._scene(self._by_relay[relay])
        return self._prospect(Kind.RELAY, relay, ailment, scene)

    def _balanced(self, relay: str, routes: Sequence[Route]) -> Iterator[Prospect]:
        for by_chance in (False, True):
            scene = replace(self._scene(routes), balanced=BALANCED, by_chance=by_chance)
            found = self._prospect(Kind.NODE, relay, Ailment.HOLDS, scene)
            yield replace(found, by_chance=by_chance)

    def _cut_off(self) -> Prospect:
        relay = min(self._premises.routes, key=lambda route: route.interval).key.relay
        scene = self._scene(self._premises.routes)
        found = self._prospect(Kind.PROBER, relay, Ailment.CUT_OFF, scene)
        return replace(found, relay="")

    # ---- scenes

    def _scene(self, struck: Sequence[Route]) -> Scene:
        """What is at fault, and what the narrowest wider component has in addition."""
        keys = frozenset(route.key for route in struck)
        series = self._topology.series
        wider = min((s.routes for s in series if s.routes > keys), key=len, default=keys)
        return Scene(
            struck=thinned(struck),
            beside=thinned([r for r in self._premises.routes if r.key in wider - keys]),
            threshold=self._topology.threshold,
            hypotheses=sum(one.first.kind is not Kind.ROUTE for one in series),
            per_minute=self._spare(struck[0].key.relay),
        )

    def _spare(self, relay: str) -> int | None:
        """How many confirmation probes a minute the limit of a relay leaves."""
        most = self._premises.relays[relay].limits.per_minute
        if most is None:
            return None
        planned = sum(MINUTE / route.interval for route in self._by_relay[relay])
        return max(0, math.floor(most - planned))

    def _prospect(self, kind: Kind, relay: str, ailment: Ailment, scene: Scene) -> Prospect:
        times = self._times(relay, ailment, scene)
        named, confirmed = [one.named for one in times], [one.confirmed for one in times]
        return Prospect(kind, relay, ailment, spread(named), spread(confirmed))

    def _times(self, relay: str, ailment: Ailment, scene: Scene) -> list[Times]:
        """Rehearsed, unless it has been for a scene that is alike."""
        premises = self._premises
        rules = Rules(premises.relays[relay].timeouts, premises.slow_after, scene.threshold)
        known = (scene.shape(premises.habit), ailment, rules)
        if known not in self._known:
            sign = sign_of(ailment, premises.habit, rules)
            runs = premises.runs * (DRAWN if scene.by_chance else 1)
            self._known[known] = [*rehearsed(scene, sign, runs)]
        return self._known[known]


def unreadable() -> Prospect:
    """A mailbox whose server ends: the session breaks, and the tries to open another one fail."""
    tries = range(1, UNREADABLE_AFTER)
    usual = _ENDS + sum(retry_delay(number, 0.5) for number in tries) + LOOK / 2
    longest = 2 * _ENDS + sum(retry_delay(number, 1.0) for number in tries) + LOOK
    return Prospect(
        Kind.MAILBOX,
        "",
        Ailment.UNREADABLE,
        Spread(usual, longest),
        Spread(usual + CONFIRMED_AFTER, longest + CONFIRMED_AFTER),
    )


def spread(values: Sequence[float]) -> Spread:
    """The mean and the 95th percentile; inf where it did not happen in too many cases."""
    ordered = sorted(values)
    late = ordered[math.ceil(0.95 * len(ordered)) - 1]
    if late == math.inf:
        return Spread(math.inf, math.inf)
    return Spread(fmean(min(value, PATIENCE) for value in ordered), late)
