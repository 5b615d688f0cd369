"""The watcher against a folder in memory, in virtual time: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from probe.core.cadence import Expectation
from probe.core.model import Folder, ImapServer, Mailbox, Place
from probe.engine.login_gate import LoginGate
from probe.engine.watcher import FolderWatcher
from probe.ports import Fetched, ImapFailure, ImapLoginRefused, Position
from tests.engine.virtual import LoopClock, VirtualLoop


@dataclass
class Box:
    """A folder on a server."""

    uidvalidity: int = 7
    uidnext: int = 1
    mails: dict[int, bytes] = field(default_factory=dict)
    broken: str = ""  # Why nothing works.
    silent: bool = False  # Nothing is answered.
    logins: list[float] = field(default_factory=list)
    refuses: bool = False
    keeps: bool = False  # Nothing can be removed.
    used: float | None = 0.5  # Of its quota.
    hides: bool = False  # The quota cannot be read.
    calls: list[tuple[float, str]] = field(default_factory=list)
    fetched: int = 0
    news: int = 0
    stirred: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, header: bytes = b"X-Mailprobe: t\r\n") -> int:
        uid = self.uidnext
        self.mails[uid] = header
        self.uidnext += 1
        self.news += 1
        self.stirred.set()
        return uid

    def renumber(self, uidvalidity: int) -> None:
        self.uidvalidity = uidvalidity
        self.mails = {at + 1: mail for at, mail in enumerate(self.mails.values())}
        self.uidnext = len(self.mails) + 1

    def count(self, call: str) -> int:
        return sum(name == call for _, name in self.calls)


class BoxSession:
    can_uidplus = True
    certificate_end = 2e9

    def __init__(self, box: Box, folder: str) -> None:
        self.box, self.folder = box, folder
        self.uidvalidity, self.uidnext = box.uidvalidity, box.uidnext
        self.exists = len(box.mails)
        self.announced = 0
        self._news = box.news

    async def _call(self, name: str) -> None:
        self.box.calls.append((asyncio.get_running_loop().time(), name))
        await asyncio.sleep(0.001)
        if self.box.silent:
            await asyncio.Event().wait()
        if self.box.broken or self.uidvalidity != self.box.uidvalidity:
            raise ImapFailure(self.box.broken or "renumbered")

    def _hear(self) -> None:
        self.exists = len(self.box.mails)
        self.announced += self.box.news > self._news
        self._news = self.box.news

    async def poll(self) -> int:
        await self._call("poll")
        self._hear()
        return self.exists

    async def idle(self, seconds: float) -> None:
        await self._call("idle")
        self.box.stirred.clear()
        try:
            async with asyncio.timeout(seconds):
                await self.box.stirred.wait()
        except TimeoutError:
            return
        if self.box.broken:
            raise ImapFailure(self.box.broken)
        self._hear()

    async def search(self, first_uid: int) -> list[int]:
        await self._call("search")
        return sorted(uid for uid in self.box.mails if uid >= first_uid)

    async def search_tagged(self, first: int, last: int) -> list[int]:
        await self._call("search_tagged")
        assert last - first < 2000, "a scan goes in chunks"
        numbered = sorted(self.box.mails)[first - 1 : last]
        return [uid for uid in numbered if b"X-Mailprobe" in self.box.mails[uid]]

    async def fetch(self, uids: Sequence[int], *, body: bool) -> list[Fetched]:
        if not uids:
            return []
        await self._call("fetch")
        self.box.fetched += len(uids)
        mails = self.box.mails
        return [Fetched(u, 9, mails[u], b"body" if body else b"") for u in uids if u in mails]

    async def remove(self, uids: Sequence[int]) -> None:
        if not uids:
            return
        await self._call("remove")
        if self.box.keeps:
            raise ImapFailure("read-only")
        for uid in uids:
            self.box.mails.pop(uid, None)

    async def quota(self) -> float | None:
        await self._call("quota")
        if self.box.hides:
            raise ImapFailure("no end within 10 s")
        return self.box.used


class BoxReader:
    def __init__(self, inbox: Box, junk: Box | None = None) -> None:
        self.mailbox = Mailbox("corp", "probe@corp.test", ImapServer("imap.test", 993, "probe"))
        self.boxes = {"INBOX": inbox, "Spam": junk}

    @asynccontextmanager
    async def open(self, folder: str) -> AsyncIterator[BoxSession]:
        box = self.boxes[folder]
        assert box is not None
        box.logins.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.01)
        if box.refuses:
            raise ImapLoginRefused("no")
        if box.broken:
            raise ImapFailure(box.broken)
        yield BoxSession(box, folder)

    async def junk_folder(self) -> str | None:
        return "Spam" if self.boxes["Spam"] else None


@dataclass
class Memory:
    """The part of the journal that watchers use."""

    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    done: list[Place] = field(default_factory=list)

    async def position(self, mailbox: str, folder: str) -> Position | None:
        return self.positions.get((mailbox, folder))

    async def advance(self, position: Position) -> None:
        self.positions[position.mailbox, position.folder] = position

    async def to_clean(self, mailbox: str, folder: str, now: float, limit: int) -> list[Place]:
        return [p for p in self.places if (p.mailbox, p.folder) == (mailbox, folder)][:limit]

    async def cleaned(self, places: Sequence[Place]) -> None:
        self.done += places
        self.places = [place for place in self.places if place not in places]


@dataclass
class Taker:
    """A desk that remembers."""

    expected: Expectation = field(default_factory=Expectation)
    event: asyncio.Event = field(default_factory=asyncio.Event)
    taken: list[tuple[int, float, bool, bytes]] = field(default_factory=list)
    proofs: list[float] = field(default_factory=list)
    blind: list[tuple[float, str]] = field(default_factory=list)
    missing: int = 0
    shares: list[tuple[float, float | None]] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    refusing: bool = False

    def wake(self, mailbox: str) -> asyncio.Event:
        return self.event

    def expecting(self, mailbox: str) -> Expectation:
        return self.expected

    def wants_body(self, header: bytes) -> bool:
        return b"X-Mailprobe" in header or b"report" in header

    def is_ours(self, content: bytes) -> bool:
        return b"X-Mailprobe: t" in content

    async def receive(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        if self.refusing:
            raise ImapFailure("the desk is closed")
        self.taken.append((place.uid, seen, rescan, fetched.body))

    def proved(self, mailbox: str, folder: Folder, started: float) -> None:
        self.proofs.append(started)

    def blinded(self, mailbox: str, folder: Folder, why: str) -> None:
        self.blind.append((asyncio.get_running_loop().time(), why))

    def absent(self, mailbox: str, folder: Folder) -> None:
        self.missing += 1

    def filled(self, mailbox: str, share: float | None) -> None:
        self.shares.append((asyncio.get_running_loop().time(), share))

    def certified(self, mailbox: str, end: float) -> None:
        self.ends.append(end)

    @property
    def uids(self) -> list[int]:
        return [uid for uid, *_ in self.taken]

    def launch(self) -> None:
        self.expected = Expectation(1, None)
        self.event.set()

    def accept(self) -> None:
        self.expected = Expectation(1, asyncio.get_running_loop().time())
        self.event.set()


class FixedSecret:
    value = "one"

    def read(self) -> str:
        return self.value


@dataclass
class World:
    box: Box
    junk: Box | None = None
    journal: Memory = field(default_factory=Memory)
    desk: Taker = field(default_factory=Taker)
    secret: FixedSecret = field(default_factory=FixedSecret)
    turns: deque[float] = field(default_factory=deque)

    @asynccontextmanager
    async def watching(self, folder: Folder = Folder.INBOX) -> AsyncIterator[None]:
        clock = LoopClock()
        watcher = FolderWatcher(
            BoxReader(self.box, self.junk),
            folder,
            desk=self.desk,
            journal=self.journal,  # type: ignore[arg-type]
            clock=clock,
            gate=LoginGate(self.secret, clock),
            chance=random.Random(1),
            turned=lambda: self.turns.append(clock.now()),
        )
        task = asyncio.create_task(watcher.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert task.cancelled(), task


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time."""

    def run() -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test())

    run.__name__ = test.__name__
    return run


