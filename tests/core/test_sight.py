"""Blind is not broken: what could be seen of a mailbox, and when."""

from probe.core.cadence import QUIET_DEADLINE, QUIET_PERIOD
from probe.core.model import UnknownCause
from probe.core.sight import GAP, LOOK, SETTLE, Sight

NODE, OTHER = ("pool", "n1"), ("pool", "n2")


def a_sight(*folders: str) -> Sight:
    sight = Sight(frozenset(folders or ("inbox",)), since=0.0, stopped=None)
    for folder in folders or ("inbox",):
        sight.proved(folder, 1.0)
    return sight


def test_the_proof_is_that_of_the_folder_read_longest_ago() -> None:
    sight = a_sight("inbox", "junk")
    sight.proved("inbox", 9.0)
    assert sight.proof == 1.0
    sight.proved("junk", 8.0)
    assert sight.proof == 8.0


def test_nothing_is_proved_before_every_folder_was_read() -> None:
    sight = Sight(frozenset({"inbox", "junk"}), since=0.0, stopped=None)
    sight.proved("inbox", 1.0)
    assert sight.proof is None and sight.blind


def test_a_failed_read_blinds_from_the_last_proof_on() -> None:
    sight = a_sight()
    sight.proved("inbox", 10.0)
    sight.blinded("inbox", 14.0)
    assert sight.blind
    assert sight.void(NODE, 11.0, 12.0) is UnknownCause.MAILBOX_UNREADABLE
    assert sight.void(NODE, 2.0, 10.0) is None


def test_every_folder_must_be_read_again_to_end_it() -> None:
    sight = a_sight("inbox", "junk")
    sight.blinded("inbox", 5.0)
    sight.blinded("junk", 6.0)
    sight.proved("inbox", 7.0)
    assert sight.blind
    sight.proved("junk", 8.0)
    assert not sight.blind


def test_a_long_gap_without_a_failure_is_blind_too_but_nobody_backed_off() -> None:
    sight = a_sight()
    sight.proved("inbox", 2.0 + GAP)
    assert sight.void(NODE, 5.0, 6.0) is UnknownCause.PROBER
    assert sight.void(NODE, 2.5 + GAP, 60.0) is None


def test_each_node_is_given_time_to_come_back() -> None:
    sight = a_sight()
    sight.blinded("inbox", 5.0)
    sight.proved("inbox", 10.0)
    assert sight.void(NODE, 20.0, 80.0) is not None
    sight.came(NODE, accepted=30.0, seen=31.0)
    assert sight.void(NODE, 32.0, 92.0) is None
    assert sight.void(OTHER, 32.0, 92.0) is not None
    assert sight.void(OTHER, 10.0 + SETTLE, 100.0 + SETTLE) is None


def test_mail_taken_before_the_mailbox_was_back_shows_nothing_of_the_node() -> None:
    sight = a_sight()
    sight.blinded("inbox", 5.0)
    sight.proved("inbox", 10.0)
    sight.came(NODE, accepted=7.0, seen=11.0)
    assert sight.void(NODE, 20.0, 80.0) is not None


def test_a_restart_of_ours_is_blind_but_nobody_backed_off() -> None:
    sight = Sight(frozenset({"inbox"}), since=100.0, stopped=90.0)
    sight.proved("inbox", 101.0)
    assert sight.void(NODE, 95.0, 96.0) is UnknownCause.PROBER
    assert sight.void(NODE, 102.0, 170.0) is None


def test_a_quiet_mailbox_is_not_blind_between_its_searches() -> None:
    assert GAP > QUIET_PERIOD + QUIET_DEADLINE
    sight = a_sight()
    sight.proved("inbox", 1.0 + QUIET_PERIOD + 0.1)
    assert sight.void(NODE, 2.0, 60.0) is None


