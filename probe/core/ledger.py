"""The account of every probe: one verdict each, whatever comes, in whatever order.

The ledger is told what happened and answers with what that changes. It reads no clock and does
no I/O; the engine saves, counts and logs what it answers.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from probe.core.level import Levels
from probe.core.model import (
    Attempt,
    Bounce,
    Folder,
    Phase,
    Place,
    Reason,
    RouteKey,
    Sighting,
    Timeouts,
    UnknownCause,
)
from probe.core.outcome import limit_reason, over_limit, reason_of
from probe.core.record import Bad, Good, Record, Unknown, Verdict
from probe.core.sight import NodeKey, Sight


@dataclass(frozen=True, slots=True)
class Sent:
    """The relay took the message with its final 250."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Arrived:
    """First sighting."""

    sighting: Sighting
    seconds: float  # From acceptance, 0 or more.
    late: bool


@dataclass(frozen=True, slots=True)
class Copied:
    """One more copy."""

    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Returned:
    """A DSN."""

    bounce: Bounce


@dataclass(frozen=True, slots=True)
class GaveUp:
    """It will not be waited for any longer."""


Event = Sent | Judged | Arrived | Copied | Returned | GaveUp


@dataclass(frozen=True, slots=True)
class Change:
    """A probe as it is known now, and what made the difference."""

    record: Record
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Submission:
    """A probe on its way into the relay."""

    timeouts: Timeouts
    phase: Phase | None = None
    since: float = 0.0
    sightings: tuple[Sighting, ...] = ()  # Mail can arrive before the final reply does.