@virtual
async def test_new_mail_is_received_and_then_read() -> None:
    world = World(Box())
    async with world.watching():
        await asyncio.sleep(1)
        world.box.put()
        world.box.put(b"Subject: other\r\n")
        await asyncio.sleep(1)
    assert [(uid, body) for uid, _, _, body in world.desk.taken] == [(1, b"body"), (2, b"")]
    assert world.journal.positions["corp", "INBOX"].next_uid == 3
    assert world.desk.blind == []


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
    assert not any(rescan for _, _, rescan, _ in world.desk.taken)


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
            error = world.desk.taken[-1][1] - truth
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
        (found,) = [one for one in world.desk.taken if one[0] == new]
        assert found[1] - truth < 0.02
        assert not found[2]
        assert world.journal.positions["corp", "INBOX"].scanned
    old = [uid for uid, _, rescan, _ in world.desk.taken if rescan]
    assert len(old) == 10
    assert world.box.fetched == 22, "only headers and bodies of tagged messages"
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
    again = [(uid, rescan) for uid, _, rescan, _ in world.desk.taken][2:]
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
        assert [share for _, share in world.desk.shares] == [0.5, None]
        assert world.desk.shares[0][0] < 1
    assert set(world.desk.ends) == {2e9}


@virtual
async def test_a_quota_that_cannot_be_read_is_asked_for_less_and_less_often() -> None:
    world = World(Box(hides=True))
    async with world.watching():
        await asyncio.sleep(6 * 3600)
    assert 6 <= world.box.count("quota") <= 10
    assert len(world.desk.blind) == world.box.count("quota")
    assert world.desk.shares == []
