"""What the end of a submission, or of the wait for a message, says of the failure."""

from __future__ import annotations

from probe.core.component import Fault, fault_of
from probe.core.detection.observation import MAILBOX_ONLY, Failure, Observation, blamed
from probe.core.model import Attempt, Break, Phase, Reason
from probe.core.outcome import evidence
from probe.core.quota import says_full
from probe.core.record import Record

BEFORE_220 = frozenset({Phase.DNS, Phase.CONNECT, Phase.GREETING})


def failure_of(reason: Reason, attempt: Attempt) -> Failure | None:
    """What the end of a submission says; None where it is our own fault."""
    reply = attempt.reply
    if reply is not None and says_full(reply.enhanced, reply.code):
        return Failure(Fault.FULL, MAILBOX_ONLY, evidence(attempt))
    greeted = any(timed.phase is Phase.GREETING for timed in attempt.phases)
    ended_there = attempt.phase in BEFORE_220
    fault = fault_of(reason, greeted=greeted and not ended_there)
    if fault is None:
        return None
    local = attempt.broken in (Break.TIMED_OUT, Break.NAME_ERROR, Break.NO_ROUTE)
    nowhere = attempt.phase in (Phase.DNS, Phase.CONNECT)
    return Failure(
        fault,
        blamed(attempt.phase),
        evidence(attempt),
        is_local=local and nowhere,
        is_nameless=local and attempt.phase is Phase.DNS,
    )


def words_of(reason: Reason, one: Observation, record: Record) -> str:
    """Why a probe was judged bad, for people."""
    match reason:
        case Reason.OVERDUE:
            return f"{one.reply}, and it was not there {one.deadline:g} s later"
        case Reason.ACK_LOST:
            return "no reply to the final dot came, and no message either"
        case Reason.BOUNCED:
            why = f": {one.report}" if one.report else ""
            return f"{one.reply}, and it was returned{why}"
        case Reason.JUNK:
            return "it came into the junk folder"
        case Reason.CONTENT:
            return "it came back different"
        case _:
            return f"no answer in time in the phase {one.phase}"


def ended_well(phase: Phase, attempt: Attempt) -> bool:
    """Whether a phase of a submission came to a good end."""
    if phase is not attempt.phase:
        return True
    return attempt.reply is not None and attempt.reply.code < 400
