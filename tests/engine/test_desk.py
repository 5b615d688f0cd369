"""What the watchers find, and what it says about the probes."""

import asyncio
import logging
from dataclasses import replace

import pytest

from probe.core.ledger import Ledger
from probe.core.model import (
    EnvelopeMode,
    Folder,
    Mailbox,
    Place,
    Probe,
    Reason,
    Sender,
    Timeouts,
    UnknownCause,
)
from probe.core.record import Bad, Good, Record, Unknown
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.desk import Desk
from probe.engine.findings import Findings
from probe.engine.rivals import SHOWN
from probe.engine.scribe import Scribe
from probe.ports import Fetched, Letter
from tests.engine.world import (
    ACCEPTED,
    KEY,
    MAILBOX,
    ROUTE,
    SENDER,
    FakeJournal,
    FakeMetrics,
)
from tests.hand_turned import HandTurnedClock

SECRET = b"k" * 16
BACK = replace(MAILBOX, name="back", address="back@corp.example")
WEEK = 7 * 86400.0


class World:
    def __init__(
        self,
        sender: Sender = SENDER,
        senders: tuple[Sender, ...] | None = None,
        *,
        former: str = "test",
    ) -> None:
        """`former`: what the instance was called when it wrote its letters."""
        self.clock = HandTurnedClock(1_800_000_000.0)
        self.journal, self.metrics = FakeJournal(), FakeMetrics()
        self.began = self.clock.now()
        self.mailboxes: dict[str, Mailbox] = {"corp": MAILBOX, "back": BACK}
        sights = {name: Sight(frozenset({"inbox"}), self.began, None) for name in self.mailboxes}
        self.ledger = Ledger(sights)
        self.books = Books(
            self.ledger, journal=self.journal, metrics=self.metrics, clock=self.clock
        )
        self.books.open(KEY)
        self.scribe = self._scribe(self.journal, sender, former)
        self.findings = Findings(sights, clock=self.clock)
        self.desk = Desk(
            instance="test",
            keys=[SECRET],
            lifetime=WEEK,
            senders={one.name: one for one in (senders or (sender,))},
            mailboxes=self.mailboxes,
            sights=sights,
            books=self.books,
            findings=self.findings,
            journal=self.journal,
            metrics=self.metrics,
            clock=self.clock,
            wakes={name: asyncio.Event() for name in self.mailboxes},
        )
        for name in self.mailboxes:
            self.desk.proved(name, Folder.INBOX, self.began)

    def _scribe(self, journal: FakeJournal, sender: Sender, instance: str = "test") -> Scribe:
        return Scribe(
            instance=instance,
            key=SECRET,
            senders={sender.name: sender},
            mailboxes=self.mailboxes,
            journal=journal,
            clock=self.clock,
        )

    def launch(self) -> tuple[Probe, Letter]:
        probe, letter = self.scribe.write(ROUTE, self.clock.now())
        self.journal.records[probe.sequence] = Record(probe)
        self.ledger.launched(Record(probe), Timeouts())
        return probe, letter

    def accept(self, probe: Probe) -> None:
        attempt = replace(ACCEPTED, ended=self.clock.now())
        self.books.post(self.ledger.submitted(probe.sequence, attempt))

    def submit(self) -> tuple[Probe, Letter]:
        probe, letter = self.launch()
        self.accept(probe)
        return probe, letter

    async def receive(
        self,
        content: bytes,
        *,
        uid: int = 1,
        mailbox: str = "corp",
        folder: Folder = Folder.INBOX,
        rescan: bool = False,
    ) -> None:
        header, _, body = content.partition(b"\r\n\r\n")
        fetched = Fetched(uid, len(content), header + b"\r\n\r\n", body)
        place = Place(mailbox, folder.value, 7, uid)
        await self.desk.receive(fetched, place, folder, self.clock.now(), rescan=rescan)

    def verdict(self, probe: Probe) -> object:
        return self.journal.records[probe.sequence].verdict

    def kept(self, uid: int = 1) -> list[float]:
        """For how long a message is kept."""
        return [end - self.clock.now() for place, _, end in self.journal.kept if place.uid == uid]


def a_dsn(letter: Letter) -> bytes:
    return (
        b"From: mailer-daemon@relay.example\r\nTo: " + letter.sender.encode() + b"\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Original-Envelope-Id: " + letter.envelope_id.encode() + b"\r\n\r\n"
        b"Final-Recipient: rfc822; probe@corp.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + letter.content + b"\r\n--b--\r\n"
    )


