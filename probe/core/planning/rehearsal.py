"""A fault, rehearsed: when it is named and confirmed, from one beginning or from many.

It is the detector in small. Threshold, margin, weights, confirmation probes, the times that they
take and what earns a page are the detector's own; what is left out is what hardly matters for the
time that it takes: failures for no reason, delays of submission, and explanations other than the
next wider component and parts of the one at fault.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from probe.core.component import Component, Fault, Kind
from probe.core.detection.assessment import Assessment, Seen
from probe.core.detection.burst import Bursts, sibling, turns
from probe.core.detection.case import Case
from probe.core.detection.cases import MARGIN
from probe.core.detection.observation import EVERYBODY, SUCCESS, Failure, Observation, Weight
from probe.core.detection.wish import RECHECK, RECHECKED, SUSPICIOUS
from probe.core.limits import MINUTE
from probe.core.model import Route, RouteKey
from probe.core.planning.ailment import LONG, Sign, confirmed
from probe.core.planning.evidence import Evidence, Margin
from probe.core.planning.scene import Scene
from probe.core.usage import Usage

PATIENCE = 7200.0  # s after which a rehearsal is given up.
LOOK = 0.5  # s between two looks of the detector.

_LULL = 2.0  # s without any probe after which it takes one for anything to change.
_FAILURE = Failure(Fault.REFUSING, EVERYBODY, "")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from the beginning of the fault; inf: not before it was given up."""

    named: float = math.inf
    confirmed: float = math.inf


