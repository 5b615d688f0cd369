"""What all that was seen of a component amounts to: its faults, its share, whether it is over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from probe.core.component import CONFIRMED_AFTER, HELD_AFTER, Fault
from probe.core.detection.localise import is_clear
from probe.core.detection.observation import (
    DESIGN_SHARE,
    EVERYBODY,
    TAKEN,
    NodeName,
    Observation,
    Weight,
)
from probe.core.detection.share import failing_share
from probe.core.incident import Share

FRESH = 12.0  # s: the newest failure may be this old where there is reason to page.
LEAST_FAILURES = 3  # So many are needed to name a component, or to page;
LEAST_FACTS = 2  # of what does not just happen, so many are enough.

_CLOSED, _CLOSED_HARD = 7.0, 4.6  # nats of evidence that it is over.
_LEAST_SHARE, MOST_SHARE = 0.08, 0.5  # Between these is the share that the evidence assumes.
_DRAINED = 60.0  # s without a late arrival after which no backlog is draining any more.
_RECENT = 20  # Failures by which the faults are told.
_NOTABLE = 0.1  # Of them this share makes a fault.


@dataclass(slots=True)
class Run:
    """What a node did last."""

    failures: int = 0  # In a row.
    first: float = 0.0  # When the first of them was launched.
    newest: float = 0.0  # When the last of them was known.
    held: bool = True  # All of them were accepted, and did not come.
    good: int = 0  # Successes since the last failure.
    last_failed: float = -math.inf  # When the last that failed was launched.

    def fail(self, watched: Observation, now: float) -> None:
        """One more failure."""
        if not self.failures:
            self.first, self.held = watched.slot, True
        self.failures += 1
        self.held = self.held and _was_held(watched)
        self.good = 0
        self.newest = now if _is_pending(watched) else max(self.newest, watched.known)
        self.last_failed = watched.slot


@dataclass(frozen=True, slots=True)
class Seen:
    """An observation with what it counts at this moment."""

    observation: Observation
    weight: Weight

    @property
    def good(self) -> bool:
        """Whether it came, as quickly as it should."""
        return self.weight.odds == 0.0 and self.weight.blames == EVERYBODY

    @property
    def taken(self) -> bool:
        """Whether the relay took it, and no more can be known of it."""
        return self.weight == TAKEN

    @property
    def fact(self) -> bool:
        """Whether it failed in a way that does not just happen."""
        return self.observation.failure is not None and self.observation.failure.is_fact

    @property
    def dawdled(self) -> bool:
        """Whether it came in time, but slowly: that is none if all goes well again before it."""
        one = self.observation
        return one.settled and one.dawdled and one.failure is None

    @property
    def is_clear_cut(self) -> bool:
        """Whether its submission has ended, well or not, or took longer than it may."""
        return self.observation.failure is not None or self.observation.accepted is not None

    @property
    def failed(self) -> bool:
        """Whether this is hardly how it goes when all is well."""
        return is_clear(self.weight)


@dataclass(slots=True)
class Assessment:
    """What all that was seen of a component amounts to."""

    runs: dict[NodeName, Run] = field(default_factory=dict)  # By node.
    outcomes: list[bool] = field(default_factory=list)  # Whether it failed, in order.
    seen: list[Seen] = field(default_factory=list)  # What counts, well or not, in order.
    failures: list[Seen] = field(default_factory=list)
    separate: float = 0.0  # The sum of evidence (nats), of which each run of failures counts once.
    last_failed: float = -math.inf  # When the last that failed was launched.
    good: int = 0  # Successes launched after it.
    waiting: bool = False  # Something is missing for longer than it should.
    drained: float = -math.inf  # When the last late one arrived.
    missing: int = 0  # Accepted, and not seen yet.
    afterwards: bool = False  # Something has failed after it was accepted.

    @property
    def share(self) -> Share | None:
        """The failing share, without the way back."""
        return failing_share(self.outcomes)

    def faults(self) -> list[Fault]:
        """What is wrong, the most frequent first, by the newest failures."""
        recent = self.failures[-_RECENT:]
        counts = Counter(self._fault(seen) for seen in recent)
        held = [seen.observation for seen in recent if self._fault(seen) is Fault.HOLDING]
        if held and 2 * sum(one.arrived is not None for one in held) >= len(held):
            counts[Fault.LATE] = counts.pop(Fault.HOLDING)
        order = list(Fault)
        notable = [fault for fault, n in counts.items() if n >= _NOTABLE * len(recent)]
        return sorted(notable, key=lambda fault: (-counts[fault], order.index(fault)))

    def _fault(self, seen: Seen) -> Fault:
        if seen.observation.failure is not None:
            return seen.observation.failure.fault
        if seen.observation.accepted is not None:
            return Fault.HOLDING
        slow = (one.observation.failure for one in self.failures)
        answered = any(one is not None and one.fault is Fault.SLOW for one in slow)
        return Fault.SLOW if answered else Fault.UNREACHABLE

    def of(self, fault: Fault, now: float) -> Assessment:
        """The same as if nothing but this fault were wrong; `late` goes as `holding`.

        What is held among other failures may have been accepted just before a restart.
        """
        others = {id(one) for one in self.failures if self._fault(one) is not fault}
        if not others:
            return self
        alone = assess((one for one in self.seen if id(one) not in others), now)
        for node, run in alone.runs.items():
            run.held = run.held and self.runs[node].held
        return alone

    def convicts(self, now: float, threshold: float) -> bool:
        """Whether there is reason to page."""
        return self.persists(now) or self.separate >= threshold

    def persists(self, now: float) -> bool:
        """Whether a node fails without a success for longer than a restart takes."""
        return any(
            run.failures >= LEAST_FAILURES
            and now - run.first >= (HELD_AFTER if run.held else CONFIRMED_AFTER)
            and now - run.newest < FRESH
            for run in self.runs.values()
        )

    def is_over(self, now: float, least: float) -> bool:
        """Whether enough has come through since the last failure, and no backlog is draining.

        `least`: the share that failed at least when it was worst. One more failure on the way
        back, which happens, does not make a hard fault a partial one.
        """
        if self.waiting or (self.missing and now - self.drained < _DRAINED):
            return False
        if any(run.failures for run in self.runs.values()):
            return False
        low = max(least, self.share.low if self.share else 0.0)
        assumed = min(max(low, _LEAST_SHARE), MOST_SHARE)
        needed = _CLOSED_HARD if assumed == MOST_SHARE else _CLOSED
        return -math.log(1.0 - assumed) * self.good >= needed

    def recovered(self) -> list[NodeName]:
        """The nodes that are well again, while others are not."""
        assumed = self.share.low if self.share else 0.0
        if assumed < MOST_SHARE:
            return []
        least = math.ceil(_CLOSED_HARD / -math.log(1.0 - MOST_SHARE))
        well = [node for node, run in self.runs.items() if run.good >= least]
        return well if len(well) < len(self.runs) else []

    def take(self, one: Seen, now: float) -> None:
        """The next one in the order of the slots."""
        watched = one.observation
        run = self.runs.setdefault(watched.node, Run())
        # Where nothing has failed but submissions, one that is taken is all that can be wished for.
        taken = one.taken and not self.afterwards
        well = one.good or taken or (one.dawdled and watched.on_time and run.good)
        if not well and not one.failed:
            return
        if well:
            self._succeed(watched)
        else:
            self._fail(one, run, now)
        self.outcomes.append(not well)
        self.seen.append(one)

    def _fail(self, one: Seen, run: Run, now: float) -> None:
        watched = one.observation
        # A row of failures is one thing that happened; facts are each of their own.
        row = run.failures or (self.outcomes and self.outcomes[-1])
        if one.fact or not row:
            self.separate += one.weight.nats()
        self.failures.append(one)
        self.afterwards = self.afterwards or _is_after_acceptance(watched)
        self.last_failed, self.good = watched.slot, 0
        self.waiting = self.waiting or _is_pending(watched)
        run.fail(watched, now)
        if _was_held(watched) and watched.arrived is not None:
            self.drained = max(self.drained, watched.arrived)
        elif _was_held(watched):
            self.missing += 1

    def _succeed(self, watched: Observation) -> None:
        self.separate = max(0.0, self.separate + math.log(1.0 - DESIGN_SHARE))
        self.good += 1
        # Behind a load balancer it is not known who refused: whoever answers is an answer.
        for name in self.runs.keys() & {watched.node, (watched.key.relay, "")}:
            self.runs[name].failures = 0
            self.runs[name].good += 1


def assess(seen: Iterable[Seen], now: float) -> Assessment:
    """Look at all observations of a component, in the order of their slots."""
    found = Assessment()
    for one in seen:
        found.take(one, now)
    return found


def _is_pending(watched: Observation) -> bool:
    """Whether it is still waited for."""
    return watched.failure is None and not watched.dawdled


def _is_after_acceptance(watched: Observation) -> bool:
    """Whether it failed in a way that its submission does not show."""
    slow = watched.failure is not None and watched.failure.fault is Fault.SLOW
    return watched.accepted is not None and not slow


def _was_held(watched: Observation) -> bool:
    if watched.failure is None:
        return watched.accepted is not None
    return watched.failure.fault is Fault.HOLDING
