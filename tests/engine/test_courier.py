"""A probe's way from its slot into its relay."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from probe.core.allowance import Limits, RelayLimits
from probe.core.component import Fault
from probe.core.ledger import Ledger
from probe.core.model import Attempt, Break, Phase, UnknownCause
from probe.core.schedule import GREYLIST_MEMORY
from probe.core.sight import Sight
from probe.core.standstill import Standstill
from probe.engine.books import Books
from probe.engine.courier import Courier, Line
from probe.engine.findings import Findings
from probe.engine.learner import Learner
from probe.engine.scribe import Scribe
from probe.engine.sender import Sender
from probe.engine.throttle import Throttle
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
    FakeJournal,
    FakeMetrics,
    FakeSubmitter,
)
from tests.hand_turned import HandTurnedClock, settle
from tests.secret import FixedSecret

HUNG_UP = Attempt((), Phase.MAIL, ended=1000.0, broken=Break.LOST, detail="closed by the server")


@dataclass
class World:
    outcomes: list[Attempt]
    password: FixedSecret | None = None
    accepted_before: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.clock, self.journal, self.metrics = (
            HandTurnedClock(1000.0),
            FakeJournal(),
            FakeMetrics(),
        )
        self.submitter = FakeSubmitter(self.clock, list(self.outcomes), steps=self.journal.steps)
        self.sights = {"corp": Sight(frozenset({"inbox"}), 0.0, None)}
        self.findings = Findings(self.sights, clock=self.clock)
        self.ledger = Ledger(self.sights)
        self.wakes = {"corp": asyncio.Event()}
        self.books = Books(
            self.ledger, journal=self.journal, metrics=self.metrics, clock=self.clock
        )
        self.books.open(KEY)
        self.throttle = Throttle(self.limits, self.clock)
        self.line = Line(RELAY, self.submitter, self.password)
        self.courier = self.courier_by(self.line)

    def courier_by(self, line: Line, former: Courier | None = None) -> Courier:
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
            throttle=self.throttle,
            books=self.books,
            findings=self.findings,
            learner=Learner([RELAY], books=self.books, metrics=self.metrics, clock=self.clock),
            journal=self.journal,
            metrics=self.metrics,
            clock=self.clock,
            accepted_before=self.accepted_before,
            wakes=self.wakes,
            former=former,
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


async def test_whoever_is_a_stranger_again_is_forgotten() -> None:
    gone = ("pool", "n9", "shop", "corp")
    world = World([ACCEPTED], accepted_before={gone: -2 * GREYLIST_MEMORY})
    await world.carry()
    assert [*world.accepted_before] == [("pool", "n1", "shop", "corp")]


async def test_a_deferral_of_somebody_known_is_a_failure_at_once() -> None:
    known = {("pool", "n1", "shop", "corp"): 0.0}
    world = World([GREYLISTED], accepted_before=known)
    await world.carry()
    assert len(world.submitter.letters) == 1
    assert world.metrics.count("judged", KEY, "temp_reject") == 1
    assert "450 4.2.0" in world.books.histories[KEY].evidence


async def test_three_refused_logins_and_then_one_in_five_minutes() -> None:
    world = World([LOGIN_REFUSED], password=FixedSecret())
    await world.carry(10)
    assert len(world.submitter.letters) == 3
    assert world.metrics.count("skipped", KEY, "auth_backoff") == 7
    await world.clock.advance(301)
    await world.carry(2)
    assert len(world.submitter.letters) == 4


async def test_a_corrected_password_is_tried_at_once() -> None:
    password = FixedSecret("wrong")
    world = World([LOGIN_REFUSED, LOGIN_REFUSED, LOGIN_REFUSED, ACCEPTED], password=password)
    await world.carry(5)
    [(relay, [refusing])] = [item for item in world.findings.named().items() if item[1]]
    assert (relay.relay, refusing.fault) == ("pool", Fault.REFUSING), "known at once"
    assert "535" in refusing.evidence[0]
    password.value = "right"
    await world.carry()
    assert world.metrics.count("sent", KEY) == 1
    assert not any(world.findings.named().values())


async def test_logins_at_the_same_time_do_not_add_up_to_a_lockout() -> None:
    world = World([LOGIN_REFUSED], password=FixedSecret())
    world.submitter.gate = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(world.carry())
        await settle()
        assert len(world.submitter.letters) == 3
        world.submitter.gate.set()
    assert len(world.submitter.letters) == 3
    assert world.metrics.count("skipped", KEY, "auth_backoff") == 6


async def test_a_stranger_that_waits_holds_up_no_login() -> None:
    """The relay knows our password: it has heard it, and then put us off."""
    world = World([GREYLISTED, GREYLISTED, GREYLISTED, ACCEPTED], password=FixedSecret())
    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(world.carry())
        await settle()
        assert len(world.submitter.letters) == 9
        await world.clock.advance(61)
    assert world.metrics.count("sent", KEY) == 9


async def test_what_is_put_off_asks_again_before_it_logs_in_again() -> None:
    world = World([GREYLISTED, *[LOGIN_REFUSED] * 3], password=FixedSecret())
    async with asyncio.TaskGroup() as group:
        group.create_task(world.carry())
        await settle()
        await world.carry(3)
        await world.clock.advance(61)
    assert len(world.submitter.letters) == 4, "locked out meanwhile: it is not tried again"
    assert world.metrics.count("judged", KEY, "temp_reject") == 1


async def test_a_probe_that_cannot_be_written_breaks_nothing() -> None:
    world = World([ACCEPTED], password=FixedSecret())
    world.clock.moment = -1e9  # No tag can say that.
    for _ in range(4):
        with pytest.raises(OverflowError):
            await world.carry()
    assert world.metrics.count("scheduled", KEY) == 0
    world.clock.moment = 1000.0
    await world.carry()
    assert world.metrics.count("sent", KEY) == 1


async def test_a_submission_that_is_cut_off_is_left_as_if_we_had_been_killed() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    carrying = asyncio.create_task(world.carry())
    await settle()
    carrying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await carrying
    [record] = world.journal.records.values()
    assert (record.undecided, record.in_flight, record.ended) == (True, True, False)
    assert world.metrics.count("judged") == 0


async def test_a_route_that_was_forgotten_while_it_waited_sends_nothing() -> None:
    world = World([ACCEPTED], password=FixedSecret())
    world.books.drop(KEY)
    await world.carry()
    assert world.submitter.letters == [] and world.metrics.count("scheduled") == 0


async def test_what_cannot_start_before_the_next_slot_is_skipped_and_never_journaled() -> None:
    world = World([ACCEPTED], limits=Limits({"pool": RelayLimits(per_minute=2)}))
    await world.carry(5)
    assert world.metrics.count("sent", KEY) == len(world.journal.records) == 2
    assert world.metrics.count("scheduled", KEY) == 5
    assert world.metrics.count("skipped", KEY, "rate_limit") == 3


async def test_a_skipped_slot_does_not_use_up_a_login() -> None:
    limits = Limits({"pool": RelayLimits(per_minute=4)})
    world = World([ACCEPTED], password=FixedSecret(), limits=limits)
    await world.carry(9)
    await world.clock.advance(61)
    await world.carry()
    assert world.metrics.count("sent", KEY) == 5


async def test_a_stranger_that_waits_holds_no_connection() -> None:
    limits = Limits({"pool": RelayLimits(connections=1)})
    world = World([GREYLISTED, ACCEPTED], limits=limits)
    async with asyncio.TaskGroup() as group:
        group.create_task(world.carry())
        await world.clock.advance(10)
        await world.carry()
        assert world.metrics.count("sent", KEY) == 1
        await world.clock.advance(60)
    assert world.metrics.count("sent", KEY) == 2


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
        sender._changed.set()
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


async def test_a_loop_that_breaks_strands_no_probe_and_starts_again() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    sender.add(ROUTE, NODE)

    def broken() -> None:
        if world.submitter.letters:
            raise RuntimeError("a bug of ours")

    first = asyncio.create_task(sender.run(broken))
    await settle()
    world.clock.moment += ROUTE.interval
    sender._changed.set()
    with pytest.raises(BaseExceptionGroup):
        while True:
            sender._changed.set()
            await settle(1)
            if first.done():
                await first
    [record] = world.journal.records.values()
    assert record.in_flight and record.undecided, "it is waited for"
    world.submitter.gate.set()
    second = asyncio.create_task(sender.run(lambda: None))
    for _ in range(6):
        world.clock.moment += ROUTE.interval
        sender._changed.set()
        await settle()
    assert world.metrics.count("sent", KEY) == 6, "no overlap is left behind"
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_a_slot_that_breaks_takes_no_other_with_it() -> None:
    world = World([ACCEPTED])
    world.submitter.gate = asyncio.Event()
    sender = Sender(world.courier, metrics=world.metrics, clock=world.clock)
    other = replace(ROUTE, key=replace(KEY, relay="gone"))
    world.books.open(other.key)
    sender.add(ROUTE, NODE)
    sender.add(other, NODE)
    running = asyncio.create_task(sender.run(lambda: None))
    for _ in range(2):
        world.clock.moment += ROUTE.interval
        sender._changed.set()
        await settle()
    world.submitter.gate.set()
    await settle()
    assert world.metrics.count("sent", KEY) == 2
    assert world.metrics.count("failed", "sender") == 2
    await sender.stop()
    world.clock.moment += ROUTE.interval
    sender._changed.set()
    await settle()
    assert world.metrics.count("skipped", KEY, "shutdown") == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.parametrize(("moment", "counts"), [(999.0, True), (1000.0, False)])
async def test_what_failed_while_we_stood_still_is_held_against_nobody(
    moment: float, counts: bool
) -> None:
    world = World([HUNG_UP])
    world.clock.standstill = Standstill(moment, 20.0)
    await world.carry()
    assert world.metrics.count("judged", KEY) == counts
    assert world.metrics.count("unknown", KEY, UnknownCause.PROBER) == (not counts)
    assert bool(world.books.histories[KEY].evidence) is counts


async def test_what_was_taken_while_we_stood_still_was_taken() -> None:
    world = World([ACCEPTED])
    world.clock.standstill = Standstill(1000.0, 20.0)
    await world.carry()
    assert world.metrics.count("sent", KEY) == 1