class Rehearsal:
    """One fault from its beginning, at the moment 0."""

    def __init__(self, scene: Scene, sign: Sign, *, chance: Random, first: float) -> None:
        """`first`: where in its interval the first route is when the fault begins, 0 .. 1."""
        self._scene, self._sign, self._chance = scene, sign, chance
        self._slots = _slots(scene.struck, first, chance)
        self._meetings = _meetings(scene, chance)
        self._keys = {route.key for route in scene.struck}
        self._nodes = scene.nodes
        self._now = 0.0
        self._seen = Evidence(scene, sign)
        self._newest: dict[RouteKey, tuple[float, bool]] = {}  # Its slot, and whether it failed.
        self._bursts = Bursts()
        self._sent = Usage(MINUTE)  # Confirmation probes.
        self._active = -math.inf  # When something was last sent to confirm, or failed.
        self._named = math.inf
        self._case: Case | None = None  # While it is named.
        self._found = Assessment()
        self._turn = 0

    def play(self) -> Times:
        """The whole of it."""
        while self._now < PATIENCE:
            self._now = max(self._now, self._next())
            self._launch_due()
            if self._case is None:
                self._look()
            else:
                self._follow(self._case)
            if (pages := self._may_page()) < math.inf:
                return Times(self._named, pages)
        return Times(self._named)

    def _may_page(self) -> float:
        """When it may page, as soon as that is known: of a fault of all probes, once it is named.

        Until then inf.
        """
        if self._case is None:
            return math.inf
        if self._sign.ailment.is_partial:
            return self._now if self._case.is_confirmed else math.inf
        return confirmed(self._sign.ailment, first=self._case.since, named=self._named)

    def _next(self) -> float:
        """The next moment at which anything can come of it."""
        due = self._slots[0][0]
        if self._case is not None:
            return min(due, max(self._case.rechecked + RECHECK, self._now + LOOK))
        if self._seen.failed and not self._sign.is_instant:
            return self._now + LOOK
        if self._scene.per_minute == 0:
            return due  # Nothing comes but what is scheduled.
        if self._now - self._active <= _LULL:
            return min(due, self._now + LOOK)
        if self._seen.reaches(self._scene.threshold, self._now):
            return min(due, self._now + RECHECK)  # A cap on confirmation probes may end.
        return due

    # ---- probes

    def _launch_due(self) -> None:
        while self._slots[0][0] <= self._now:
            due, number = self._slots[0]
            route = self._scene.struck[number]
            heapq.heapreplace(self._slots, (due + route.interval, number))
            self._launch(route.key)

    def _launch(self, key: RouteKey) -> None:
        if key not in self._keys or not next(self._meetings):
            self._seen.pass_by()
            return
        failed = self._chance.random() < self._sign.ailment.share
        self._newest[key] = self._now, failed
        if failed:
            self._active = self._now
            self._seen.fail(self._now, key)
        else:
            self._seen.succeed()
        if self._sign.ailment.is_partial:
            self._found.take(self._told(key, failed=failed), self._now)

    def _told(self, key: RouteKey, *, failed: bool) -> Seen:
        """What the detector is told of a probe at the end of its submission."""
        one = Observation(0, key, self._now, 0.0, scheduled=True)
        if not failed:
            return Seen(one, SUCCESS)
        one.failure, one.known = _FAILURE, self._now
        return Seen(one, Weight(EVERYBODY, self._sign.odds(key.mailbox, 0.0)))

    def _send(self, wanted: Iterator[RouteKey]) -> None:
        for key in wanted:
            if self._sent.free_at(self._now, self._scene.per_minute) <= self._now:
                self._sent.add(self._now)
                self._active = self._now
                self._launch(key)

    # ---- until it is named

    def _look(self) -> None:
        self._suspect()
        if self._seen.is_alarm(self._now):
            margin = self._seen.margin(self._now)
            if margin.least >= MARGIN:
                self._open()
                return
            self._send(self._bursts.deciding(self._now, self._differing(margin)))
        self._send(self._bursts.due(self._now, self._nodes))

    def _open(self) -> None:
        self._named = min(self._named, self._now)
        since = self._seen.failed[0].slot
        self._case = Case(Component(Kind.NODE), self._now, since, EVERYBODY, rechecked=self._now)
        for node in self._nodes:
            self._bursts.calm(node)

    def _suspect(self) -> None:
        for key, (slot, failed) in self._newest.items():
            node = key.relay, key.node
            if failed and slot > self._bursts.began(node) and self._is_suspicious(key, slot):
                way, beside = turns(key, self._keys), sibling(key, self._scene.keys)
                self._bursts.suspect(node, way, beside, self._now)

    def _is_suspicious(self, key: RouteKey, slot: float) -> bool:
        if self._sign.suspect:
            return self._now - slot >= self._sign.suspect
        if self._sign.is_instant:
            return True
        if self._sign.nats(key.mailbox, self._now - slot) <= 0.0:
            return False
        least = min(SUSPICIOUS, 0.9 * self._sign.nats(key.mailbox, LONG))
        return self._seen.reaches_on(key, least, self._now)

    def _differing(self, margin: Margin) -> Sequence[RouteKey]:
        """Where the best explanations differ."""
        keys = [route.key for route in self._scene.struck]
        if margin.over_wider < MARGIN:
            return [route.key for route in self._scene.beside] or keys
        failed = {one.key.node for one in self._seen.failed}
        return [key for key in keys if key.node not in failed] or keys

    # ---- once it is named

    def _follow(self, case: Case) -> None:
        """See whether it may page, or seems to be over: only where a share fails it takes long."""
        self._recheck(case)
        case.update(self._found, self._now, self._scene.threshold)
        if case.is_over(self._now):
            self._case, self._found = None, Assessment()
            self._seen = Evidence(self._scene, self._sign)

    def _recheck(self, case: Case) -> None:
        if self._now - case.opened >= RECHECKED:
            case.rechecked = math.inf
        elif self._now - case.rechecked >= RECHECK:
            case.rechecked = self._now
            self._turn += 1
            key = self._scene.struck[self._turn % len(self._scene.struck)].key
            self._send(self._bursts.recheck(self._now, key))


def _slots(routes: Sequence[Route], first: float, chance: Random) -> list[tuple[float, int]]:
    """When each route is due next, and its number, as a heap; all but the first are drawn."""
    phases = [first, *(chance.random() for _ in routes[1:])]
    slots = [
        (phase * route.interval, number)
        for number, (phase, route) in enumerate(zip(phases, routes, strict=True))
    ]
    heapq.heapify(slots)
    return slots


def _meetings(scene: Scene, chance: Random) -> Iterator[bool]:
    """Whether a probe comes to the node at fault, where others are behind the same address."""
    start = chance.randrange(scene.balanced)
    for number in count(start):
        turn = chance.randrange(scene.balanced) if scene.by_chance else number % scene.balanced
        yield turn == 0


def rehearsed(scene: Scene, sign: Sign, runs: int) -> Iterator[Times]:
    """So many rehearsals; what is drawn in them is always the same."""
    for number in range(runs):
        chance = Random(number)
        yield Rehearsal(scene, sign, chance=chance, first=(number + 0.5) / runs).play()
