"""What a rehearsal has seen of its fault, and how well the truth explains that."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from probe.core.detection.assessment import LEAST_FACTS, LEAST_FAILURES
from probe.core.detection.localise import SHARES
from probe.core.detection.naming import UNANSWERED
from probe.core.detection.observation import EVERYBODY, Weight
from probe.core.model import RouteKey
from probe.core.planning.ailment import Ailment, Sign, nats
from probe.core.planning.scene import Scene

_MOST_PARTS = 4  # Components that an explanation has at most.


@dataclass(frozen=True, slots=True)
class Failed:
    """A probe that met the fault."""

    slot: float  # When it was launched (s).
    key: RouteKey


@dataclass(frozen=True, slots=True)
class Margin:
    """By how much the truth explains what was seen better than others do (nats)."""

    over_wider: float  # The next wider component.
    over_parts: float  # A few nodes of what is at fault.

    @property
    def least(self) -> float:
        """Over the best of the others."""
        return min(self.over_wider, self.over_parts)


class Evidence:
    """What has been seen since the sum of evidence was 0 for the last time."""

    def __init__(self, scene: Scene, sign: Sign) -> None:
        """Nothing has been seen yet."""
        self.failed: list[Failed] = []  # In the order of their slots.
        self._scene, self._sign = scene, sign
        self._good = 0  # Successes of what is at fault,
        self._extra = 0  # and confirmation probes beside it.
        self._settled = 0.0  # nats of what does not grow with its age.

    def fail(self, slot: float, key: RouteKey) -> None:
        """A probe has met the fault."""
        self.failed.append(Failed(slot, key))
        if self._sign.is_instant:
            self._settled += self._sign.nats(key.mailbox, 0.0)

    def succeed(self) -> None:
        """One of what is at fault has come all the same: the sum falls, at most to 0."""
        if self.failed:
            self._good += 1
            self._settled += nats(0.0)
            if self._settled <= 0.0:
                self.failed.clear()
                self._good, self._extra, self._settled = 0, 0, 0.0

    def pass_by(self) -> None:
        """One has come that was sent beside what is at fault."""
        self._extra += bool(self.failed)

    def reaches(self, least: float, now: float) -> bool:
        """Whether the sum is so high (nats)."""
        if self._sign.is_instant:
            return self._settled >= least
        return self._adds_up_to(least, self.failed, now)

    def reaches_on(self, key: RouteKey, least: float, now: float) -> bool:
        """Whether the sum of one route is so high (nats)."""
        return self._adds_up_to(least, (one for one in self.failed if one.key == key), now)

    def _adds_up_to(self, least: float, failed: Iterable[Failed], now: float) -> bool:
        """The oldest count most: mostly a few of them tell."""
        aged = (self._sign.nats(one.key.mailbox, now - one.slot) for one in failed)
        return any(total >= least for total in accumulate(aged))

    def is_alarm(self, now: float) -> bool:
        """Whether the threshold is reached, and supported well enough to name anybody."""
        if not self.failed or not self.reaches(self._scene.threshold, now):
            return False
        alone = UNANSWERED if self._sign.ailment is Ailment.CUT_OFF else 0.0
        if now - self.failed[0].slot < max(alone, self._sign.clear):
            return False
        sign = self._sign
        clear = [
            one.slot for one in self.failed if sign.is_failure(one.key.mailbox, now - one.slot)
        ]
        if sign.ailment.is_fact:
            return len(clear) >= LEAST_FACTS
        return len(clear) >= LEAST_FAILURES and len({int(slot) for slot in clear}) > 1

    def margin(self, now: float) -> Margin:
        """How sure it is what is at fault."""
        aged = ((one.key.mailbox, now - one.slot) for one in self.failed)
        weights = Counter(odds for box, age in aged if (odds := self._sign.odds(box, age)))
        return Margin(self._over_wider(weights, now), self._over_parts(weights))

    def _over_wider(self, weights: Counter[float], now: float) -> float:
        """The wider component has all successes beside the truth to explain as well."""
        if not self._scene.beside and self._scene.balanced == 1:
            return math.inf
        well = self._extra + self._scene.rate_beside * (now - self.failed[0].slot)
        own = [
            sum(count * _vector(odds)[place] for odds, count in weights.items())
            + self._good * success
            for place, success in enumerate(_vector(0.0))
        ]
        wider = [one + well * success for one, success in zip(own, _vector(0.0), strict=True)]
        known = len(self.failed) + self._good
        return max(own) - max(wider) + 0.5 * math.log((known + well) / known)

    def _over_parts(self, weights: Counter[float]) -> float:
        """A few nodes leave the failures of the others unexplained, or cost more to assume."""
        nodes = self._scene.faulty_nodes
        if nodes == 1:
            return math.inf
        failed = Counter((one.key.relay, one.key.node) for one in self.failed)
        ranked = [count for _, count in failed.most_common()]
        most = min(_MOST_PARTS, nodes - 1)
        saved = math.log(4.0 * self._scene.hypotheses) * (len(ranked[:most]) - 1)
        sizes = sum(map(math.log, ranked[:most])) - math.log(sum(ranked))
        return _vector(max(weights))[-1] * sum(ranked[most:]) + saved + 0.5 * sizes


@lru_cache(maxsize=1024)
def _vector(odds: float) -> tuple[float, ...]:
    """What a probe with these odds counts for each share that may be failing (nats)."""
    return tuple(Weight(EVERYBODY, odds).nats(share) for share in SHARES)
