"""A probe's way from its slot into its relay."""

import asyncio
from dataclasses import dataclass, field

import pytest

from probe.core.ledger import Ledger
from probe.core.model import Attempt
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.courier import Courier, Line
from probe.engine.scribe import Scribe
from probe.engine.sender import Sender
from tests.engine.world import (
    ACCEPTED,
    GREYLISTED,
    KEY,
    LOGIN_REFUSED,
    MAILBOX,
    NODE,
    RELAY,
    ROUTE,
    SENDER,
    FakeClock,
    FakeJournal,
    FakeMetrics,
    FakeSubmitter,
    settle,
)


@dataclass
class Password:
    text: str = "secret"

    def read(self) -> str:
        return self.text


@dataclass
class World:
    outcomes: list[Attempt]
    password: Password | None = None
    accepted_before: dict[tuple[str, str, str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock, self.journal, self.metrics = FakeClock(), FakeJournal(), FakeMetrics()
        self.submitter = FakeSubmitter(self.clock, list(self.outcomes), steps=self.journal.steps)
        self.ledger = Ledger({"corp": Sight(frozenset({"inbox"}), 0.0, None)})
        self.wakes = {"corp": asyncio.Event()}
        self.books = Books(
            self.ledger, journal=self.journal, metrics=self.metrics, clock=self.clock
        )
        self.books.open(KEY)
        self.line = Line(RELAY, self.submitter, self.password)
        self.courier = self.courier_by(self.line)

    def courier_by(self, line: Line) -> Courier:
        """A courier on these books, with this way to the relay."""
        scribe = Scribe(
            instance="test",
            key=b"k" * 16,
            senders={"shop": SENDER},
            mailboxes={"corp": MAILBOX},
            journal=self.journal,
            clock=self.clock,
        )
        return Courier(
            {"pool": line},
            scribe,
            books=self.books,
            journal=self.journal,
            metrics=self.metrics,
            clock=self.clock,
            accepted_before=self.accepted_before,
            wakes=self.wakes,
        )

    async def carry(self, times: int = 1) -> None:
        for _ in range(times):
            await self.courier.carry(ROUTE, NODE, self.clock.now())


async def test_the_journal_has_a_probe_before_the_relay_does() -> None:
    world = World([ACCEPTED])
    await world.carry()
    assert world.journal.steps == ["journal", "submit"]
    assert world.metrics.count("sent", KEY) == world.metrics.count("scheduled", KEY) == 1
    assert world.wakes["corp"].is_set(), "the watcher must know that something is coming"


async def test_a_stranger_is_tried_again_openly_with_the_same_message() -> None:
    world = World([GREYLISTED, GREYLISTED, ACCEPTED])
    async with asyncio.TaskGroup() as group:
        group.create_task(world.carry())
        await world.clock.advance(59)
        assert len(world.submitter.letters) == 1
        await world.clock.advance(2)
        assert len(world.submitter.letters) == 2
        assert world.ledger.levels.of(KEY).undecided == 1
        await world.clock.advance(120)
    assert len({letter.content for letter in world.submitter.letters}) == 1
    assert world.metrics.count("greylisted", KEY) == 2
    assert world.metrics.count("sent", KEY) == 1


async def test_a_stranger_that_is_never_let_in_is_a_temporary_reject() -> None:
    world = World([GREYLISTED])
    async with asyncio.TaskGroup() as group:
        group.create_task(world.carry())
        await world.clock.advance(15 * 60)
    assert len(world.submitter.letters) == 5
    assert world.metrics.count("judged", KEY, "temp_reject") == 1


async def test_a_deferral_of_somebody_known_is_a_failure_at_once() -> None:
    known = {("pool", "n1", "shop", "corp"): 0.0}
    world = World([GREYLISTED], accepted_before=known)
    await world.carry()
    assert len(world.submitter.letters) == 1
    assert world.metrics.count("judged", KEY, "temp_reject") == 1
    assert "450 4.2.0" in world.books.histories[KEY].evidence


async def test_three_refused_logins_and_then_one_in_five_minutes() -> None:
    world = World([LOGIN_REFUSED], password=Password())
    await world.carry(10)
    assert len(world.submitter.letters) == 3
    assert world.metrics.count("skipped", KEY, "auth_backoff") == 7
    await world.clock.advance(301)
    await world.carry(2)
    assert len(world.submitter.letters) == 4


async def test_a_corrected_password_is_tried_at_once() -> None:
    password = Password("wrong")
    world = World([LOGIN_REFUSED, LOGIN_REFUSED, LOGIN_REFUSED, ACCEPTED], password=password)
    await world.carry(5)
    password.text = "right"
    await world.carry()
    assert world.metrics.count("sent", KEY) == 1


async def test_logins_at_the_same_time_do_not_add_up_to_a_lockout() -> None:
    world = World([LOGIN_REFUSED], password=Password())
    world.submitter.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(world.carry())
        await settle()
        assert len(world.submitter.letters) == 3
        world.submitter.gate.set()
    assert len(world.submitter.letters) == 3
    assert world.metrics.count("skipped", KEY, "auth_backoff") == 6


async def test_an_error_of_ours_is_a_verdict_and_not_a_leak() -> None:
    world = World([])
    await world.carry()
    assert world.metrics.count("judged", KEY, "prober_error") == 1
    assert world.ledger.levels.of(KEY).undecided == 0


async def test_a_slow_probe_delays_no_slot_and_the_overlap_is_capped() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(ROUTE, NODE)
    running = asyncio.create_task(sender.run(lambda: None))
    for slot in range(1, 7):
        world.clock.moment = 1000.0 + slot * ROUTE.interval
        sender.add(ROUTE, NODE) if slot == 0 else sender._changed.set()
        await settle()
    assert len(world.submitter.letters) == 4
    assert world.metrics.count("scheduled", KEY) == 6
    assert world.metrics.count("skipped", KEY, "overlap") == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_route_that_goes_and_comes_back_before_its_slot_is_probed_once() -> None:
    world = World([ACCEPTED])
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(ROUTE, NODE)
    sender.remove(KEY)
    sender.add(ROUTE, NODE)
    running = asyncio.create_task(sender.run(lambda: None))
    for slot in (1, 2):
        world.clock.moment = 1000.0 + slot * ROUTE.interval
        sender._changed.set()
        await settle()
    assert world.metrics.count("scheduled", KEY) == len(world.submitter.letters) == 2
    assert not running.done()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
