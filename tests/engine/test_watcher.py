"""The watcher against a folder in memory, in virtual time: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from probe.core.cadence import Expectation
from probe.core.model import Folder, Place
from probe.core.quota import Quota
from probe.ports import Position
from tests.engine.folder_world import Box, VirtualLoop, World, virtual


@virtual
async def test_new_mail_is_received_and_then_read() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(1)
        world.box.put()
        world.box.put(b"Subject: other\r\n")
        await asyncio.sleep(1)
    assert [(one.place.uid, one.message.body) for one in world.desk.taken] == [
        (1, b"body"),
        (2, b""),
    ]
    assert world.journal.positions["corp", "INBOX"].next_uid == 3
    assert world.desk.blind == []


@virtual
async def test_what_is_expected_is_fetched_whole_at_once() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(1)
        world.desk.accept()
        world.box.put()
        await asyncio.sleep(0.1)
        assert world.box.count("fetch") == 1
        world.box.put(b"Subject: other\r\n")
        await asyncio.sleep(1)
    assert [(one.place.uid, one.message.body) for one in world.desk.taken] == [
        (1, b"body"),
        (2, b""),
    ]


@virtual
async def test_more_than_is_expected_is_looked_through_by_headers() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(1)
        world.desk.accept()
        world.box.put(b"Subject: other\r\n")
        world.box.put()
        await asyncio.sleep(0.1)
    assert world.box.count("fetch") == 2 and world.box.fetched == 3
    assert [(one.place.uid, one.message.body) for one in world.desk.taken] == [
        (1, b""),
        (2, b"body"),
    ]


@virtual
async def test_the_position_stays_until_the_desk_has_taken_the_message() -> None:
    world = World(Box())
    world.desk.refusing = True
    async with world.watching():
        await asyncio.sleep(1)
        world.box.put()
        await asyncio.sleep(3)
        assert world.journal.positions["corp", "INBOX"].next_uid == 1
        world.desk.refusing = False
        await asyncio.sleep(60)
    assert world.desk.uids == [1]


@virtual
async def test_a_new_watcher_goes_on_where_the_last_one_was() -> None:
    world = World(Box())
    for _ in range(3):
        async with world.watching():
            await asyncio.sleep(1)
            world.box.put()
            await asyncio.sleep(1)
        world.box.put()
    assert world.desk.uids == [1, 2, 3, 4, 5]
    assert not any(one.rescan for one in world.desk.taken)


@virtual
async def test_the_measured_moment_is_close_to_the_arrival() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(5)
        for delay in (0.0, 0.011, 0.03, 0.3, 5.0, 50.0):
            world.desk.launch()
            await asyncio.sleep(0.05)
            world.desk.accept()
            await asyncio.sleep(delay)
            truth = asyncio.get_running_loop().time()
            world.box.put()
            await asyncio.sleep(3)
            error = world.desk.taken[-1].seen - truth
            assert 0 <= error < max(0.009, 0.1 * delay + 0.003)
            world.desk.expected = Expectation()
            await asyncio.sleep(40)


@virtual
async def test_something_in_flight_is_searched_for_every_two_seconds() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(1)
        world.desk.accept()
        await asyncio.sleep(60)
    late = [at for at in world.desk.proofs if at > 1]
    assert max(b - a for a, b in pairwise(late)) < 2.02
    assert world.box.count("poll") < 150


@virtual
async def test_a_quiet_folder_is_left_in_peace() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(3600)
    assert 118 < world.box.count("search") < 124
    assert world.box.count("idle") < 124
    assert max(b - a for a, b in pairwise(world.desk.proofs)) < 31


@virtual
async def test_between_two_messages_that_follow_each_other_there_is_no_idle() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(1)
        idled = world.box.count("idle")
        for _ in range(20):
            world.desk.accept()
            world.box.put()
            await asyncio.sleep(0.05)
            world.desk.expected = Expectation(0, world.desk.expected.youngest)
            await asyncio.sleep(0.45)
        assert world.box.count("idle") == idled
        await asyncio.sleep(1)
        assert world.box.count("idle") == idled + 1
    assert len(world.desk.taken) == 20


@virtual
async def test_a_lost_connection_is_told_and_replaced_with_backoff() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(100)
        world.box.broken = "reset"
        world.box.stirred.set()
        await asyncio.sleep(300)
        gaps = [b - a for a, b in pairwise(world.box.logins)][1:]
        assert gaps[0] < 0.5
        assert 15 < gaps[-1] < 31
        assert len(gaps) < 25
        assert {why for _, why in world.desk.blind} == {"reset"}
        proved = len(world.desk.proofs)
        world.box.broken = ""
        uid = world.box.put()
        await asyncio.sleep(31)
    assert world.desk.uids == [uid]
    assert len(world.desk.proofs) > proved


@virtual
async def test_a_half_dead_connection_is_found_within_seconds() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(10)
        world.box.silent = True
        world.desk.accept()
        await asyncio.sleep(6)
        assert "did not answer within 5 s" in world.desk.blind[0][1]
        world.box.silent = False
        world.box.put()
        await asyncio.sleep(6)
    assert world.desk.uids == [1]


@virtual
async def test_refused_logins_are_few_and_a_new_secret_is_tried_at_once() -> None:
    world = World(Box(refuses=True))
    async with world.watching():
        await asyncio.sleep(299)
        assert len(world.box.logins) == 3
        await asyncio.sleep(901)
        assert len(world.box.logins) == 6
        world.secret.value = "two"
        world.box.refuses = False
        await asyncio.sleep(1.5)
        assert len(world.box.logins) == 7
        assert world.desk.proofs
    turns = list(world.turns)
    assert max(b - a for a, b in pairwise(turns)) < 31


@virtual
async def test_a_full_mailbox_is_scanned_once_and_slows_nothing() -> None:
    world = World(Box())
    for number in range(100_000):
        world.box.put(b"X-Mailprobe: t\r\n" if number % 10_000 == 5 else b"Subject: x\r\n")
    async with world.watching():
        await asyncio.sleep(0.2)
        assert world.desk.proofs, "nothing that was there before is awaited on the first start"
        world.desk.accept()
        await asyncio.sleep(0.011)
        truth = asyncio.get_running_loop().time()
        new = world.box.put()
        await asyncio.sleep(20)
        (found,) = [one for one in world.desk.taken if one.place.uid == new]
        assert found.seen - truth < 0.02
        assert not found.rescan
        assert world.journal.positions["corp", "INBOX"].scanned
    old = [one.place.uid for one in world.desk.taken if one.rescan]
    assert len(old) == 10
    assert world.box.fetched <= 22, "only headers and bodies of tagged messages"
    before = world.box.count("search_tagged")
    async with world.watching():
        await asyncio.sleep(20)
    assert world.box.count("search_tagged") == before, "it is scanned once"


@virtual
async def test_a_new_uidvalidity_means_everything_is_looked_at_again() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(1)
        world.box.put()
        world.box.put(b"Subject: other\r\n")
        await asyncio.sleep(1)
        world.box.mails[99] = b"X-Mailprobe: t\r\n"
        world.box.renumber(8)
        proved = len(world.desk.proofs)
        await asyncio.sleep(40)
        assert len(world.desk.proofs) > proved
    again = [(one.place.uid, one.rescan) for one in world.desk.taken][2:]
    assert sorted(again) == [(1, True), (3, True)]
    position = world.journal.positions["corp", "INBOX"]
    assert (position.uidvalidity, position.next_uid, position.scanned) == (8, 4, True)


@virtual
async def test_nothing_is_proved_while_awaited_mail_may_be_among_the_old() -> None:
    world = World(Box())
    world.journal.positions["corp", "INBOX"] = Position("corp", "INBOX", 6, 5, scanned=True)
    for _ in range(120):
        world.box.put()
    async with world.watching():
        while len(world.desk.taken) < 120:
            assert world.desk.proofs == []
            await asyncio.sleep(0.001)
        await asyncio.sleep(31)
        assert world.desk.proofs


@virtual
async def test_a_great_backlog_is_scanned_and_not_fetched() -> None:
    world = World(Box())
    world.journal.positions["corp", "INBOX"] = Position("corp", "INBOX", 7, 5, scanned=True)
    for _ in range(20_000):
        world.box.put(b"Subject: x\r\n")
    uid = world.box.put()
    async with world.watching():
        await asyncio.sleep(20)
    assert world.desk.uids == [uid]
    assert world.box.fetched == 2


@virtual
async def test_expunged_messages_hide_none_from_a_scan() -> None:
    world = World(Box())
    for _ in range(1000):
        world.box.put()
    async with world.watching():
        await asyncio.sleep(0.05)
        assert 1 < world.box.count("search_tagged") < 5
        for uid in range(1, 300, 2):
            del world.box.mails[uid]
        await asyncio.sleep(20)
    assert set(world.box.mails) <= set(world.desk.uids)


@virtual
async def test_junk_is_watched_more_calmly() -> None:
    world = World(Box(), junk=Box())
    async with world.watching(Folder.JUNK):
        await asyncio.sleep(1)
        for _ in range(50):
            world.desk.accept()
            await asyncio.sleep(0.02)
        assert world.junk is not None
        assert world.junk.count("poll") < 14
        world.junk.put()
        await asyncio.sleep(0.2)
    assert world.desk.uids == [1]


@virtual
async def test_a_missing_junk_folder_is_told_and_looked_for_again() -> None:
    world = World(Box())
    async with world.watching(Folder.JUNK):
        await asyncio.sleep(650)
    assert world.desk.missing == 3
    assert world.desk.blind == []


@virtual
async def test_only_our_own_messages_are_removed() -> None:
    world = World(Box())
    mine, other = world.box.put(), world.box.put(b"Subject: other\r\n")
    report = world.box.put(b"Content-Type: multipart/report\r\n")
    places = [Place("corp", "INBOX", 7, uid) for uid in (mine, other, report, 77)]
    old = Place("corp", "INBOX", 6, other)
    world.journal.places = [*places, old]
    async with world.watching():
        await asyncio.sleep(100)
    assert set(world.box.mails) == {other, report}
    assert world.journal.done == [*places, old], "what is gone or not ours is not tried again"


@virtual
async def test_a_folder_that_refuses_removal_is_still_read() -> None:
    world = World(Box(keeps=True))
    uid = world.box.put()
    world.journal.places = [Place("corp", "INBOX", 7, uid)]
    async with world.watching():
        await asyncio.sleep(3600)
    assert 3 < world.box.count("remove") < 8
    assert len(world.desk.proofs) > 110


@pytest.mark.parametrize("turns", range(40))
def test_cancelled_at_any_moment_it_ends(turns: int) -> None:
    async def scenario() -> None:
        world = World(Box())
        world.box.put()
        async with world.watching():
            for _ in range(turns):
                await asyncio.sleep(0)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario())


@virtual
async def test_the_quota_is_read_at_once_and_every_five_minutes_by_the_inbox_only() -> None:
    world = World(Box(), Box())
    async with world.watching(), world.watching(Folder.JUNK):
        await asyncio.sleep(5)
        world.box.used = None
        await asyncio.sleep(295 + 35)
        assert [quota for _, quota in world.desk.quotas] == [Quota(0.5), None]
        assert world.desk.quotas[0][0] < 1
    assert set(world.desk.ends) == {2e9}


@virtual
async def test_a_quota_that_cannot_be_read_is_asked_for_less_and_less_often() -> None:
    world = World(Box(hides=True))
    async with world.watching():
        await asyncio.sleep(6 * 3600)
    assert 6 <= world.box.count("quota") <= 10
    assert len(world.desk.blind) == world.box.count("quota")
    assert world.desk.quotas == []


@virtual
async def test_a_full_mailbox_is_measured_again_soon() -> None:
    world = World(Box(used=Quota(0.99, room=1000)))
    async with world.watching():
        await asyncio.sleep(65)
        assert len(world.desk.quotas) == 3, "with every poll of a quiet mailbox"
        world.box.used = Quota(0.5)
        await asyncio.sleep(200)
    assert [quota for _, quota in world.desk.quotas].count(Quota(0.5)) == 1


@virtual
async def test_the_quota_is_read_soon_while_a_message_is_missing() -> None:
    """It may be why."""
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(60)
        assert len(world.desk.quotas) == 1
        world.desk.expected = Expectation(1, asyncio.get_running_loop().time(), urgent=True)
        world.desk.event.set()
        world.box.used = Quota(1.0, room=0.0)
        await asyncio.sleep(2)
    assert [quota for _, quota in world.desk.quotas] == [Quota(0.5), Quota(1.0, room=0.0)]
