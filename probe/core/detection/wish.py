"""Which confirmation probes are wanted: for a suspicion, for a question, for the way back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from probe.core.component import Component
from probe.core.detection.baseline import Baselines
from probe.core.detection.burst import Bursts, sibling, turns
from probe.core.detection.case import Case
from probe.core.detection.cases import Cases
from probe.core.detection.history import History
from probe.core.detection.observation import DESIGN_SHARE, NodeName, Observation
from probe.core.detection.throttling import THROTTLED
from probe.core.detection.walk import Sums
from probe.core.model import Attempt, RouteKey
from probe.core.outcome import is_too_much

SUSPICIOUS = 3.0  # nats on a route at which a burst is sent.
RECHECK = 5.0  # s between two looks whether it is over,
RECHECKED = 300.0  # for so long, and when after a hard fault something has come through (s).


class Wishes:
    """Knows what would be worth sending."""

    def __init__(self, cases: Cases, history: History, baselines: Baselines) -> None:
        self._cases = cases
        self._history = history
        self._baselines = baselines
        self._bursts = Bursts()
        self._routes: frozenset[RouteKey] = frozenset()
        self._nodes: list[NodeName] = []
        self._throttled: dict[str, float] = {}
        self._turn = 0
        self._explained: set[Component] = set()  # What was open at the last look.

    def follow(self, routes: Iterable[RouteKey]) -> None:
        """From now on these routes can be probed."""
        self._routes = frozenset(routes)
        self._nodes = sorted({(key.relay, key.node) for key in self._routes})
        self._bursts.keep(self._nodes)

    def heard(self, relay: str, attempt: Attempt) -> None:
        """A relay has answered: it may say that we are too many."""
        if is_too_much(attempt):
            self._throttled[relay] = attempt.ended + THROTTLED

    def on(self, sums: Sums, rivals: Sequence[RouteKey], now: float) -> Iterator[RouteKey]:
        """Confirmation probes, within all caps; none to a relay that says we are too many."""
        self._throttled = {relay: end for relay, end in self._throttled.items() if end > now}
        self._bursts.spare(self._throttled)
        if not rivals:
            self._bursts.settled()
        for case in self._cases.open:
            if case.component not in self._explained:  # What is suspected later is another matter.
                for key in self._cases.routes_of(case.component):
                    self._bursts.calm((key.relay, key.node))
        self._explained = {case.component for case in self._cases.open}
        ranked = self._suspect(sums, now)
        bursts = self._bursts
        yield from bursts.due(now, ranked)
        if rivals:
            routes = sorted({asked for key in rivals if (asked := self._asked(key))})
            yield from bursts.deciding(now, routes)
        for case in self._cases.open:
            yield from self._recheck(case, now)

    def denied(self, key: RouteKey) -> None:
        """What was wanted at this look could not be sent."""
        self._bursts.denied(key)

    def _asked(self, key: RouteKey) -> RouteKey | None:
        """The route in force on which this one is probed: a learned node is met by chance."""
        if key in self._routes:
            return key
        anonymous = replace(key, node="")
        return anonymous if anonymous in self._routes else None

    def _suspect(self, sums: Sums, now: float) -> list[NodeName]:
        """Begin the bursts that are called for; all nodes by how suspicious they are."""
        heat: dict[NodeName, float] = {}
        for key in self._suspicious(sums, now):
            asked = self._asked(key)
            if asked is None:
                continue
            node = (asked.relay, asked.node)
            heat[node] = max(heat.get(node, 0.0), self._heat(key, sums))
            newest = self._newest(key, now)
            if newest is not None and newest.slot > self._bursts.began(node):
                way, beside = turns(asked, self._routes), sibling(asked, self._routes)
                self._bursts.suspect(node, way, beside, now)
        others = (node for node in self._nodes if node not in heat)
        return [*sorted(heat, key=lambda node: -heat[node]), *others]

    def _suspicious(self, sums: Sums, now: float) -> Iterator[RouteKey]:
        """The routes on which something looks wrong that no incident explains."""
        for number in sums.alive:
            for key in self._cases.topology.narrowed.get(number, ()):
                if sums.nats[number] < self._least_heat(key.relay):
                    continue
                if number == self._cases.topology.narrow[key] or self._is_early(key, now):
                    yield key
        early = self._history.slow_after / 2
        for one in self._history.submitting.values():
            if one.phase is None or now - one.since <= early or one.key not in self._routes:
                continue
            if now - one.since > self._history.limit(one) - early:
                yield one.key

    def _is_early(self, key: RouteKey, now: float) -> bool:
        """Whether the newest of this route failed where no route is to blame, but its node."""
        newest = self._newest(key, now)
        weight = None if newest is None else self._history.weigh(newest, now)
        narrow = self._cases.topology.series[self._cases.topology.narrow[key]]
        return weight is not None and not weight.blames & narrow.kinds

    def _heat(self, key: RouteKey, sums: Sums) -> float:
        """The sum of the narrowest series of this route, or of its node (nats)."""
        topology = self._cases.topology
        if key not in topology.narrow:
            return 0.0
        return max(sums.nats[topology.narrow[key]], sums.nats[topology.side[key]])

    def _least_heat(self, relay: str) -> float:
        failure = 1.0 - DESIGN_SHARE + DESIGN_SHARE / self._baselines.failing_share(relay)
        return min(SUSPICIOUS, 0.9 * math.log(failure))

    def _newest(self, key: RouteKey, now: float) -> Observation | None:
        """The newest probe of a route, if it is one that looks wrong."""
        for one in reversed(self._history.filed.of(key)):
            if one.key == key:
                weight = self._history.weigh(one, now)
                if weight is not None:
                    wrong = weight.nats() > 0.0 and not self._cases.is_explained(one, weight)
                    return one if wrong else None
                if one.phase is not None:
                    late = now - one.since > self._history.limit(one) / 2
                    return one if late and not self._is_explained_key(one.key) else None
        return None

    def _is_explained_key(self, key: RouteKey) -> bool:
        return any(key in self._cases.routes_of(case.component) for case in self._cases.open)

    def _recheck(self, case: Case, now: float) -> Iterator[RouteKey]:
        found = case.found
        if now - case.opened >= RECHECKED and not (found.good and case.is_hard):
            return  # Successes between failures are no sign that it is over.
        if now - case.rechecked < RECHECK:
            return
        keys = self._cases.routes_of(case.component)
        failing = {node for node, run in found.runs.items() if run.failures}
        worse = [key for key in keys if (key.relay, key.node) in failing]
        routes = sorted({asked for key in worse or keys if (asked := self._asked(key))})
        if routes:
            case.rechecked = now
            self._turn += 1
            yield from self._bursts.recheck(now, routes[self._turn % len(routes)])
