"""No more than three logins with a wrong password reach a server in five minutes."""

from probe.core.lockout import Admission, Lockout


def logins(gate: Lockout, *, seconds: int, secret: str = "wrong") -> int:
    """How many logins get through when one is wanted every second and all are refused."""
    made = 0
    for now in range(seconds):
        if gate.ask(float(now), secret) is Admission.GO:
            made += 1
            gate.answer(float(now), refused=True, accepted=False)
    return made


def test_three_in_the_first_five_minutes_and_one_in_each_further() -> None:
    assert logins(Lockout(), seconds=300) == 3
    assert logins(Lockout(), seconds=1200) == 6


def test_logins_at_the_same_time_wait_while_the_secret_is_unproven() -> None:
    gate = Lockout()
    asked = [gate.ask(0.0, "new") for _ in range(5)]
    assert asked == [Admission.GO] * 3 + [Admission.WAIT] * 2
    gate.answer(0.1, refused=False, accepted=True)
    assert gate.ask(0.2, "new") is Admission.GO


def test_a_login_that_ended_without_an_answer_counts_for_nothing() -> None:
    gate = Lockout()
    for _ in range(10):
        assert gate.ask(0.0, "new") is Admission.GO
        gate.answer(0.1, refused=False, accepted=False)
    assert not gate.locked


def test_a_new_secret_is_tried_at_once() -> None:
    gate = Lockout()
    logins(gate, seconds=10)
    assert gate.ask(11.0, "wrong") is Admission.BACK_OFF
    assert gate.ask(11.0, "corrected") is Admission.GO


def test_a_proven_secret_that_is_refused_once_is_not_locked_out() -> None:
    gate = Lockout()
    gate.ask(0.0, "good")
    gate.answer(0.1, refused=False, accepted=True)
    gate.ask(1.0, "good")
    gate.answer(1.1, refused=True, accepted=False)
    assert gate.ask(2.0, "good") is Admission.GO
