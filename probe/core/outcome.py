"""What the facts of a submission mean: the reason it failed, and the evidence in words."""

from __future__ import annotations

from typing import assert_never

from probe.core.model import Attempt, Break, Phase, Reason, Reply, Timeouts

_LOGIN_DEMANDED = (530, 535)  # RFC 4954 §6: in answer to any command, not only to AUTH.


def reason_of(attempt: Attempt) -> Reason | None:
    """Why a submission failed; None where the relay took the message.

    A reply or connection missing after the final dot is ACK_LOST: the message may still come.
    """
    if attempt.reply is not None:
        return _reply_reason(attempt.phase, attempt.reply)
    match attempt.broken:
        case Break.NAME_ERROR:
            return Reason.DNS_ERROR
        case Break.REFUSED | Break.NO_ROUTE:
            return Reason.CONNECT_REFUSED
        case Break.TIMED_OUT:
            silent = limit_reason(attempt.phase, greeted=_greeted(attempt))
            return silent or Reason.ACK_LOST
        case Break.LOST:
            return Reason.CONNECTION_LOST if attempt.dot is None else Reason.ACK_LOST
        case Break.TLS_FAILED:
            return Reason.TLS_ERROR
        case Break.NO_MECHANISM:
            return Reason.AUTH_REJECTED
        case Break.GARBAGE:
            return Reason.PROTOCOL_ERROR
        case Break.LOCAL | None:
            return Reason.PROBER_ERROR
        case _:
            assert_never(attempt.broken)


def limit_reason(phase: Phase, *, greeted: bool = True) -> Reason | None:
    """The reason once a phase that is still going on has exceeded its limit; None: not yet any.

    Of ACK only its end can tell: a reply beyond the limit is a TIMEOUT, none at all ACK_LOST.
    A TLS handshake that stalls shows nothing wrong with certificates: before the 220 (implicit
    TLS, not `greeted`) no greeting comes, after it (STARTTLS) it is a TIMEOUT like any other.
    """
    match phase:
        case Phase.DNS:
            return Reason.DNS_ERROR
        case Phase.CONNECT:
            return Reason.CONNECT_TIMEOUT
        case Phase.GREETING:
            return Reason.GREETING_TIMEOUT
        case Phase.TLS:
            return Reason.TIMEOUT if greeted else Reason.GREETING_TIMEOUT
        case Phase.EHLO | Phase.AUTH | Phase.MAIL | Phase.RCPT | Phase.DATA:
            return Reason.TIMEOUT
        case Phase.ACK | Phase.QUIT:
            return None
        case _:
            assert_never(phase)


def over_limit(attempt: Attempt, timeouts: Timeouts) -> Phase | None:
    """The first phase of a finished attempt that took longer than its limit; QUIT never does."""
    for timed in attempt.phases:
        if timed.phase is not Phase.QUIT and timed.seconds > timeouts.limit(timed.phase):
            return timed.phase
    return None


def is_greylisting_candidate(attempt: Attempt) -> bool:
    """Whether this may be a stranger's deferral (RFC 6647 §2), which 421 never is."""
    return (
        attempt.phase in (Phase.RCPT, Phase.DATA, Phase.ACK)
        and attempt.reply is not None
        and 400 <= attempt.reply.code <= 499
        and attempt.reply.code != 421
    )


def is_too_much(attempt: Attempt) -> bool:
    """Whether the relay says that we are too many (421, and 4.7.x as large providers do)."""
    reply = attempt.reply
    return reply is not None and (reply.code == 421 or reply.enhanced.startswith("4.7."))


def is_login_refused(attempt: Attempt) -> bool:
    """Whether the relay refused our credentials (RFC 4954 §6: 535)."""
    return attempt.reply is not None and attempt.reply.code == 535


def evidence(attempt: Attempt) -> str:
    """How a submission ended, in one sentence for people."""
    taken = next((t.seconds for t in attempt.phases if t.phase is attempt.phase), 0.0)
    if attempt.reply is not None:
        return f"{_answered(attempt.phase, attempt.reply)} after {taken:.2f} s"
    match attempt.broken:
        case Break.TIMED_OUT:
            return f"{_missing(attempt.phase)} within {taken:.1f} s"
        case Break.LOST:
            why = f" ({attempt.detail})" if attempt.detail else ""
            return f"the connection was lost in {_spoken(attempt.phase)} after {taken:.2f} s{why}"
        case Break.GARBAGE:
            return f"the server broke the protocol in {_spoken(attempt.phase)}: {attempt.detail}"
        case Break.LOCAL | None:
            return f"the prober itself failed in {_spoken(attempt.phase)}: {attempt.detail}"
        case (
            Break.NAME_ERROR
            | Break.REFUSED
            | Break.NO_ROUTE
            | Break.TLS_FAILED
            | Break.NO_MECHANISM
        ):
            return attempt.detail
        case _:
            assert_never(attempt.broken)


def slowness(attempt: Attempt, phase: Phase) -> str:
    """That a phase of it took too long, in one sentence for people."""
    taken = next(timed.seconds for timed in attempt.phases if timed.phase is phase)
    return f"{_spoken(phase)} took {taken:.1f} s"


def _reply_reason(phase: Phase, reply: Reply) -> Reason | None:
    kind = reply.code // 100
    if kind == 2 and phase is Phase.ACK:
        return None
    if reply.code in _LOGIN_DEMANDED or (kind == 5 and phase is Phase.AUTH):
        return Reason.AUTH_REJECTED
    if kind == 4:
        return Reason.TEMP_REJECT
    return Reason.PERM_REJECT if kind == 5 else Reason.PROTOCOL_ERROR


def _greeted(attempt: Attempt) -> bool:
    """Whether the greeting had been waited for before the phase in which the attempt ended."""
    return any(timed.phase is Phase.GREETING for timed in attempt.phases)


def _answered(phase: Phase, reply: Reply) -> str:
    said = " ".join(part for part in (str(reply.code), reply.enhanced, reply.text) if part)
    if phase is Phase.ACK and reply.code < 300:
        return f"the message was accepted with {said}"
    if phase is Phase.GREETING:
        return f"the server greeted with {said}"
    return f"{_spoken(phase)} was refused with {said}"


def _missing(phase: Phase) -> str:
    match phase:
        case Phase.DNS:
            return "the name was not resolved"
        case Phase.CONNECT:
            return "no connection came about"
        case Phase.TLS:
            return "the TLS handshake did not end"
        case Phase.GREETING:
            return "no greeting came"
        case _:
            return f"no reply to {_spoken(phase)} came"


def _spoken(phase: Phase) -> str:
    """A phase as a sentence names it."""
    match phase:
        case Phase.DNS:
            return "the name lookup"
        case Phase.CONNECT:
            return "the TCP handshake"
        case Phase.TLS:
            return "the TLS handshake"
        case Phase.GREETING:
            return "the greeting"
        case Phase.MAIL:
            return "MAIL FROM"
        case Phase.RCPT:
            return "RCPT TO"
        case Phase.ACK:
            return "the final dot"
        case Phase.EHLO | Phase.AUTH | Phase.DATA | Phase.QUIT:
            return phase.upper()
        case _:
            assert_never(phase)