async def test_a_message_that_arrives_is_counted_and_kept_for_an_hour() -> None:
    world = World()
    probe, letter = world.submit()
    await world.receive(letter.content)
    assert world.verdict(probe) == Good()
    assert world.metrics.count("delivered", KEY) == 1
    assert world.kept() == [MAILBOX.keep]


async def test_what_is_seen_before_its_submission_has_ended_is_kept_no_longer() -> None:
    world = World()
    probe, letter = world.launch()
    await world.receive(letter.content)
    assert world.kept() == [MAILBOX.keep]
    world.accept(probe)
    assert world.verdict(probe) == Good()


@pytest.mark.parametrize("folder", [Folder.INBOX, Folder.JUNK])
async def test_what_failed_is_kept_to_be_looked_at(folder: Folder) -> None:
    world = World()
    _, letter = world.launch()
    content = letter.content
    if folder is Folder.INBOX:
        content = content.replace(b"Line 03", b"Line XX")
    await world.receive(content, folder=folder)
    assert world.kept() == [MAILBOX.keep_failed]


async def test_copies_found_at_the_same_moment_are_one_arrival_and_one_copy() -> None:
    world = World()
    probe, letter = world.submit()
    record = replace(world.journal.records[probe.sequence], lost=True)
    world.journal.records[probe.sequence] = replace(record, verdict=Bad(Reason.OVERDUE))
    del world.ledger._open[probe.sequence]  # It was given up.
    async with asyncio.TaskGroup() as group:
        group.create_task(world.receive(letter.content, uid=1))
        group.create_task(world.receive(letter.content, uid=2, folder=Folder.JUNK))
    assert world.metrics.count("delivered", KEY) == 1
    assert world.metrics.count("duplicate", KEY) == 1
    assert len(world.journal.records[probe.sequence].places) == 2


async def test_a_probe_whose_sender_is_not_configured_any_more_blocks_nothing() -> None:
    world = World(senders=(replace(SENDER, name="other"),))
    probe, letter = world.scribe.write(ROUTE, world.clock.now())
    world.books.post([world.ledger.restore(Record(probe), UnknownCause.CONFIG)])
    await world.receive(letter.content)
    await world.receive(letter.content)
    assert world.metrics.count("failed") == 0
    assert world.metrics.count("delivered", KEY) == 1
    assert world.verdict(probe) == Unknown(UnknownCause.CONFIG)


async def test_what_comes_of_a_forgotten_route_is_cleaned_and_on_no_account() -> None:
    world = World()
    _, letter = world.submit()
    await world.receive(letter.content)
    world.books.drop(KEY)
    await world.receive(letter.content, uid=2)
    assert world.metrics.count("duplicate") == 0
    assert len(world.kept(2)) == 1


@pytest.mark.parametrize("step", [30 * 86400.0, -3600.0])
async def test_a_step_of_the_clock_makes_nothing_expire_that_is_on_its_way(step: float) -> None:
    world = World()
    probe, letter = world.submit()
    world.clock.offset = step
    await world.receive(letter.content)
    assert world.verdict(probe) == Good()
    assert world.metrics.count("unmatched") == 0
    assert world.desk.is_ours(letter.content), "it may be cleaned later"


async def test_an_old_message_that_is_played_again_is_expired() -> None:
    world = World()
    _, letter = world.submit()
    await world.receive(letter.content)
    world.clock.moment += WEEK + 1
    await world.receive(letter.content, uid=2)
    await world.receive(letter.content, uid=2, rescan=True)
    assert world.metrics.count("unmatched", "corp", "expired") == 1
    assert world.metrics.count("duplicate") == 0


async def test_a_message_that_we_stumble_over_does_not_hide_the_others() -> None:
    world = World()
    probe, letter = world.submit()
    del world.mailboxes["corp"]  # A bug of ours.
    await world.receive(letter.content)
    assert world.metrics.count("failed", "watcher") == 1
    world.mailboxes["corp"] = MAILBOX
    await world.receive(letter.content)
    assert world.verdict(probe) == Good()


