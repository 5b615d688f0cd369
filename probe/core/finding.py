"""What a check finds on each route, and what all of it amounts to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from probe.core.model import Attempt, Phase, PhaseTime, Reason, RouteKey, UnknownCause
from probe.core.outcome import evidence, limit_reason
from probe.core.record import Bad, Record, Unknown, Verdict
from probe.core.sight import Sight

STALE = 5.0  # s without a proof after which a mailbox is not being read.


class Conclusion(StrEnum):
    """What a check amounts to."""

    WELL = "well"
    FAULT = "fault"  # At least one route fails.
    UNCLEAR = "unclear"  # None fails, and not all could be judged.


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of the probe of one route."""

    route: RouteKey
    verdict: Verdict | None  # None: it was not sent, or not waited for.
    words: str = ""  # Why it is not good.
    seconds: float | None = None  # From acceptance to arrival.
    phases: tuple[PhaseTime, ...] = ()
    unrouted: bool = False  # The network says that there is no way to the relay.


def conclusion(findings: Iterable[Finding], *, unread: bool) -> Conclusion:
    """The worst that is certain; `unread`: a mailbox could not be read."""
    verdicts = [finding.verdict for finding in findings]
    if any(isinstance(verdict, Bad) for verdict in verdicts):
        return Conclusion.FAULT
    doubtful = any(verdict is None or isinstance(verdict, Unknown) for verdict in verdicts)
    return Conclusion.UNCLEAR if unread or doubtful or not verdicts else Conclusion.WELL


def is_unread(sight: Sight, now: float) -> bool:
    """Whether a mailbox is not being read at this moment."""
    return sight.blind or sight.proof is None or now - sight.proof > STALE


def last_word(record: Record, sight: Sight, now: float) -> tuple[Verdict, str]:
    """The verdict on a probe that has been submitted and is not waited for any longer."""
    probe = record.probe
    accepted = record.accepted if record.accepted is not None else probe.launched
    node = (probe.route.relay, record.node)
    if is_unread(sight, now):
        return Unknown(UnknownCause.MAILBOX_UNREADABLE), ""
    if (cause := sight.void(node, accepted, now)) is not None:
        return Unknown(cause), ""
    waited = f"{now - accepted:.1f} s"
    if record.ack_lost:
        words = f"no reply to the final dot came, and no message within {waited}"
        return Bad(Reason.ACK_LOST), words
    return Bad(Reason.OVERDUE), f"accepted, and not there {waited} later"


def cut_short(phase: Phase | None, attempt: Attempt | None) -> tuple[Verdict, str]:
    """The verdict on a submission that has not ended and is not waited for any longer.

    `phase` is the one that is going on; none is between two tries with a relay that puts us
    off as a stranger, as `attempt` says.
    """
    if phase is None and attempt is not None:
        return Bad(Reason.TEMP_REJECT), f"{evidence(attempt)}; it may pass with more time"
    if phase is None or phase is Phase.QUIT:
        return Unknown(UnknownCause.PROBER), "the submission had not ended"
    return Bad(limit_reason(phase) or Reason.ACK_LOST), f"{phase} had not ended"
