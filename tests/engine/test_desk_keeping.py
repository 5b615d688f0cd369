"""How long what was found stays, and what is never removed."""

import asyncio
from dataclasses import replace

import pytest

from probe.core import tag
from probe.core.ledger import Ledger
from probe.core.message import compose
from probe.core.model import Folder, Place, Probe, Timeouts
from probe.core.record import Record
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.desk import Desk
from probe.engine.findings import Findings
from probe.engine.rivals import SHOWN
from probe.ports import Fetched
from tests.engine.world import (
    ACCEPTED,
    KEY,
    MAILBOX,
    SENDER,
    FakeJournal,
    FakeMetrics,
)
from tests.hand_turned import HandTurnedClock

SIGNED_BY = b"k" * 16
RIVAL = "ba9876543210"
NOW = 2_000_000.0


class World:
    """A desk to which messages are brought by hand."""

    def __init__(self) -> None:
        self.clock, self.journal, self.metrics = HandTurnedClock(NOW), FakeJournal(), FakeMetrics()
        sights = {"corp": Sight(frozenset({"inbox"}), NOW - 100, None)}
        sights["corp"].proved("inbox", NOW)
        self.ledger = Ledger(sights)
        self.books = Books(
            self.ledger, journal=self.journal, metrics=self.metrics, clock=self.clock
        )
        self.books.open(KEY)
        self.senders = {"shop": SENDER}
        findings = Findings(sights, clock=self.clock)
        self.desk = Desk(
            instance="test",
            keys=[SIGNED_BY],
            lifetime=3600.0,
            senders=self.senders,
            mailboxes={"corp": MAILBOX},
            sights=sights,
            books=self.books,
            findings=findings,
            journal=self.journal,
            metrics=self.metrics,
            clock=self.clock,
            wakes={"corp": asyncio.Event()},
        )
        self.uid = 0

    def token(self, sequence: int, *, journal: str = FakeJournal.id, age: float = 0.0) -> str:
        made = tag.make(journal, "test", KEY, sequence=sequence, time=self.clock.now() - age)
        return tag.sign(made, SIGNED_BY)

    def launch(self) -> str:
        """A probe is on its way; its token."""
        sequence, now = self.journal.next_sequence(), self.clock.now()
        token = self.token(sequence)
        probe = Probe(sequence, KEY, now, now, token, 60.0, 3600.0)
        self.journal.records[sequence] = Record(probe)
        self.ledger.launched(Record(probe), Timeouts())
        return token

    def accept(self) -> str:
        """A probe was accepted; its token."""
        token = self.launch()
        self.end(token)
        return token

    def end(self, token: str) -> None:
        """The relay has accepted a probe that was launched."""
        read = tag.read(token)
        assert read is not None
        accepted = replace(ACCEPTED, ended=self.clock.now())
        self.books.post(self.ledger.submitted(read.sequence, accepted))

    async def receive(self, token: str, folder: Folder = Folder.INBOX) -> bytes:
        """The message of this token lies in the mailbox; its header."""
        self.uid += 1
        content = compose(token, SENDER, MAILBOX.address, instance="test", route=KEY).content
        header, _, body = content.partition(b"\r\n\r\n")
        fetched = Fetched(self.uid, len(content), header + b"\r\n\r\n", body)
        place = Place("corp", "INBOX", 1, self.uid)
        await self.desk.receive(fetched, place, folder, self.clock.now() + 1, rescan=False)
        return fetched.header

    def kept(self) -> list[float]:
        """For how long each message that was found stays."""
        return [round(expunge - self.clock.now() - 1) for _, _, expunge in self.journal.kept]


async def test_a_good_probe_stays_for_keep_and_what_is_worth_a_look_for_keep_failed() -> None:
    world = World()
    token = world.accept()
    await world.receive(token)
    await world.receive(token)
    await world.receive(world.accept(), Folder.JUNK)
    assert world.metrics.count("duplicate", KEY) == 1
    assert world.kept() == [MAILBOX.keep, MAILBOX.keep_failed, MAILBOX.keep_failed]


async def test_a_message_that_is_there_before_its_final_reply_stays_no_longer() -> None:
    world = World()
    token = world.launch()
    await world.receive(token)
    world.end(token)
    assert world.metrics.count("judged", KEY, "None") == 1
    assert world.kept() == [MAILBOX.keep]


async def test_a_probe_of_a_sender_that_is_configured_no_longer_is_still_counted() -> None:
    world = World()
    token = world.accept()
    world.senders.clear()
    await world.receive(token)
    assert world.metrics.count("delivered", KEY) == 1


async def test_a_second_prober_of_our_name_is_reported_for_as_long_as_it_writes() -> None:
    world = World()
    assert not world.desk.conflict
    header = await world.receive(world.token(5, journal=RIVAL))
    assert world.desk.conflict
    assert not world.desk.is_ours(header)
    assert world.metrics.count("unmatched", "corp", "foreign") == 1
    assert world.metrics.count("delivered") == 0
    world.clock.moment += SHOWN + 1
    assert not world.desk.conflict


@pytest.mark.parametrize("alive", [False, True])
async def test_an_old_journal_is_ours_unless_it_is_alive(alive: bool) -> None:
    """A second prober that has run for longer than we: its older mail looks like orphans."""
    world = World()
    world.journal.created = NOW - 60
    header = await world.receive(world.token(5, journal=RIVAL, age=100))
    assert world.metrics.count("unmatched", "corp", "orphan") == 1
    if alive:
        await world.receive(world.token(6, journal=RIVAL))
    assert world.desk.is_ours(header) is not alive
