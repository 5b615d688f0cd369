"""No more than three logins with a wrong password reach a server in five minutes."""

import pytest

from probe.core.lockout import MAILBOX_PAUSES, RELAY_PAUSES, TRIES, Admission, Lockout

PAUSES = pytest.mark.parametrize("pauses", [RELAY_PAUSES, MAILBOX_PAUSES])


def logins(gate: Lockout, *, seconds: int, secret: str = "wrong") -> list[int]:
    """When logins get through, if one is wanted every second and all are refused."""
    made = []
    for now in range(seconds):
        if gate.ask(float(now), secret) is Admission.GO:
            made.append(now)
            gate.answer(float(now), secret, refused=True, accepted=False)
    return made


@PAUSES
def test_three_in_the_first_five_minutes_and_one_in_each_further(
    pauses: tuple[float, float, float],
) -> None:
    made = logins(Lockout(pauses), seconds=1800)
    for start in range(0, 1500, 10):
        assert sum(start <= at < start + 300 for at in made) <= TRIES
    assert len(made) >= 8


def test_a_mailbox_is_not_locked_by_a_hiccup() -> None:
    assert logins(Lockout(MAILBOX_PAUSES), seconds=300) == [0, 5, 30]
    assert logins(Lockout(RELAY_PAUSES), seconds=300) == [0, 1, 2]


def test_logins_at_the_same_time_wait_while_the_secret_is_unproven() -> None:
    gate = Lockout(RELAY_PAUSES)
    asked = [gate.ask(0.0, "new") for _ in range(5)]
    assert asked == [Admission.GO] * 3 + [Admission.WAIT] * 2
    gate.answer(0.1, "new", refused=False, accepted=True)
    assert gate.ask(0.2, "new") is Admission.GO


def test_a_login_that_ended_without_an_answer_counts_for_nothing() -> None:
    gate = Lockout(RELAY_PAUSES)
    for _ in range(10):
        assert gate.ask(0.0, "new") is Admission.GO
        gate.answer(0.1, "new", refused=False, accepted=False)
    assert not gate.locked


@PAUSES
def test_a_new_secret_is_tried_at_once(pauses: tuple[float, float, float]) -> None:
    gate = Lockout(pauses)
    logins(gate, seconds=60)
    assert gate.ask(61.0, "wrong") is Admission.BACK_OFF
    assert gate.ask(61.0, "corrected") is Admission.GO


def test_answers_to_a_secret_that_was_replaced_do_not_lock_out_the_new_one() -> None:
    gate = Lockout(RELAY_PAUSES)
    for _ in range(3):
        assert gate.ask(0.0, "wrong") is Admission.GO
    assert gate.ask(1.0, "corrected") is Admission.GO
    for _ in range(3):
        gate.answer(2.0, "wrong", refused=True, accepted=False)
    assert not gate.locked
    assert gate.ask(2.1, "corrected") is Admission.GO


def test_a_proven_secret_that_is_refused_once_is_not_locked_out() -> None:
    gate = Lockout(RELAY_PAUSES)
    gate.ask(0.0, "good")
    gate.answer(0.1, "good", refused=False, accepted=True)
    gate.ask(1.0, "good")
    gate.answer(1.1, "good", refused=True, accepted=False)
    assert gate.ask(2.0, "good") is Admission.GO