async def test_a_second_prober_under_our_name_is_told_once_and_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, other = World(), FakeJournal()
    other.id = "ba9876543210"
    _, letter = world._scribe(other, SENDER).write(ROUTE, world.clock.now())
    with caplog.at_level(logging.WARNING):
        for uid in (1, 2):
            await world.receive(letter.content, uid=uid)
    assert len(caplog.records) == 1
    assert world.desk.conflict
    assert world.journal.kept == [] and not world.desk.is_ours(letter.content)
    world.clock.moment += SHOWN
    assert not world.desk.conflict


async def test_a_bounce_may_come_before_the_final_reply() -> None:
    world = World(replace(SENDER, envelope=EnvelopeMode.VERP))
    probe, letter = world.launch()
    await world.receive(a_dsn(letter), mailbox="back")
    assert world.metrics.count("bounced", KEY, "5.1.1") == 1
    assert world.verdict(probe) is None
    world.accept(probe)
    assert world.verdict(probe) == Bad(Reason.BOUNCED)


async def test_the_same_bounce_found_twice_counts_once() -> None:
    world = World()
    _, letter = world.submit()
    for rescan in (False, True):
        await world.receive(a_dsn(letter), mailbox="back", rescan=rescan)
    assert world.metrics.count("bounced", KEY) == 1
    assert world.metrics.count("judged", KEY, "bounced") == 1


async def test_a_message_in_the_wrong_mailbox_is_not_its_arrival() -> None:
    world = World()
    probe, letter = world.submit()
    await world.receive(letter.content, mailbox="back")
    assert world.verdict(probe) is None
    assert world.metrics.count("unmatched", "back", "foreign") == 1


async def test_what_was_sent_before_the_instance_was_renamed_still_counts() -> None:
    world = World(former="earlier")
    probe, letter = world.submit()
    await world.receive(letter.content)
    assert world.verdict(probe) == Good()
    assert world.metrics.count("delivered", KEY) == 1
    assert world.metrics.count("unmatched") == 0
    assert world.kept() == [MAILBOX.keep]
    assert world.desk.is_ours(letter.content)


async def test_a_bounce_of_what_was_sent_before_the_instance_was_renamed_counts_too() -> None:
    world = World(former="earlier")
    _, letter = world.submit()
    await world.receive(a_dsn(letter), mailbox="back")
    assert world.metrics.count("bounced", KEY) == 1
    assert world.desk.is_ours(a_dsn(letter))


async def test_what_a_copy_of_our_journal_signs_under_another_name_is_left_alone() -> None:
    world = World(former="copy")
    _, letter = world.scribe.write(ROUTE, world.clock.now())  # Our journal does not know of it.
    await world.receive(letter.content)
    assert world.metrics.count("unmatched", "corp", "foreign") == 1
    assert world.journal.kept == []


async def test_a_probe_of_another_journal_that_we_had_is_an_orphan() -> None:
    world, old = World(), FakeJournal()
    old.id = "ba9876543210"
    world.journal.created = world.clock.now() + 60
    _, letter = world._scribe(old, SENDER).write(ROUTE, world.clock.now())
    await world.receive(letter.content)
    assert world.metrics.count("unmatched", "corp", "orphan") == 1
    assert world.kept() == [MAILBOX.keep]


async def test_what_we_were_killed_in_is_accounted_for_when_it_arrives() -> None:
    world = World()
    probe, letter = world.scribe.write(ROUTE, world.clock.now())
    world.books.post([world.ledger.restore(Record(probe))])
    await world.receive(letter.content)
    assert world.verdict(probe) == Good()
    late, letter = world.scribe.write(ROUTE, world.clock.now())
    world.books.post([world.ledger.restore(Record(late))])
    world.clock.moment += 100.0
    await world.receive(letter.content, uid=2)
    assert world.verdict(late) == Unknown(UnknownCause.PROBER)


async def test_a_message_is_not_held_against_what_its_sender_has_become() -> None:
    world = World(replace(SENDER, address="before@shop.example"))
    old, old_letter = world.submit()
    world.clock.moment += 1.0
    world.desk.follow(
        keys=[b"a new key, and then", SECRET],
        lifetime=WEEK,
        senders={"shop": SENDER},
        mailboxes=world.mailboxes,
        wakes=world.desk._wakes,
    )
    world.clock.moment += 1.0
    new, new_letter = world.submit()
    await world.receive(old_letter.content)
    await world.receive(new_letter.content, uid=2)
    assert world.verdict(old) == Good()
    assert world.verdict(new) == Bad(Reason.CONTENT), "what is sent now is compared as ever"