class Ledger:
    """All probes that are not settled."""

    def __init__(self, sights: dict[str, Sight]) -> None:
        """`sights`: what could be seen of each mailbox, kept up to date by the caller."""
        self.levels = Levels()
        self._sights = sights
        self._open: dict[int, Record] = {}
        self._submissions: dict[int, _Submission] = {}
        self._due: dict[str, list[tuple[float, int]]] = {name: [] for name in sights}
        self._end: dict[str, list[tuple[float, int]]] = {name: [] for name in sights}

    def watch(self, mailbox: str, sight: Sight) -> None:
        """A mailbox is read from now on, or is another than before."""
        self._sights[mailbox] = sight
        self._due.setdefault(mailbox, [])
        self._end.setdefault(mailbox, [])

    def unwatch(self, mailbox: str) -> None:
        """A mailbox is not read any more. What was on its way to it has been dismissed."""
        for table in (self._sights, self._due, self._end):
            table.pop(mailbox, None)

    def __iter__(self) -> Iterator[Record]:
        """Every open record."""
        return iter(self._open.values())

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
            record = replace(record, accepted=record.probe.launched, ack_lost=True)
        if cause is UnknownCause.CONFIG:
            record = replace(record, lost=record.arrived is None)
        self._keep(record)
        self._await(record)
        if cause is not None:
            return self._judge(record, Unknown(cause))
        if record.arrived is not None and record.accepted is not None:
            late = record.arrived - record.accepted > record.probe.deadline
            return self._judge(record, Unknown(UnknownCause.PROBER) if late else Good())
        return Change(record, ())

    def dismiss(self, gone: Callable[[RouteKey], bool]) -> list[Change]:
        """These routes are no more: what is undecided stays so, and nothing is waited for.

        A submission that is under way comes to its end; what it says judges nothing.
        """
        cause = Unknown(UnknownCause.CONFIG)
        return [
            self._judge(replace(record, lost=record.lost or record.arrived is None), cause)
            for record in [*self._open.values()]
            if gone(record.probe.route)
        ]

    def launched(self, record: Record, timeouts: Timeouts) -> None:
        """A probe is in the journal and about to be submitted."""
        self._submissions[record.probe.sequence] = _Submission(timeouts)
        self._keep(record)

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        """A submission has come to a phase, or pauses (None)."""
        if (submission := self._submissions.get(sequence)) is not None:
            submission.phase, submission.since = phase, moment

    def submitted(self, sequence: int, attempt: Attempt) -> list[Change]:
        """A submission has ended."""
        submission = self._submissions.pop(sequence)
        record = replace(self._open[sequence], ended=True)
        reason = reason_of(attempt)
        match reason:
            case None:
                changes = [self._accepted(record, attempt, submission)]
            case Reason.ACK_LOST:
                record = replace(record, accepted=attempt.dot, ack_lost=True)
                self._keep(record)
                self._await(record)
                changes = [Change(record, ())]
            case _:
                changes = [self._judge(record, Bad(reason))]
        changes += self._early(changes[-1].record, submission.sightings)
        record = changes[-1].record
        if record.bounced and record.undecided:  # The DSN came before the final reply.
            changes.append(self._judge(record, Bad(Reason.BOUNCED)))
        return changes

    def abandoned(self, sequence: int) -> list[Change]:
        """Something of ours broke in the middle of a submission: what came of it is not known."""
        if self._submissions.pop(sequence, None) is None:
            return []
        record = replace(self._open[sequence], ended=True)
        return [self._judge(record, Bad(Reason.PROBER_ERROR))]

    def _accepted(self, record: Record, attempt: Attempt, submission: _Submission) -> Change:
        record = replace(record, accepted=attempt.ended)
        self._keep(record)
        self._await(record)
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
        record = self._open.get(sequence, record)
        places, known = _placed(record.places, sighting.place)
        record = replace(record, places=places)
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

    def _early(self, record: Record, sightings: tuple[Sighting, ...]) -> list[Change]:
        """What was seen before its submission had ended."""
        if not sightings:
            return []
        arrived = self._arrived(record, sightings[0])
        return [arrived, *(Change(arrived.record, (Copied(s),)) for s in sightings[1:])]

    def _arrived(self, record: Record, sighting: Sighting) -> Change:
        probe = record.probe
        accepted = record.accepted if record.accepted is not None else probe.launched
        seconds = max(0.0, sighting.seen - accepted)
        late = seconds > probe.deadline
        record = replace(record, arrived=sighting.seen)
        node = (probe.route.relay, probe.route.node)
        if sight := self._sights.get(probe.route.mailbox):  # It may have gone in the meantime.
            sight.came(node, accepted, sighting.seen)
        arrived = Arrived(sighting, seconds, late)
        if not record.undecided:
            self._keep(record)
            return Change(record, (arrived,))
        change = self._judge(record, self._verdict(record, sighting, late=late))
        return Change(change.record, (arrived, *change.events))

    def _verdict(self, record: Record, sighting: Sighting, *, late: bool) -> Verdict:
        if late:
            return self._overdue(record)
        if sighting.folder is not Folder.INBOX:
            return Bad(Reason.JUNK)
        if sighting.altered:
            return Bad(Reason.CONTENT)
        return Good()

    def bounced(self, bounce: Bounce, record: Record) -> Change:
        """A DSN came about a probe. Only one that says `failed` ends it."""
        record = self._open.get(record.probe.sequence, record)
        places, known = _placed(record.places, bounce.place)
        if known or bounce.action != "failed":
            return Change(record, () if known else (Returned(bounce),))
        record = replace(record, bounced=True, places=places)
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
            if (reason := _too_slow(submission, now)) and self._open[sequence].undecided
        ]
        for mailbox, sight in self._sights.items():
            if (proof := sight.proof) is not None:
                changes += self._passed_deadline(mailbox, proof)
                changes += self._passed_give_up(mailbox, proof)
        return changes

    def _passed_deadline(self, mailbox: str, proof: float) -> list[Change]:
        changes = []
        for found in self._pop(self._due[mailbox], proof):
            record = replace(found, overdue=True, lost=not found.ended)
            self._keep(record)
            if record.undecided:
                changes.append(self._judge(record, self._overdue(record)))
        return changes

    def _overdue(self, record: Record) -> Verdict:
        probe = record.probe
        if not record.ended:
            return Unknown(UnknownCause.PROBER)
        accepted = record.accepted if record.accepted is not None else probe.launched
        node: NodeKey = (probe.route.relay, probe.route.node)
        sight = self._sights[probe.route.mailbox]
        cause = sight.void(node, accepted, accepted + probe.deadline)
        if cause is not None:
            return Unknown(cause)
        return Bad(Reason.ACK_LOST if record.ack_lost else Reason.OVERDUE)

    def _passed_give_up(self, mailbox: str, proof: float) -> list[Change]:
        changes = []
        for found in self._pop(self._end[mailbox], proof):
            record = replace(found, lost=True)
            self._keep(record)
            changes.append(Change(record, (GaveUp(),)))
        return changes

    def _pop(self, heap: list[tuple[float, int]], proof: float) -> list[Record]:
        found = []
        while heap and heap[0][0] <= proof:
            record = self._open.get(heapq.heappop(heap)[1])
            if record is not None and record.in_flight:
                found.append(record)
        return found

    # ---- the table

    def _await(self, record: Record) -> None:
        probe = record.probe
        if not record.in_flight or record.accepted is None:
            return
        mailbox = probe.route.mailbox
        heapq.heappush(self._due[mailbox], (record.accepted + probe.deadline, probe.sequence))
        heapq.heappush(self._end[mailbox], (record.accepted + probe.give_up, probe.sequence))

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


def _placed(places: tuple[Place, ...], place: Place) -> tuple[tuple[Place, ...], bool]:
    """The places with this one, and whether it was known.

    After a change of UIDVALIDITY every message has a new name: one new place takes that of one
    old one in the same folder.
    """
    if place in places:
        return places, True
    for old in places:
        same_folder = (old.mailbox, old.folder) == (place.mailbox, place.folder)
        if same_folder and old.uidvalidity != place.uidvalidity:
            return (*(p for p in places if p != old), place), True
    return (*places, place), False


def _too_slow(submission: _Submission, now: float) -> Reason | None:
    if submission.phase is None:
        return None
    if now - submission.since <= submission.timeouts.limit(submission.phase):
        return None
    return limit_reason(submission.phase)