def test_what_came_while_nobody_looked_cannot_be_called_late() -> None:
    sight = a_sight()
    sight.proved("inbox", 30.0)
    sight.proved("inbox", 50.0)
    assert sight.void(NODE, 10.0, 70.0, seen=80.0 + LOOK) is UnknownCause.PROBER
    assert sight.void(NODE, 10.0, 49.0, seen=80.0 + LOOK) is None, "a search had not found it"
    sight.proved("inbox", 71.0)
    assert sight.void(NODE, 10.0, 72.0, seen=73.0) is None, "looked for all the time"


def test_a_stop_in_the_future_is_the_work_of_a_clock_and_hides_nothing() -> None:
    sight = Sight(frozenset({"inbox"}), since=100.0, stopped=90_000.0)
    assert sight.void(NODE, 101.0, 161.0) is UnknownCause.PROBER
    sight.proved("inbox", 170.0)
    assert sight.void(NODE, 171.0, 231.0) is None


def test_a_mailbox_that_is_dead_when_we_start_is_the_cause_from_then_on() -> None:
    sight = Sight(frozenset({"inbox"}), since=100.0, stopped=90.0)
    sight.blinded("inbox", 102.0)
    assert sight.blind
    assert sight.void(NODE, 91.0, 99.0) is UnknownCause.PROBER
    assert sight.void(NODE, 103.0, 160.0) is UnknownCause.MAILBOX_UNREADABLE
    sight.proved("inbox", 170.0)
    assert not sight.blind
    assert sight.void(NODE, 171.0, 231.0) is not None, "relays need time to come back"


def test_a_stretch_ends_when_all_is_read_again_and_not_before() -> None:
    sight = a_sight("inbox", "junk")
    sight.proved("junk", 20.0)
    sight.blinded("inbox", 21.0)
    sight.proved("inbox", 40.0)
    sight.came(NODE, accepted=30.0, seen=41.0)
    assert sight.void(NODE, 45.0, 105.0) is not None, "what was taken meanwhile shows nothing"


def test_a_mailbox_that_is_read_in_another_way_is_blind_from_its_last_proof_on() -> None:
    sight = a_sight()
    sight.proved("inbox", 10.0)
    sight.restart(frozenset({"inbox", "junk"}), 12.0)
    assert sight.blind and sight.proof is None
    sight.proved("inbox", 13.0)
    assert sight.blind
    sight.proved("junk", 14.0)
    assert not sight.blind
    assert sight.void(NODE, 11.0, 13.0) is UnknownCause.PROBER
    assert sight.void(NODE, 2.0, 10.0) is None
    assert sight.void(NODE, 14.0, 20.0) is None, "the mailbox was in order: nobody backed off"


def test_a_folder_that_is_not_read_any_more_is_not_waited_for() -> None:
    sight = a_sight("inbox", "junk")
    sight.restart(frozenset({"inbox"}), 12.0)
    sight.proved("inbox", 13.0)
    assert not sight.blind and sight.proof == 13.0


def test_a_blind_stretch_goes_on_over_it() -> None:
    sight = a_sight()
    sight.blinded("inbox", 5.0)
    sight.restart(frozenset({"inbox"}), 3000.0)
    sight.proved("inbox", 3001.0)
    assert sight.void(NODE, 100.0, 160.0) is UnknownCause.MAILBOX_UNREADABLE
    assert sight.void(NODE, 3002.0, 3062.0) is not None, "it was out of order: nodes come back late"


def test_what_was_under_way_while_we_stood_still_cannot_be_dated_and_nobody_backed_off() -> None:
    sight = a_sight()
    sight.proved("inbox", 10.0)
    sight.interrupted(11.0)
    assert sight.void(NODE, 10.5, 12.0) is UnknownCause.PROBER
    sight.proved("inbox", 11.5)
    assert sight.void(NODE, 10.5, 12.0) is UnknownCause.PROBER
    assert sight.void(NODE, 12.0, 13.0) is None
    assert sight.void(NODE, 2.0, 9.0) is None
