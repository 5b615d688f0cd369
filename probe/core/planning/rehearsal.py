"""A fault, rehearsed: when it is named and confirmed, from one beginning or from many.

It is the detector in small. Threshold, margin, weights, confirmation probes and the times that they
take are the detector's own; what is left out is what hardly matters for the time that it takes:
failures for no reason, delays of submission, and explanations other than the next wider component
and parts of the one at fault.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, cycle, islice
from random import Random

from probe.core.detection.assessment import LEAST_FAILURES
from probe.core.detection.burst import Bursts
from probe.core.detection.case import STEADY
from probe.core.detection.cases import MARGIN, QUIET
from probe.core.detection.localise import is_clear
from probe.core.detection.naming import UNANSWERED
from probe.core.detection.observation import EVERYBODY, Weight
from probe.core.detection.wish import RECHECK, RECHECKED, SUSPICIOUS
from probe.core.limits import MINUTE
from probe.core.model import RouteKey
from probe.core.planning.ailment import LONG, Ailment, Sign, confirmed
from probe.core.planning.scene import SUCCESS, Evidence, Margin, Scene, margin_of, nats

PATIENCE = 7200.0  # s after which a rehearsal is given up.
LULL = 2.0  # s without any probe after which it takes one for anything to change.
LOOK = 0.5  # s between two looks of the detector.
WELL = 7  # Successes in a row that close a case which was never confirmed and is quiet.


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
        self._now, self._opened, self._active = 0.0, math.inf, -math.inf
        self._named = self._confirmed = math.inf
        phases = [first, *(chance.random() for _ in scene.struck[1:])]
        self._slots = [
            (phase * route.interval, number)
            for number, (phase, route) in enumerate(zip(phases, scene.struck, strict=True))
        ]
        heapq.heapify(self._slots)
        self._keys = {route.key for route in scene.struck}
        start = chance.randrange(scene.balanced)
        self._turns = islice(cycle(range(scene.balanced)), start, None)
        self._bursts = Bursts()
        self._nodes = sorted({(r.key.relay, r.key.node) for r in (*scene.struck, *scene.beside)})
        self._newest: dict[RouteKey, tuple[float, bool]] = {}
        self._seen = Evidence()
        self._sent: deque[float] = deque()
        self._failing = False
        self._runs: Counter[str] = Counter()
        self._separate, self._last_failed, self._good_since = 0.0, -math.inf, 0
        self._steady, self._rechecked, self._turn = math.inf, -math.inf, 0

    def play(self) -> Times:
        """The whole of it."""
        while self._now < PATIENCE:
            self._advance()
            self._launch_due()
            self._look()
            if self._sign.ailment.share == 1.0 and self._is_open:
                first = min(slot for slot, _ in self._seen.failed)
                until = confirmed(self._sign.ailment, first=first, named=self._named)
                return Times(self._named, until)
            if self._confirmed < math.inf:
                break
        return Times(self._named, self._confirmed)

    # ---- time

    def _advance(self) -> None:
        """To the next moment at which anything can come of it."""
        due = self._slots[0][0]
        if self._is_open:
            due = min(due, max(self._rechecked + RECHECK, self._now + LOOK))
        elif self._seen.failed and not self._sign.is_instant:
            due = self._now + LOOK
        elif self._scene.per_minute == 0:
            pass  # Nothing comes but what is scheduled.
        elif self._now - self._active <= LULL:
            due = min(due, self._now + LOOK)
        elif self._reaches(self._scene.threshold):  # A cap on confirmation probes may end.
            due = min(due, self._now + RECHECK)
        self._now = max(due, self._now)

    @property
    def _is_open(self) -> bool:
        return self._opened < math.inf

    # ---- probes

    def _launch_due(self) -> None:
        while self._slots[0][0] <= self._now:
            due, number = self._slots[0]
            route = self._scene.struck[number]
            heapq.heapreplace(self._slots, (due + route.interval, number))
            self._launch(route.key)

    def _launch(self, key: RouteKey) -> None:
        if key not in self._keys or not self._is_met():
            self._seen.extra += self._seen.onset < math.inf
            return
        failed = self._chance.random() < self._sign.ailment.share
        self._newest[key] = self._now, failed
        if failed:
            self._fail(key)
        else:
            self._succeed(key)

    def _is_met(self) -> bool:
        """Whether a probe comes to the node at fault, where others are behind the same address."""
        if self._scene.balanced == 1:
            return True
        if self._scene.by_chance:
            return self._chance.randrange(self._scene.balanced) == 0
        return next(self._turns) == 0

    def _fail(self, key: RouteKey) -> None:
        seen = self._seen
        self._active = self._now
        seen.onset = min(seen.onset, self._now)
        seen.failed.append((self._now, key))
        if not self._sign.is_instant:
            return
        value = self._nats(key.mailbox, 0.0)
        seen.nats += value
        if not self._failing and not self._runs[key.node]:
            self._separate += value  # A row of failures is one thing that happened.
        self._failing = True
        self._runs[key.node] += 1
        self._last_failed, self._good_since = self._now, 0

    def _succeed(self, key: RouteKey) -> None:
        self._failing = False
        self._runs[key.node] = 0
        self._good_since += 1
        self._separate = max(0.0, self._separate + SUCCESS)
        seen = self._seen
        if seen.onset == math.inf:
            return
        seen.good += 1
        seen.nats += SUCCESS
        if seen.nats <= 0.0:
            self._seen = Evidence()

    # ---- what the detector does

    def _look(self) -> None:
        if self._is_open:
            self._follow()
            return
        self._suspect()
        if self._is_alarm():
            margin = self._margin()
            if margin.least >= MARGIN:
                self._open()
                return
            self._send(self._bursts.deciding(self._now, self._differing(margin)))
        self._send(self._bursts.due(self._now, self._nodes))

    def _open(self) -> None:
        self._opened = self._rechecked = self._now
        self._named = min(self._named, self._now)
        for node in self._nodes:
            self._bursts.calm(node)

    def _send(self, wanted: Iterator[RouteKey]) -> None:
        most = self._scene.per_minute
        for key in wanted:
            while self._sent and self._sent[0] <= self._now - MINUTE:
                self._sent.popleft()
            if most is None or len(self._sent) < most:
                self._sent.append(self._now)
                self._active = self._now
                self._launch(key)

    def _suspect(self) -> None:
        for key, (slot, failed) in self._newest.items():
            node = key.relay, key.node
            if not failed or slot <= self._bursts.began(node) or not self._is_suspicious(key, slot):
                continue
            own = [r.key for r in self._scene.struck if (r.key.relay, r.key.node) == node]
            place = own.index(key)
            turns = [*own[place:], *own[:place]]
            self._bursts.suspect(node, turns, self._sibling(key), self._now)

    def _is_suspicious(self, key: RouteKey, slot: float) -> bool:
        if self._sign.suspect:
            return self._now - slot >= self._sign.suspect
        if self._sign.is_instant:
            return True
        if self._nats(key.mailbox, self._now - slot) <= 0.0:
            return False
        least = min(SUSPICIOUS, 0.9 * self._nats(key.mailbox, LONG))
        return self._adds_up_to(least, (one for one in self._seen.failed if one[1] == key))

    def _sibling(self, suspect: RouteKey) -> RouteKey | None:
        others = [
            route.key
            for route in (*self._scene.struck, *self._scene.beside)
            if (route.key.sender, route.key.mailbox) == (suspect.sender, suspect.mailbox)
            and (route.key.relay, route.key.node) != (suspect.relay, suspect.node)
        ]
        ranked = sorted(others, key=lambda key: (key.relay != suspect.relay, key <= suspect, key))
        return ranked[0] if ranked else None

    def _nats(self, mailbox: str, age: float) -> float:
        odds = self._sign.odds(mailbox, age)
        return nats(odds) if odds else 0.0

    def _reaches(self, least: float) -> bool:
        """Whether the sum of evidence is so high."""
        if self._sign.is_instant:
            return self._seen.nats >= least
        return self._adds_up_to(least, self._seen.failed)

    def _adds_up_to(self, least: float, failed: Iterable[tuple[float, RouteKey]]) -> bool:
        """The oldest count most: mostly a few of them tell."""
        aged = (self._nats(key.mailbox, self._now - slot) for slot, key in failed)
        return any(total >= least for total in accumulate(aged))

    def _is_alarm(self) -> bool:
        """Whether the sum is reached, and supported well enough to name anybody."""
        alone = UNANSWERED if self._sign.ailment is Ailment.CUT_OFF else 0.0
        if self._now - self._seen.onset < max(alone, self._sign.clear):
            return False
        if not self._reaches(self._scene.threshold):
            return False
        clear = [slot for slot, key in self._seen.failed if self._is_failure(slot, key)]
        if self._sign.ailment.is_fact:
            return len(clear) >= 2
        return len(clear) >= LEAST_FAILURES and len({int(slot) for slot in clear}) >= 2

    def _is_failure(self, slot: float, key: RouteKey) -> bool:
        return self._sign.is_instant or is_clear(
            Weight(EVERYBODY, self._sign.odds(key.mailbox, self._now - slot))
        )

    def _margin(self) -> Margin:
        failed = self._seen.failed
        if self._sign.is_instant:
            weights = Counter({self._sign.odds("", LONG): len(failed)})
        else:
            aged = ((key.mailbox, self._now - slot) for slot, key in failed)
            weights = Counter(odds for box, age in aged if (odds := self._sign.odds(box, age)))
        return margin_of(self._scene, self._seen, weights, self._now)

    def _differing(self, margin: Margin) -> Sequence[RouteKey]:
        """Where the best explanations differ."""
        if margin.over_wider < MARGIN:
            beside = [route.key for route in self._scene.beside]
            return beside or [route.key for route in self._scene.struck]
        failed = {key.node for _, key in self._seen.failed}
        keys = [route.key for route in self._scene.struck]
        return [key for key in keys if key.node not in failed] or keys

    # ---- once it is named

    def _follow(self) -> None:
        """Recheck it, and see whether it may page: only where a share fails it takes long."""
        if self._now - self._opened >= RECHECKED:
            self._rechecked = math.inf
        elif self._now - self._rechecked >= RECHECK:
            self._rechecked = self._now
            self._turn += 1
            key = self._scene.struck[self._turn % len(self._scene.struck)].key
            self._send(self._bursts.recheck(self._now, key))
        if self._separate < self._scene.threshold:
            self._steady = math.inf
        else:
            self._steady = min(self._steady, self._now)
            if self._now - self._steady >= STEADY:
                self._confirmed = self._now
        if self._now - self._last_failed >= QUIET and self._good_since >= WELL:
            self._separate, self._opened, self._steady = 0.0, math.inf, math.inf
            self._seen = Evidence()


def rehearsed(scene: Scene, sign: Sign, runs: int) -> Iterator[Times]:
    """So many rehearsals; what is drawn in them is always the same."""
    for number in range(runs):
        chance = Random(number)
        yield Rehearsal(scene, sign, chance=chance, first=(number + 0.5) / runs).play()
