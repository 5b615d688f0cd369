"""Control messages on a folder in memory, in virtual time: what a blind reader cannot hide."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from probe.core.control import Seal, compose
from probe.core.model import Folder
from probe.ports import Position
from tests.engine.folder_world import Box, BoxReader, World, virtual

SEAL = Seal("fra1", "0123456789ab", since=0.0, keys=[b"a key of some length"])
MAILBOX = BoxReader(Box()).mailbox
BLIND = "the mailbox does not show a message that was put into it"


def world(box: Box | None = None, seal: Seal = SEAL) -> World:
    return World(box or Box(), seal=seal)


def left_over(seal: Seal = SEAL) -> bytes:
    token = seal.token(MAILBOX, nonce=1, wall=0.0)
    content = compose(token, MAILBOX, instance=seal.instance, wall=0.0)
    return content.partition(b"\r\n\r\n")[0]


@virtual
async def test_a_session_begins_with_one_and_every_ten_minutes_comes_another() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(0.1)
        assert len(here.box.appended) == 1
        await asyncio.sleep(3599)
    moments = [when for when, _ in here.box.appended]
    assert len(moments) == 6
    assert all(600 <= b - a < 631 for a, b in pairwise(moments))
    assert here.box.mails == {}, "each is removed"
    assert here.desk.taken == [], "none goes to the desk"
    assert here.desk.blind == []


@virtual
async def test_it_is_removed_and_the_first_proof_is_given_at_once() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(0.017)  # 10 ms of opening, and seven of the commands at 1 ms each.
    calls = [name for _, name in here.box.calls]
    assert calls[:6] == ["append", "poll", "search", "fetch", "remove", "fetch"]
    assert here.desk.proofs and here.box.mails == {}


@virtual
async def test_it_is_not_put_in_while_a_message_may_come_at_any_moment() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(600)
        for _ in range(40):
            here.desk.accept()
            await asyncio.sleep(0.5)
            here.box.put()
            assert len(here.box.appended) == 1
        here.desk.settle()
        await asyncio.sleep(31)
        assert len(here.box.appended) == 2


@virtual
async def test_without_a_pause_it_is_put_in_all_the_same() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(580)
        for _ in range(120):
            here.desk.accept()
            await asyncio.sleep(0.5)
            here.box.put()
    assert len(here.box.appended) == 2


@virtual
async def test_a_reader_that_shows_nothing_new_is_blind_and_is_replaced() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(100)
        here.box.freeze_sessions()
        await asyncio.sleep(480)
        assert len(here.box.logins) == 1, "nobody can know it yet"
        await asyncio.sleep(60)
        ((when, why),) = here.desk.blind
        assert why == BLIND
        put = here.box.appended[1][0]
        assert put + 10 < when < put + 13
        assert not [at for at in here.desk.proofs if put < at < when], (
            "nothing was proved meanwhile"
        )
        await asyncio.sleep(5)
        assert here.desk.proofs[-1] > when, "the new session shows it"
        assert here.box.mails == {}


@virtual
async def test_silence_is_looked_into_before_it_is_held_against_anybody() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(100)
        here.box.freeze_sessions()
        began = asyncio.get_running_loop().time()
        for _ in range(20):
            here.desk.accept()
            here.box.put()
            await asyncio.sleep(2)
        (when, why), *_ = here.desk.blind
        assert why == BLIND
        assert when < began + 35
        assert len(here.desk.taken) == 20, "the new session shows them all"


@virtual
async def test_silence_of_the_relays_alone_makes_nobody_blind() -> None:
    here = world()
    async with here.watching():
        for _ in range(150):
            here.desk.accept()
            await asyncio.sleep(2)
    assert here.desk.blind == []
    assert here.box.mails == {}
    assert 4 <= len(here.box.appended) <= 6, "one a minute"


@virtual
async def test_one_that_is_held_for_hours_does_not_call_for_more() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(1)
        here.desk.accept()
        await asyncio.sleep(3600)
    assert len(here.box.appended) <= 8


@virtual
async def test_while_it_is_blind_the_only_one_is_waited_for() -> None:
    here = world(Box(shown_below=1))
    async with here.watching():
        await asyncio.sleep(3500)
        assert here.desk.proofs == []
        assert {why for _, why in here.desk.blind} == {BLIND}
        assert len(here.box.appended) == 1
        assert len(here.box.logins) < 120, "logins are few"
        here.box.shown_below = 100
        await asyncio.sleep(45)
        assert here.desk.proofs
        assert here.box.mails == {}


@virtual
async def test_blind_for_hours_another_one_is_tried_now_and_then() -> None:
    here = world(Box(shown_below=1))
    async with here.watching():
        await asyncio.sleep(2.5 * 3600)
        assert len(here.box.appended) == 3
        here.box.shown_below = 100
        await asyncio.sleep(45)
    assert here.box.mails == {}, "all are removed in the end"


@virtual
async def test_a_search_that_lags_behind_is_blind_too() -> None:
    here = world(Box(found_below=1))
    async with here.watching():
        await asyncio.sleep(300)
        assert here.desk.proofs == []
        here.box.found_below = 100
        await asyncio.sleep(45)
        assert here.desk.proofs
        assert here.box.mails == {}


@virtual
async def test_what_somebody_else_takes_away_makes_nobody_blind_twice(caplog) -> None:
    here = world(Box(takes_away=True))
    async with here.watching():
        await asyncio.sleep(4000)
    assert len(here.desk.blind) == 1
    assert len(here.box.appended) == 1
    assert max(b - a for a, b in pairwise(here.desk.proofs)) < 31
    assert "somebody else takes them away" in caplog.text


@virtual
async def test_another_message_that_is_shown_shows_as_much() -> None:
    here = world(Box(takes_away=True))
    async with here.watching():
        await asyncio.sleep(5)
        here.box.put()
        await asyncio.sleep(60)
    assert here.desk.blind == []


@virtual
async def test_without_uidplus_there_are_none() -> None:
    here = world(Box(can_uidplus=False))
    async with here.watching():
        await asyncio.sleep(1000)
    assert here.box.count("append") == 0
    assert here.desk.proofs and here.desk.blind == []


@virtual
async def test_a_refusal_is_told_once_and_tried_again_in_the_next_session(caplog) -> None:
    here = world(Box(refuses_append="[OVERQUOTA] full"))
    async with here.watching():
        await asyncio.sleep(2000)
        assert here.box.count("append") == 1
        assert here.desk.blind == []
        assert max(b - a for a, b in pairwise(here.desk.proofs)) < 31
        for refusal in ("[OVERQUOTA] full", ""):
            here.box.broken, here.box.refuses_append = "reset", refusal
            here.box.stirred.set()
            await asyncio.sleep(5)
            here.box.broken = ""
            await asyncio.sleep(60)
    assert here.box.count("append") == 3
    assert len(here.box.appended) == 1
    assert caplog.text.count("takes no control message ([OVERQUOTA] full)") == 1


@virtual
async def test_a_server_that_breaks_at_it_is_read_all_the_same() -> None:
    here = world(Box(breaks_append=True))
    async with here.watching():
        await asyncio.sleep(3600)
    assert here.box.count("append") <= 7
    assert len(here.desk.proofs) > 100
    assert here.desk.proofs[0] < 1


@virtual
async def test_what_cannot_be_removed_does_not_pile_up(caplog) -> None:
    here = world(Box(keeps=True))
    async with here.watching():
        await asyncio.sleep(3600)
    assert len(here.box.appended) <= 3
    assert len(here.desk.blind) == 2
    assert len(here.desk.proofs) > 100
    assert "they cannot be removed" in caplog.text


@virtual
async def test_a_removal_is_not_believed(caplog) -> None:
    here = world(Box(pretends=True))
    async with here.watching():
        await asyncio.sleep(3600)
    assert len(here.box.appended) == 1
    assert here.desk.blind == []
    assert "they cannot be removed" in caplog.text


@pytest.mark.parametrize("scanned", [True, False])
def test_left_overs_of_a_killed_run_are_removed(scanned: bool) -> None:
    @virtual
    async def scenario() -> None:
        here = world()
        other = replace(SEAL, instance="fra2")
        ours, theirs = here.box.put(left_over()), here.box.put(left_over(other))
        mail = here.box.put(b"Subject: x\r\n")
        if scanned:
            start = Position("corp", "INBOX", 7, 1, scanned=True)
            here.journal.positions["corp", "INBOX"] = start
        async with here.watching():
            await asyncio.sleep(40)
        assert ours not in here.box.mails
        assert {theirs, mail} <= set(here.box.mails)
        assert here.desk.blind == []

    scenario()


@virtual
async def test_two_instances_on_one_mailbox_leave_each_other_in_peace() -> None:
    one = world()
    other = world(one.box, replace(SEAL, instance="fra2"))
    async with one.watching(), other.watching():
        for _ in range(90):
            one.desk.accept()
            other.desk.accept()
            one.box.put()
            await asyncio.sleep(20)
        await asyncio.sleep(700)
    assert one.desk.blind == other.desk.blind == []
    tags = {uid for uid, header in one.box.mails.items() if b"X-Mailprobe: t" in header}
    assert set(one.box.mails) == tags
    assert tags <= set(one.desk.uids) and tags <= set(other.desk.uids)


@virtual
async def test_a_folder_that_was_made_anew_is_not_asked_for_the_old_one() -> None:
    here = world(Box(shown_below=1))
    async with here.watching():
        await asyncio.sleep(30)
        here.box.shown_below = 100
        here.box.mails.clear()
        here.box.renumber(8)
        await asyncio.sleep(60)
        assert here.desk.proofs
        assert len(here.box.appended) == 2


@virtual
async def test_no_control_message_goes_into_the_junk_folder() -> None:
    here = World(Box(), junk=Box())
    async with here.watching(Folder.JUNK):
        await asyncio.sleep(700)
    assert here.junk is not None
    assert here.junk.count("append") == 0


@virtual
async def test_the_measured_moment_is_not_later_for_it() -> None:
    here = world()
    async with here.watching():
        await asyncio.sleep(599)
        for _ in range(30):
            here.desk.accept()
            await asyncio.sleep(0.02)
            truth = asyncio.get_running_loop().time()
            here.box.put()
            await asyncio.sleep(0.9)
            assert here.desk.taken[-1].seen - truth < 0.012
