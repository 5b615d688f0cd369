"""The observations of the last hour, kept true while more becomes known of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import islice
from typing import assert_never

from probe.core.authenticity import Authenticity, Proof
from probe.core.change import Arrived, Change, Copied, GaveUp, Judged, Returned, Sent, Vouched
from probe.core.component import Component, Fault, fault_of
from probe.core.detection.answers import Answers
from probe.core.detection.baseline import Baselines
from probe.core.detection.ending import BEFORE_220, ended_well, failure_of, words_of
from probe.core.detection.filing import Filing
from probe.core.detection.fullness import Fullness
from probe.core.detection.lesson import Lesson, Lessons
from probe.core.detection.observation import (
    EVERYBODY,
    MAILBOX_ONLY,
    SUCCESS,
    TAKEN,
    Failure,
    Observation,
    Weight,
    blamed,
)
from probe.core.detection.throttling import Throttling
from probe.core.detection.topology import names_of
from probe.core.model import Attempt, Break, Phase, Probe, Reason, RouteKey
from probe.core.outcome import evidence, is_too_much, reason_of, slowness
from probe.core.quota import says_full
from probe.core.reach import Reach
from probe.core.record import Bad, Good, Record, Unknown
from probe.core.sight import Sight

KEPT = 3600.0  # s
MOST = 20_000  # Observations.
ABNORMAL = 0.001  # The share of mail that is slower than what still counts as on time.
SELDOM = 0.02  # The same, of mail through a component that is known to be at fault.

_FACTS = frozenset(
    {
        Fault.BOUNCING,
        Fault.MISFILING,
        Fault.DUPLICATING,
        Fault.ALTERING,
        Fault.UNAUTHENTICATED,
    }
)


class History:
    """Turns what happens to probes into observations."""

    def __init__(self, sights: Mapping[str, Sight], baselines: Baselines, lessons: Lessons) -> None:
        """`sights`: what could be seen of each mailbox, kept up to date by the caller."""
        self.slow_after = 5.0  # s over its normal that a phase is slow.
        self.fact_odds = 1e6
        self.observations: list[Observation] = []  # In the order of their slots.
        self.filed = Filing()
        self.submitting: dict[int, Observation] = {}
        self.amended = False  # One that was settled counts otherwise now.
        self.answers = Answers()
        self._fullness = Fullness(sights)
        self._throttling = Throttling()
        self.proven: set[Component] = set()  # All through which a probe has come on time.
        self._proven_ways: set[RouteKey] = set()
        self._known: dict[int, Observation] = {}
        self._sights = sights
        self._baselines = baselines
        self._lessons = lessons

    # ---- what happens

    def launched(self, probe: Probe) -> None:
        """A probe is about to be submitted."""
        one = Observation(
            probe.sequence,
            probe.route,
            probe.launched,
            probe.deadline,
            scheduled=not probe.confirmation,
        )
        self.observations.append(one)
        self.filed.add(one)
        self._known[probe.sequence] = self.submitting[probe.sequence] = one
        self._throttling.launched(probe)

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        """A submission has come to a phase, or pauses (None)."""
        if (one := self.submitting.get(sequence)) is not None:
            # Past DNS says nothing: the name may have been known here.
            if one.phase is Phase.CONNECT and phase is not None:
                self.answers.from_relay(moment)
            one.phase, one.since = phase, moment

    def attempted(self, sequence: int, attempt: Attempt, learned: str) -> None:
        """A submission has ended; `learned` is the node that its greeting told."""
        one = self.submitting.pop(sequence, None)
        if one is None:
            return
        one.phase = None
        if learned and learned != one.key.node:
            one.key = replace(one.key, node=learned)
            self.filed.add(one)
        if attempt.reply is not None or attempt.broken is Break.REFUSED:
            self.answers.from_relay(attempt.ended)
        self._time(one, attempt)
        if is_too_much(attempt) and one.scheduled:
            self._throttling.refused(one)
        reason = reason_of(attempt)
        if reason is None or reason is Reason.ACK_LOST:
            one.accepted = attempt.dot if reason else attempt.ended
            one.reply = evidence(attempt)
            self._throttling.taken(one)
            self._slow(one, attempt)
        elif is_too_much(attempt) and self._throttling.excuses(one):
            one.failure = None
        elif (failure := failure_of(reason, attempt)) is not None:
            self._fail(one, failure, attempt.ended)
        if one.judged:
            self._settle(one)

    def dropped(self, sequence: int) -> None:
        """A submission was cut off by us, or says nothing: there is nothing more to be told."""
        if (one := self.submitting.pop(sequence, None)) is not None:
            one.phase = None
            if one.judged:
                self._settle(one)

    def changed(self, change: Change) -> None:
        """The ledger has decided something."""
        one = self._known.get(change.record.probe.sequence)
        if one is None:
            return
        for event in change.events:
            match event:
                case Arrived(sighting):
                    one.arrived = sighting.seen
                    if one.accepted is not None:
                        self._fullness.came(one.key, one.accepted, sighting.seen)
                case Copied(sighting):
                    self._copied(one, sighting.seen)
                case Returned(bounce):
                    one.report = f"{bounce.status} {bounce.text}".strip()
                    one.full = says_full(bounce.status)
                case Judged(verdict):
                    self._judged(one, change.record, verdict)
                case Vouched(authenticity):
                    self._vouched(one, authenticity)
                case Sent() | GaveUp():
                    pass
                case never:
                    assert_never(never)

    def fill(self, full: AbstractSet[str], now: float) -> None:
        """These mailboxes are known to be full."""
        if self._fullness.follow(full, now, self.observations):
            self.amended = True

    def resolved(self, moment: float, reach: Reach) -> None:
        """A DNS server so far away has answered us."""
        if self.answers.from_resolver(moment, reach):
            self.amended = True

    def forget(self, now: float) -> int:
        """Let go of what is too old, or too much; how many observations that were."""
        excess = len(self.observations) - MOST
        count = 0
        for one in self.observations:
            if count >= excess and one.slot >= now - KEPT:
                break
            count += 1
        if count < 64 and count < len(self.observations):  # In batches.
            return 0
        for one in self.observations[:count]:
            self._known.pop(one.sequence, None)
            self.submitting.pop(one.sequence, None)
            self.filed.remove(one)
        del self.observations[:count]
        return count

    def keep(self, routes: AbstractSet[RouteKey]) -> None:
        """These are all that there are now; of what is gone it need not be known that it worked."""
        self._proven_ways &= routes
        self._throttling.keep({(key.relay, key.node) for key in routes})
        self.proven &= {name for key in routes for name in names_of(key)}

    def since(self, moment: float) -> Iterator[Observation]:
        """Those launched since then, oldest first."""
        first = bisect_left(self.observations, moment, key=lambda one: one.slot)
        return islice(self.observations, first, None)

    # ---- what it counts

    def weigh(self, one: Observation, now: float) -> Weight | None:
        """What it counts at this moment; None: nothing."""
        if self._fullness.excuses(one):
            return TAKEN
        if one.settled:
            return one.weight
        if one.failure is not None:
            return self._odds(one.failure, one)
        if one.accepted is not None:
            return self._awaited(one, now)
        if one.phase is not None and now - one.since > self.limit(one):
            return Weight(blamed(one.phase), 1.0 / self._baselines.failing_share(one.key.relay))
        return None

    def rests(self, one: Observation) -> bool:
        """Whether it counts as taken as long as its mailbox is blind, unless it fails otherwise."""
        sight = self._sights.get(one.key.mailbox)
        return (
            one.accepted is not None and one.failure is None and sight is not None and sight.blind
        )

    def blame(self, one: Observation, now: float) -> Weight | None:
        """As `weigh`, where its component is known to be at fault.

        What came in time, but later than it should, says nothing by itself: the tail of a
        distribution is longer than what one knows of it. Of a component at fault it says more.
        """
        if one.settled and one.dawdled and one.failure is None and not self._fullness.excuses(one):
            return Weight(EVERYBODY, 1.0 / self._baselines.failing_share(one.key.relay))
        return self.weigh(one, now)

    def limit(self, one: Observation) -> float:
        """How long the phase that it is in may take before it is slow (s)."""
        if one.phase is None or one.phase is Phase.QUIT:
            return float("inf")
        key = one.key
        return self._baselines.normal(key.relay, key.node, one.phase) + self.slow_after

    def tail(self, one: Observation) -> float:
        """The age that arriving mail on its way hardly exceeds (s)."""
        return self._baselines.age(one.key.relay, one.key.mailbox, ABNORMAL)

    def _awaited(self, one: Observation, now: float) -> Weight | None:
        """By the age that it had when its mailbox was last read for certain."""
        sight = self._sights.get(one.key.mailbox)
        if sight is None or sight.proof is None or one.accepted is None:
            return TAKEN
        if sight.void((one.key.relay, one.key.node), one.accepted, now) is not None:
            return TAKEN
        age = sight.proof - one.accepted
        if age <= 0.0:
            return None
        least = self._baselines.failing_share(one.key.relay)
        arriving = self._baselines.outstanding(one.key.relay, one.key.mailbox, age)
        return Weight(EVERYBODY, 1.0 / (least + (1.0 - least) * arriving))

    def _odds(self, failure: Failure, one: Observation) -> Weight:
        usual = 1.0 / self._baselines.failing_share(one.key.relay)
        odds = max(usual, self.fact_odds) if failure.is_fact else usual
        return Weight(failure.blames, odds)

    # ---- what follows

    def _fail(self, one: Observation, failure: Failure, now: float) -> None:
        if one.failure is None or one.failure.fault is not failure.fault:
            one.known = now
        one.failure = failure
        if failure.is_nameless:
            self.answers.nameless(one)
        self.amended = self.amended or one.resting

    def _slow(self, one: Observation, attempt: Attempt) -> None:
        """It was taken; whether that took too long."""
        for timed in attempt.phases:
            if timed.phase is Phase.QUIT:
                continue
            if timed.seconds <= self.slow_after:
                continue
            normal = self._baselines.normal(one.key.relay, one.key.node, timed.phase)
            if timed.seconds > normal + self.slow_after:
                text = slowness(attempt, timed.phase)
                self._fail(one, Failure(Fault.SLOW, blamed(timed.phase), text), attempt.ended)
                return
        if one.failure is not None and one.failure.fault is Fault.UNREACHABLE:
            # It seemed to be so; but then it answered after all.
            self._fail(one, replace(one.failure, fault=Fault.SLOW), attempt.ended)

    def _time(self, one: Observation, attempt: Attempt) -> None:
        well = (timed for timed in attempt.phases if ended_well(timed.phase, attempt))
        one.times = tuple((timed.phase, timed.seconds) for timed in well)

    def _copied(self, one: Observation, seen: float) -> None:
        if one.copied:
            return
        one.copied = True
        text = "a second copy arrived"
        self._amend(one, Failure(Fault.DUPLICATING, EVERYBODY, text, is_fact=True), seen)

    def _vouched(self, one: Observation, authenticity: Authenticity) -> None:
        """It arrived; whether it could be authenticated. What it failed by before stays."""
        if authenticity.proof is not Proof.FAILS or one.arrived is None:
            return
        text = "; ".join(authenticity.evidence)
        failure = Failure(Fault.UNAUTHENTICATED, EVERYBODY, text, is_fact=True)
        if one.failure is not None:
            failure = replace(one.failure, text=f"{one.failure.text}; {text}")
        self._amend(one, failure, one.arrived)

    def _amend(self, one: Observation, failure: Failure, moment: float) -> None:
        """It failed after all, or in another way, as became known at this moment."""
        self._fail(one, failure, moment)
        one.known = moment
        if one.settled:
            self.amended = True
            one.weight = self._odds(failure, one)

    def _judged(self, one: Observation, record: Record, verdict: Good | Bad | Unknown) -> None:
        one.judged = True
        match verdict:
            case Good():
                age = (record.arrived or 0.0) - record.since
                one.on_time = age <= self.tail(one)
                one.dawdled = age > self._baselines.age(one.key.relay, one.key.mailbox, SELDOM)
            case Bad(reason):
                self._judged_bad(one, record, reason)
            case Unknown():
                pass
        if one.sequence not in self.submitting:
            self._settle(one)

    def _judged_bad(self, one: Observation, record: Record, reason: Reason) -> None:
        greeted = one.phase not in BEFORE_220
        if one.failure is None or reason in (Reason.OVERDUE, Reason.BOUNCED):
            full = reason is Reason.BOUNCED and one.full
            fault = Fault.FULL if full else fault_of(reason, greeted=greeted)
            if fault is not None:
                blames = EVERYBODY if one.phase is None else blamed(one.phase)
                blames = MAILBOX_ONLY if full else blames
                fact = fault in _FACTS
                words = words_of(reason, one, record)
                failure = Failure(
                    fault,
                    blames,
                    words,
                    is_fact=fact,
                    is_local=one.phase in (Phase.DNS, Phase.CONNECT),  # It is still waited for.
                    is_nameless=one.phase is Phase.DNS,
                )
                moment = record.arrived if record.arrived is not None else one.since
                self._fail(one, failure, max(moment, record.since + self._lasted(one, reason)))

    def _lasted(self, one: Observation, reason: Reason) -> float:
        return one.deadline if reason in (Reason.OVERDUE, Reason.ACK_LOST) else 0.0

    def _settle(self, one: Observation) -> None:
        """Nothing changes it any more, but for a copy."""
        one.settled = True
        if self._fullness.excuses(one):
            one.weight, one.dawdled = TAKEN, False
        elif one.failure is not None:
            one.weight = self._odds(one.failure, one)
        elif one.arrived is not None:
            # Of one that a blind mailbox held back it is still known that the relay took it.
            slow = None if one.dawdled else TAKEN
            one.weight = SUCCESS if one.on_time else slow
            if one.key not in self._proven_ways:
                self._proven_ways.add(one.key)
                self.proven.update(names_of(one.key))
        else:
            one.weight = TAKEN if one.accepted is not None else None
        self.amended = self.amended or (one.resting and one.weight != TAKEN)
        self._lessons.add(one.key.relay, self._lesson(one))

    def _lesson(self, one: Observation) -> Lesson:
        failure, delay = one.failure, None
        dated = one.on_time or one.dawdled  # Else nobody looked when it came.
        if dated and one.arrived is not None and one.accepted is not None and failure is None:
            delay = max(0.0, one.arrived - one.accepted)
        judged = one.weight is not None and one.weight is not TAKEN
        failed = failure is not None and not failure.is_fact and failure.blames != MAILBOX_ONLY
        return Lesson(
            slot=one.slot,
            failed=failed if one.scheduled and judged else None,
            mailbox=one.key.mailbox,
            delay=delay,
            node=one.key.node,
            times=one.times,
        )
