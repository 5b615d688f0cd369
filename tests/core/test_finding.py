"""What a check makes of what it has seen when its time is over."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.core.finding import Conclusion, Finding, conclusion, cut_short, is_unread, last_word
from probe.core.model import Attempt, Phase, Probe, Reason, Reply, RouteKey, UnknownCause
from probe.core.record import Bad, Good, Record, Unknown, Verdict
from probe.core.sight import Sight

ROUTE = RouteKey("pool", "n1", "shop", "corp")
PROBE = Probe(1, ROUTE, 10.0, 10.0, "token", deadline=60.0, give_up=3600.0)
SENT = Record(PROBE, accepted=11.0, ended=True)
BLIND = Unknown(UnknownCause.MAILBOX_UNREADABLE)


def sight(*, proofs: tuple[float, ...] = (), blinded: float | None = None) -> Sight:
    seen = Sight(frozenset({"inbox"}), 0.0, None)
    for proof in proofs:
        seen.proved("inbox", proof)
    if blinded is not None:
        seen.blinded("inbox", blinded)
    return seen


@pytest.mark.parametrize(
    ("verdicts", "unread", "meant"),
    [
        ([Good(), Good()], False, Conclusion.WELL),
        ([Good(), Good()], True, Conclusion.UNCLEAR),
        ([Good(), Bad(Reason.JUNK)], False, Conclusion.FAULT),
        ([BLIND, Bad(Reason.JUNK)], True, Conclusion.FAULT),
        ([Good(), BLIND], False, Conclusion.UNCLEAR),
        ([Good(), None], False, Conclusion.UNCLEAR),
        ([], False, Conclusion.UNCLEAR),
    ],
)
def test_what_is_certain_wins(
    verdicts: list[Verdict | None], unread: bool, meant: Conclusion
) -> None:
    assert conclusion([Finding(ROUTE, verdict) for verdict in verdicts], unread=unread) is meant


def test_what_has_not_come_is_held_against_the_route_only_if_it_could_be_seen() -> None:
    readable = sight(proofs=(5.0, 18.0))
    lost = replace(SENT, ack_lost=True)

    assert last_word(SENT, readable, 20.0) == (
        Bad(Reason.OVERDUE),
        "accepted, and not there 9.0 s later",
    )
    assert last_word(lost, readable, 20.0)[0] == Bad(Reason.ACK_LOST)
    assert last_word(SENT, sight(), 20.0)[0] == BLIND
    assert last_word(SENT, sight(proofs=(5.0, 12.0), blinded=13.0), 20.0)[0] == BLIND
    assert last_word(SENT, sight(proofs=(15.0, 19.0)), 20.0)[0] == BLIND, "sent into the dark"


def test_a_mailbox_that_hangs_is_not_being_read() -> None:
    assert not is_unread(sight(proofs=(15.0,)), 20.0)
    assert is_unread(sight(proofs=(15.0,)), 20.1)


def test_a_submission_that_has_not_ended_fails_by_the_phase_it_is_in() -> None:
    put_off = Attempt((), Phase.RCPT, 12.0, reply=Reply(450, "4.2.0", "Greylisted"))

    assert cut_short(Phase.CONNECT, None)[0] == Bad(Reason.CONNECT_TIMEOUT)
    assert cut_short(Phase.GREETING, None)[0] == Bad(Reason.GREETING_TIMEOUT)
    assert cut_short(Phase.ACK, None)[0] == Bad(Reason.ACK_LOST)
    assert cut_short(Phase.QUIT, None)[0] == Unknown(UnknownCause.PROBER)
    assert cut_short(None, None)[0] == Unknown(UnknownCause.PROBER)
    verdict, words = cut_short(None, put_off)
    assert verdict == Bad(Reason.TEMP_REJECT)
    assert "450 4.2.0 Greylisted" in words
