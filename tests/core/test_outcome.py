"""The facts of a submission become one reason, and one sentence."""

import pytest

from probe.core.model import Attempt, Break, Phase, PhaseTime, Reason, Reply, Timeouts
from probe.core.outcome import (
    evidence,
    is_greylisting_candidate,
    is_login_refused,
    limit_reason,
    over_limit,
    reason_of,
    slowness,
)

PLAIN = (Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ACK)
STARTTLS = (Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.TLS)
IMPLICIT = (Phase.CONNECT, Phase.TLS)


def ended(phase, *, code=None, broken=None, detail="", way=None):
    """An attempt that ended in `phase`, by a reply or without."""
    before = way or PLAIN[: PLAIN.index(phase) + 1] if phase in PLAIN else (*PLAIN[:3], phase)
    return Attempt(
        phases=tuple(PhaseTime(p, 0.02) for p in way or before),
        phase=phase,
        ended=1.0,
        reply=None if code is None else Reply(code, "", "said so"),
        broken=broken,
        detail=detail,
        dot=0.9 if phase is Phase.ACK else None,
    )


@pytest.mark.parametrize(
    ("phase", "code", "reason"),
    [
        (Phase.ACK, 250, None),
        (Phase.ACK, 451, Reason.TEMP_REJECT),
        (Phase.ACK, 554, Reason.PERM_REJECT),
        (Phase.GREETING, 421, Reason.TEMP_REJECT),
        (Phase.GREETING, 554, Reason.PERM_REJECT),
        (Phase.EHLO, 550, Reason.PERM_REJECT),
        (Phase.AUTH, 535, Reason.AUTH_REJECTED),
        (Phase.AUTH, 504, Reason.AUTH_REJECTED),
        (Phase.AUTH, 454, Reason.TEMP_REJECT),
        (Phase.AUTH, 421, Reason.TEMP_REJECT),
        (Phase.MAIL, 530, Reason.AUTH_REJECTED),
        (Phase.RCPT, 535, Reason.AUTH_REJECTED),
        (Phase.RCPT, 450, Reason.TEMP_REJECT),
        (Phase.RCPT, 550, Reason.PERM_REJECT),
        (Phase.DATA, 554, Reason.PERM_REJECT),
        (Phase.MAIL, 250, Reason.PROTOCOL_ERROR),
    ],
)
def test_a_reply_gives_the_reason(phase, code, reason):
    assert reason_of(ended(phase, code=code)) is reason


@pytest.mark.parametrize(
    ("phase", "broken", "reason"),
    [
        (Phase.DNS, Break.NAME_ERROR, Reason.DNS_ERROR),
        (Phase.DNS, Break.TIMED_OUT, Reason.DNS_ERROR),
        (Phase.CONNECT, Break.REFUSED, Reason.CONNECT_REFUSED),
        (Phase.CONNECT, Break.TIMED_OUT, Reason.CONNECT_TIMEOUT),
        (Phase.CONNECT, Break.LOCAL, Reason.PROBER_ERROR),
        (Phase.GREETING, Break.TIMED_OUT, Reason.GREETING_TIMEOUT),
        (Phase.GREETING, Break.LOST, Reason.CONNECTION_LOST),
        (Phase.GREETING, Break.GARBAGE, Reason.PROTOCOL_ERROR),
        (Phase.TLS, Break.TLS_FAILED, Reason.TLS_ERROR),
        (Phase.TLS, Break.LOST, Reason.CONNECTION_LOST),
        (Phase.EHLO, Break.TIMED_OUT, Reason.TIMEOUT),
        (Phase.AUTH, Break.NO_MECHANISM, Reason.AUTH_REJECTED),
        (Phase.AUTH, Break.TIMED_OUT, Reason.TIMEOUT),
        (Phase.MAIL, Break.LOST, Reason.CONNECTION_LOST),
        (Phase.RCPT, Break.TIMED_OUT, Reason.TIMEOUT),
        (Phase.DATA, Break.TIMED_OUT, Reason.TIMEOUT),
        (Phase.DATA, Break.LOST, Reason.CONNECTION_LOST),
        (Phase.ACK, Break.TIMED_OUT, Reason.ACK_LOST),
        (Phase.ACK, Break.LOST, Reason.ACK_LOST),
        (Phase.ACK, Break.GARBAGE, Reason.PROTOCOL_ERROR),
        (Phase.MAIL, None, Reason.PROBER_ERROR),
    ],
)
def test_a_break_gives_the_reason(phase, broken, reason):
    assert reason_of(ended(phase, broken=broken)) is reason


@pytest.mark.parametrize(
    ("way", "reason"), [(IMPLICIT, Reason.GREETING_TIMEOUT), (STARTTLS, Reason.TIMEOUT)]
)
def test_a_stalled_handshake_is_judged_by_whether_the_220_had_come(way, reason):
    assert reason_of(ended(Phase.TLS, broken=Break.TIMED_OUT, way=way)) is reason
    assert limit_reason(Phase.TLS, greeted=Phase.GREETING in way) is reason


