"""The account of every probe: one verdict each, whatever comes, in whatever order.

The ledger is told what happened and answers with what that changes. It reads no clock and does
no I/O; the engine saves, counts and logs what it answers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import replace

from probe.core.attic import Attic, Shelf
from probe.core.change import Arrived, Change, Copied, Event, GaveUp, Judged, Returned, Sent
from probe.core.level import Levels
from probe.core.model import (
    Attempt,
    Bounce,
    Phase,
    Reason,
    RouteKey,
    Sighting,
    Timeouts,
    UnknownCause,
)
from probe.core.outcome import limit_reason, over_limit, reason_of
from probe.core.record import Bad, Record, Unknown, Verdict
from probe.core.sight import Sight
from probe.core.submission import Submission
from probe.core.verdict import of_arrival, of_cut, of_silence

MOST = 50_000  # Open records in memory, some 1 KB each; beyond it the oldest go to the attic.
AT_ONCE = 1000  # Records that one tick judges of a mailbox, that nothing waits for it for long.


class Ledger:
    """All probes that are not settled."""

    def __init__(self, sights: dict[str, Sight], *, most: int = MOST) -> None:
        """`sights`: what could be seen of each mailbox, kept up to date by the caller.

        `most`: how many records are held one by one, if they can be judged.
        """
        self.levels = Levels()
        self._sights = sights
        self._most = most
        self._attic = Attic()
        self._open: dict[int, Record] = {}
        self._submissions: dict[int, Submission] = {}
        self._due: dict[str, list[tuple[float, int]]] = {name: [] for name in sights}
        self._end: dict[str, list[tuple[float, int]]] = {name: [] for name in sights}

    @property
    def sights(self) -> Mapping[str, Sight]:
        """What could be seen of each mailbox."""
        return self._sights

    def watch(self, mailbox: str, sight: Sight) -> None:
        """A mailbox is read from now on, or is another than before."""
        self._sights[mailbox] = sight
        self._due.setdefault(mailbox, [])
        self._end.setdefault(mailbox, [])

    def unwatch(self, mailbox: str) -> None:
        """A mailbox is not read any more. What was on its way to it has been dismissed."""
        for table in (self._sights, self._due, self._end):
            table.pop(mailbox, None)

    def __len__(self) -> int:
        """How many records it holds."""
        return len(self._open)

    def reads(self, mailbox: str) -> bool:
        """Whether what goes to this mailbox can be waited for."""
        return mailbox in self._sights

    def get(self, sequence: int) -> Record | None:
        """An open record."""
        return self._open.get(sequence)

    # ---- the way in

    def restore(self, record: Record, cause: UnknownCause | None = None) -> Change:
        """Take over what the last run left open; with a cause it can never be judged.

        A submission that we were killed in may have been accepted or not: its message is waited
        for, and if it does not come that says nothing.
        """
        if not record.ended:
            record = record.cut_off()
        if not self.reads(record.probe.route.mailbox):
            record = replace(record, lost=record.arrived is None)
        change = self._awaited(record)
        if cause is not None:
            return self._judge(record, Unknown(cause))
        if (verdict := of_cut(record)) is not None:
            return self._judge(record, verdict)
        return change

    def dismiss(self, gone: Callable[[RouteKey], bool]) -> list[Change]:
        """These routes are no more: what is undecided stays so, and nothing is waited for.

        A submission that is under way comes to its end; what it says judges nothing.
        """
        for lapse in self._attic.dismiss(gone):
            self.levels.lapse(lapse)
        cause = Unknown(UnknownCause.CONFIG)
        return [
            self._judge(replace(record, lost=record.lost or record.arrived is None), cause)
            for record in [*self._open.values()]
            if gone(record.probe.route)
        ]

    def launched(self, record: Record, timeouts: Timeouts) -> None:
        """A probe is in the journal and about to be submitted."""
        self._submissions[record.probe.sequence] = Submission(timeouts)
        self.levels.of(record.probe.route).submitting += 1
        self._keep(record)

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        """A submission has come to a phase, or pauses (None)."""
        if (submission := self._submissions.get(sequence)) is not None:
            submission.enter(phase, moment)

    def submitted(
        self, sequence: int, attempt: Attempt, *, learned: str = "", moot: bool = False
    ) -> list[Change]:
        """A submission has ended; `learned` is the node that it went to, where a greeting told.

        `moot`: how it ended says nothing of the relay, so that it is no failure either.
        """
        submission = self._left_off(sequence)
        record = replace(self._open[sequence], ended=True, learned=learned)
        reason = reason_of(attempt)
        match reason:
            case None:
                change = self._accepted(record, attempt, submission)
            case Reason.ACK_LOST:
                record = replace(record, accepted=attempt.dot, ack_lost=True)
                change = self._awaited(record)
            case _:
                verdict = Unknown(UnknownCause.PROBER) if moot else Bad(reason)
                change = self._judge(record, verdict)
        return self._followed(change, submission)

    def abandoned(self, sequence: int) -> list[Change]:
        """Something of ours broke in the middle of a submission: what came of it is not known."""
        if sequence not in self._submissions:
            return []
        self._left_off(sequence)
        record = replace(self._open[sequence], ended=True)
        return [self._judge(record, Bad(Reason.PROBER_ERROR))]

    def interrupted(self, sequence: int) -> list[Change]:
        """A submission was cut off by us: whether the relay has taken the message is not known."""
        if sequence not in self._submissions:
            return []
        submission = self._left_off(sequence)
        record = self._open[sequence]
        change = self._awaited(record.cut_off() if record.undecided else record)
        return self._followed(change, submission)

    def _left_off(self, sequence: int) -> Submission:
        self.levels.of(self._open[sequence].probe.route).submitting -= 1
        return self._submissions.pop(sequence)

    def _accepted(self, record: Record, attempt: Attempt, submission: Submission) -> Change:
        record = self._awaited(replace(record, accepted=attempt.ended)).record
        change = Change(record, (Sent(),))
        slow = over_limit(attempt, submission.timeouts)
        if slow is None:
            return change
        judged = self._judge(record, Bad(limit_reason(slow) or Reason.TIMEOUT))
        return Change(judged.record, change.events + judged.events)

    # ---- the way out

    def sighted(self, sighting: Sighting, record: Record) -> Change:
        """A message of ours was found; `record` is what is known of it, here or in the journal."""
        sequence = record.probe.sequence
        record = self._recalled(record)
        record, known = record.placed(sighting.place)
        if known:
            self._keep(record)
            return Change(record, ())
        if (submission := self._submissions.get(sequence)) is not None:
            submission.sightings += (sighting,)
            record = replace(record, arrived=record.arrived or sighting.seen)
            self._keep(record)
            return Change(record, ())
        if record.arrived is not None:
            self._keep(record)
            return Change(record, (Copied(sighting),))
        return self._arrived(record, sighting)

    def _followed(self, change: Change, submission: Submission) -> list[Change]:
        """The end of a submission, and what was seen or returned before it."""
        changes = [change]
        for number, sighting in enumerate(submission.sightings):
            record = changes[-1].record
            copy = Change(record, (Copied(sighting),))
            changes.append(copy if number else self._arrived(record, sighting))
        record = changes[-1].record
        if record.bounced and record.undecided:
            changes.append(self._judge(record, Bad(Reason.BOUNCED)))
        return changes

    def _arrived(self, record: Record, sighting: Sighting) -> Change:
        route, accepted = record.probe.route, record.since
        seconds = max(0.0, sighting.seen - accepted)
        record = replace(record, arrived=sighting.seen)
        if sight := self._sights.get(route.mailbox):  # It may have gone in the meantime.
            sight.came((route.relay, record.node), accepted, sighting.seen)
        arrived = Arrived(sighting, seconds, late=seconds > record.probe.deadline)
        if not record.undecided:
            self._keep(record)
            return Change(record, (arrived,))
        verdict = of_arrival(record, sighting, self._sights[route.mailbox])
        change = self._judge(record, verdict)
        return Change(change.record, (arrived, *change.events))

    def bounced(self, bounce: Bounce, record: Record) -> Change:
        """A DSN came about a probe. Only one that says `failed` ends it."""
        if bounce.action != "failed":
            return Change(self._open.get(record.probe.sequence, record), (Returned(bounce),))
        record, known = self._recalled(record).placed(bounce.place)
        if known:
            return Change(record, ())
        record = replace(record, bounced=True)
        if not record.undecided or record.probe.sequence in self._submissions:
            self._keep(record)
            return Change(record, (Returned(bounce),))
        change = self._judge(record, Bad(Reason.BOUNCED))
        return Change(change.record, (Returned(bounce), *change.events))

    # ---- time

    def tick(self, now: float) -> list[Change]:
        """What the passing of time decides: phases over their limit, deadlines, give-ups."""
        changes = [
            self._judge(self._open[sequence], Bad(reason))
            for sequence, submission in self._submissions.items()
            if (reason := submission.too_slow(now)) and self._open[sequence].undecided
        ]
        for mailbox, sight in self._sights.items():
            if (proof := sight.proof) is not None:
                changes += self._passed_deadline(mailbox, proof)
                changes += self._passed_give_up(mailbox, proof)
        if len(self._open) > self._most:
            changes += self._shelve(now)
        return changes

    def lapse(self) -> list[Shelf]:
        """What in the attic is to be given up: it is no longer waited for."""
        shelves = []
        for mailbox, sight in self._sights.items():
            if (proof := sight.proof) is not None:
                shelves += self._attic.due(mailbox, proof)
        for shelf in shelves:
            for lapse in shelf.lapses.values():
                self.levels.lapse(lapse)
        return shelves

    def _passed_deadline(self, mailbox: str, proof: float) -> list[Change]:
        changes = []
        for found in self._pop(self._due[mailbox], proof):
            record = replace(found, overdue=True, lost=not found.ended)
            self._keep(record)
            changes.append(self._judge(record, of_silence(record, self._sights[mailbox])))
            if record.in_flight and record.accepted is not None:
                end = record.accepted + record.probe.give_up
                heapq.heappush(self._end[mailbox], (end, record.probe.sequence))
        return changes

    def _passed_give_up(self, mailbox: str, proof: float) -> list[Change]:
        changes = []
        for found in self._pop(self._end[mailbox], proof):
            record = replace(found, lost=True)
            self._keep(record)
            changes.append(Change(record, (GaveUp(),)))
        return changes

    def _pop(self, heap: list[tuple[float, int]], proof: float) -> list[Record]:
        found: list[Record] = []
        while heap and heap[0][0] <= proof and len(found) < AT_ONCE:
            record = self._open.get(heapq.heappop(heap)[1])
            if record is not None and record.in_flight:
                found.append(record)
        return found

    # ---- the table

    def _awaited(self, record: Record) -> Change:
        """The record, in the table; if it is in flight its deadline is watched from now on."""
        self._keep(record)
        if record.in_flight and record.accepted is not None:
            probe = record.probe
            due = self._due[probe.route.mailbox]
            heapq.heappush(due, (record.accepted + probe.deadline, probe.sequence))
        return Change(record, ())

    def _shelve(self, now: float) -> list[Change]:
        """Move the oldest overdue records to the attic, until the rest is not too many.

        In a blind mailbox what is past its deadline waits for no other verdict than unknown: it
        is given now, or the length of an outage would be the only bound.
        """
        changes = []
        for mailbox, sight in self._sights.items():
            if sight.blind:
                changes += self._passed_deadline(mailbox, now)
        while len(self._open) > self._most and any(self._end.values()):
            _, sequence = heapq.heappop(max(self._end.values(), key=len))
            record = self._open.get(sequence)
            if record is not None and record.in_flight:
                self._attic.put(record)
                self.levels.shelve(record)
                del self._open[sequence]
        return changes

    def _recalled(self, record: Record) -> Record:
        """A record as the table has it, or one that it had once, from the journal.

        One that is open in the journal only was in the attic, or was given up out of there.
        """
        sequence = record.probe.sequence
        if (known := self._open.get(sequence)) is not None:
            return known
        if record.settled:
            return record
        if self._attic.take(record):
            self._open[sequence] = record
            self.levels.of(record.probe.route).shelved -= 1
            return record
        return replace(record, lost=True, verdict=record.verdict or Unknown(UnknownCause.PROBER))

    def _judge(self, record: Record, verdict: Verdict) -> Change:
        """The record with its verdict, unless it has one: each probe is judged once."""
        events: tuple[Event, ...] = ()
        if record.undecided:
            record, events = replace(record, verdict=verdict), (Judged(verdict),)
        self._keep(record)
        return Change(record, events)

    def _keep(self, record: Record) -> None:
        sequence = record.probe.sequence
        self.levels.replace(self._open.get(sequence), record)
        if record.settled and sequence not in self._submissions:
            self._open.pop(sequence, None)
        else:
            self._open[sequence] = record
