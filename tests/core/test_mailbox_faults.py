"""A mailbox is called full or unreadable while it is, and not a moment longer."""

import pytest

from probe.core.component import Fault, Named, state_of
from probe.core.mailbox_faults import REFUSAL_HOLDS, MailboxFaults
from probe.core.model import State
from probe.core.quota import PROBE_SIZE, Quota, says_full
from probe.core.sight import Sight

FOLDERS = frozenset({"inbox", "junk"})
FULL, ROOM = Quota(1.0, 0), Quota(0.5, 1e6)


def mailbox() -> MailboxFaults:
    return MailboxFaults(read())


def read() -> Sight:
    sight = Sight(FOLDERS, 0.0, None)
    for folder in FOLDERS:
        sight.proved(folder, 1.0)
    return sight


def faults(box: MailboxFaults, now: float = 10.0) -> list[Fault]:
    return [named.fault for named in box.named(now)]


@pytest.mark.parametrize(
    ("quota", "full"),
    [
        (Quota(0.5), False),
        (Quota(0.999, PROBE_SIZE), False),
        (Quota(0.5, PROBE_SIZE - 1), True),
        (Quota(1.0), True),
        (Quota(1.2, -5000), True),
    ],
)
def test_full_is_without_room_for_a_probe(quota: Quota, full: bool) -> None:
    assert quota.is_full == full


@pytest.mark.parametrize(
    ("enhanced", "code", "full"),
    [
        ("4.2.2", 452, True),
        ("5.2.2", 552, True),
        ("5.2.2", 0, True),
        ("", 552, True),
        ("5.3.4", 552, False),
        ("4.2.1", 450, False),
        ("", 452, False),
        ("", 0, False),
    ],
)
def test_only_some_replies_say_full(enhanced: str, code: int, full: bool) -> None:
    assert says_full(enhanced, code) == full


def test_the_quota_names_and_clears() -> None:
    box = mailbox()
    assert faults(box) == []
    box.measured(FULL)
    assert box.named(20.0) == (Named(Fault.FULL, 20.0, ("100 % of its quota is used",)),)
    assert box.named(30.0)[0].since == 20.0
    box.measured(ROOM)
    assert faults(box) == []
    box.measured(FULL)
    box.measured(None)
    assert faults(box) == []


def test_a_refusal_names_until_a_younger_probe_arrives() -> None:
    box = mailbox()
    box.refused(5.0, 6.0, "552 5.2.2 full")
    assert box.named(6.0) == (Named(Fault.FULL, 6.0, ("552 5.2.2 full",)),)
    box.arrived(4.0)
    assert faults(box) == [Fault.FULL], "it was there before"
    box.arrived(7.0)
    assert faults(box) == []
    box.refused(6.5, 60.0, "DSN failed 5.2.2")
    assert faults(box) == [], "a bounce that comes late says nothing"


def test_a_refusal_that_nobody_contradicts_is_believed_for_a_while() -> None:
    box = mailbox()
    box.refused(5.0, 6.0, "552 5.2.2 full")
    assert faults(box, 6.0 + REFUSAL_HOLDS - 1) == [Fault.FULL]
    assert faults(box, 6.0 + REFUSAL_HOLDS) == []


def test_room_clears_a_refusal_only_if_it_was_the_quota_that_was_full() -> None:
    box = mailbox()
    box.measured(ROOM)
    box.refused(5.0, 6.0, "552 5.2.2 full")
    box.measured(ROOM)
    assert faults(box) == [Fault.FULL], "some other limit is exceeded"
    box.measured(FULL)
    assert box.named(10.0)[0].evidence == ("552 5.2.2 full", "100 % of its quota is used")
    box.measured(ROOM)
    assert faults(box) == []


def test_unreadable_is_named_after_the_second_failure_at_a_folder() -> None:
    sight = read()
    box = MailboxFaults(sight)
    for folder in ("inbox", "junk"):
        sight.blinded(folder, 10.0)
        box.failed(folder, 10.0, "connection refused")
    assert faults(box) == []
    box.failed("inbox", 12.0, "no route")
    assert box.named(12.0) == (Named(Fault.UNREADABLE, 10.0, ("no route",)),)
    sight.proved("inbox", 13.0)
    assert faults(box, 13.0) == [Fault.UNREADABLE], "the junk folder is not read yet"
    sight.proved("junk", 14.0)
    assert faults(box, 14.0) == []
    sight.blinded("inbox", 20.0)
    box.failed("inbox", 20.0, "no route")
    assert faults(box, 20.0) == [], "it is counted anew"


def test_the_state_is_that_of_the_worst_fault() -> None:
    full, unreadable = Named(Fault.FULL, 0.0, ()), Named(Fault.UNREADABLE, 0.0, ())
    assert state_of((), blind=False) is State.OK
    assert state_of((), blind=True) is State.UNKNOWN
    assert state_of((full,), blind=True) is State.DEGRADED
    assert state_of((unreadable, full), blind=True) is State.DOWN


def test_what_has_lasted_is_confirmed() -> None:
    named = Named(Fault.FULL, 100.0, ())
    assert not named.confirmed(144.0)
    assert named.confirmed(145.0)