@pytest.mark.parametrize(
    ("phase", "reason"),
    [
        (Phase.DNS, Reason.DNS_ERROR),
        (Phase.CONNECT, Reason.CONNECT_TIMEOUT),
        (Phase.GREETING, Reason.GREETING_TIMEOUT),
        (Phase.TLS, Reason.TIMEOUT),
        (Phase.EHLO, Reason.TIMEOUT),
        (Phase.AUTH, Reason.TIMEOUT),
        (Phase.MAIL, Reason.TIMEOUT),
        (Phase.RCPT, Reason.TIMEOUT),
        (Phase.DATA, Reason.TIMEOUT),
        (Phase.ACK, None),
        (Phase.QUIT, None),
    ],
)
def test_a_phase_beyond_its_limit_has_a_reason(phase, reason):
    assert limit_reason(phase) is reason


@pytest.mark.parametrize(
    ("seconds", "phase"),
    [
        ({Phase.CONNECT: 1.0, Phase.ACK: 1.0}, None),
        ({Phase.CONNECT: 1.0, Phase.RCPT: 3.1, Phase.ACK: 9.0}, Phase.RCPT),
        ({Phase.CONNECT: 1.1, Phase.RCPT: 3.1}, Phase.CONNECT),
        ({Phase.GREETING: 2.1}, Phase.GREETING),
        ({Phase.ACK: 3.1}, Phase.ACK),
        ({Phase.ACK: 3.0, Phase.QUIT: 99.0}, None),
    ],
)
def test_the_first_phase_beyond_its_limit_is_named(seconds, phase):
    limits = Timeouts(connect=1.0, greeting=2.0, command=3.0, hard=60.0)
    times = tuple(PhaseTime(p, s) for p, s in seconds.items())
    assert over_limit(Attempt(times, Phase.ACK, 1.0), limits) is phase


def test_what_took_too_long_is_told_with_its_time():
    greeted = Attempt((PhaseTime(Phase.GREETING, 31.26),), Phase.ACK, 40.0)
    assert slowness(greeted, Phase.GREETING) == "the greeting took 31.3 s"


@pytest.mark.parametrize(
    ("phase", "code", "candidate"),
    [
        (Phase.RCPT, 450, True),
        (Phase.DATA, 451, True),
        (Phase.ACK, 452, True),
        (Phase.RCPT, 421, False),
        (Phase.RCPT, 550, False),
        (Phase.MAIL, 450, False),
        (Phase.GREETING, 450, False),
        (Phase.ACK, 250, False),
    ],
)
def test_only_some_deferrals_may_be_greylisting(phase, code, candidate):
    assert is_greylisting_candidate(ended(phase, code=code)) is candidate


def test_silence_is_no_greylisting():
    assert not is_greylisting_candidate(ended(Phase.RCPT, broken=Break.TIMED_OUT))


def test_only_535_says_that_our_credentials_are_wrong():
    assert is_login_refused(ended(Phase.AUTH, code=535))
    assert not is_login_refused(ended(Phase.AUTH, code=530))
    assert not is_login_refused(ended(Phase.AUTH, broken=Break.NO_MECHANISM))


@pytest.mark.parametrize(
    ("attempt", "sentence"),
    [
        (ended(Phase.RCPT, code=450), "RCPT TO was refused with 450 said so after 0.02 s"),
        (ended(Phase.ACK, code=250), "the message was accepted with 250 said so after 0.02 s"),
        (ended(Phase.ACK, code=554), "the final dot was refused with 554 said so after 0.02 s"),
        (ended(Phase.GREETING, code=554), "the server greeted with 554 said so after 0.02 s"),
        (
            ended(Phase.GREETING, broken=Break.TIMED_OUT),
            "no greeting came within 0.0 s",
        ),
        (ended(Phase.ACK, broken=Break.TIMED_OUT), "no reply to the final dot came within 0.0 s"),
        (ended(Phase.TLS, broken=Break.TIMED_OUT), "the TLS handshake did not end within 0.0 s"),
        (ended(Phase.CONNECT, broken=Break.TIMED_OUT), "no connection came about within 0.0 s"),
        (ended(Phase.DNS, broken=Break.TIMED_OUT), "the name was not resolved within 0.0 s"),
        (
            ended(Phase.DATA, broken=Break.LOST, detail="reset by the server"),
            "the connection was lost in DATA after 0.02 s (reset by the server)",
        ),
        (
            ended(Phase.EHLO, broken=Break.GARBAGE, detail="'HTTP/1.1'"),
            "the server broke the protocol in EHLO: 'HTTP/1.1'",
        ),
        (
            ended(Phase.CONNECT, broken=Break.LOCAL, detail="too many open files"),
            "the prober itself failed in the TCP handshake: too many open files",
        ),
        (
            ended(Phase.TLS, broken=Break.TLS_FAILED, detail="the certificate has expired"),
            "the certificate has expired",
        ),
    ],
)
def test_evidence_is_one_sentence(attempt, sentence):
    assert evidence(attempt) == sentence
