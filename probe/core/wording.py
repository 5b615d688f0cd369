"""What became of a probe, in words: for the log, and as evidence."""

from __future__ import annotations

from typing import assert_never

from probe.core.model import Part, Reason
from probe.core.record import Bad, Good, Unknown, Verdict


def verdict(judged: Verdict) -> str:
    """A verdict in a word, as logs have it."""
    match judged:
        case Good():
            return "good"
        case Bad(reason):
            return f"failed({reason})"
        case Unknown(cause):
            return f"unknown({cause})"
        case _:
            assert_never(judged)


def failure(reason: Reason, deadline: float) -> str:
    """Why a probe with this deadline (s) failed; nothing where its evidence says it better."""
    match reason:
        case Reason.DNS_ERROR:
            return "the name was not resolved in time"
        case Reason.CONNECT_TIMEOUT:
            return "no connection came about in time"
        case Reason.GREETING_TIMEOUT:
            return "no greeting came in time"
        case Reason.TIMEOUT:
            return "a reply did not come in time"
        case Reason.ACK_LOST:
            return f"no reply to the final dot came, and no message within {deadline:g} s"
        case Reason.OVERDUE:
            return f"accepted, and not there {deadline:g} s later"
        case Reason.JUNK:
            return "it came into the junk folder"
        case Reason.PROBER_ERROR:
            return "the prober itself failed"
        case (
            Reason.CONNECT_REFUSED
            | Reason.CONNECTION_LOST
            | Reason.TLS_ERROR
            | Reason.AUTH_REJECTED
            | Reason.TEMP_REJECT
            | Reason.PERM_REJECT
            | Reason.PROTOCOL_ERROR
            | Reason.BOUNCED
            | Reason.CONTENT
        ):
            return ""
        case _:
            assert_never(reason)


def damage(part: Part) -> str:
    """What became of a message that was altered, in words."""
    match part:
        case Part.BODY:
            return "the body came back different"
        case Part.HEADER:
            return "the header came back different"
        case Part.TRUNCATED:
            return "the message came back cut short"
        case _:
            assert_never(part)
