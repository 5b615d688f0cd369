"""Whatever happens, in whatever order: every probe is accounted for once, at every moment."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.core.allowance import Limits
from probe.core.ledger import Ledger
from probe.core.model import (
    Attempt,
    Break,
    Folder,
    Loop,
    Node,
    Phase,
    PhaseTime,
    Place,
    Relay,
    Reply,
    Route,
    RouteKey,
)
from probe.core.record import Record
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.courier import Courier, Line
from probe.engine.desk import Desk
from probe.engine.findings import Findings
from probe.engine.inheritance import inherit
from probe.engine.learner import Learner
from probe.engine.roster import Roster
from probe.engine.scribe import Scribe
from probe.engine.sender import Sender
from probe.engine.supervisor import Beat, Supervisor
from probe.engine.throttle import Throttle
from probe.ports import Fetched, Letter, Remembered
from tests.engine.folder_world import LoopClock, VirtualLoop
from tests.engine.world import MAILBOX, RELAY, SENDER, FakeJournal, FakeMetrics
from tests.secret import FixedSecret

KEYS = [b"k" * 16]
NODES = [Node("pool", name, "127.0.0.1", 25) for name in ("n1", "n2")]
PLAN = Route(RouteKey("", "", "", ""), 15.0, 40.0, 300.0)
INBOX = frozenset({Folder.INBOX.value})
EPOCH = 1_800_000_000.0

SPEAKS = {
    "accept": Attempt((PhaseTime(Phase.ACK, 0.1),), Phase.ACK, 0.0, reply=Reply(250, "", "ok")),
    "slow": Attempt((PhaseTime(Phase.ACK, 31.0),), Phase.ACK, 0.0, reply=Reply(250, "", "ok")),
    "put off": Attempt((), Phase.RCPT, 0.0, reply=Reply(450, "4.2.0", "Greylisted")),
    "refuse": Attempt((), Phase.RCPT, 0.0, reply=Reply(550, "5.7.1", "no")),
    "lock out": Attempt((), Phase.AUTH, 0.0, reply=Reply(535, "5.7.8", "no")),
    "lose": Attempt((), Phase.ACK, 0.0, broken=Break.LOST),
    "reset": Attempt((), Phase.GREETING, 0.0, broken=Break.LOST),
}


class Clock(LoopClock):
    """The virtual loop's time; the wall may be set."""

    ahead = 0.0

    def now(self) -> float:
        return EPOCH + super().now()

    def wall(self, moment: float) -> float:
        return moment + self.ahead

    async def sleep_until(self, moment: float) -> None:
        await super().sleep_until(moment - EPOCH)


class Disk(FakeJournal):
    """A journal that is there after a restart, and never forgets a verdict."""

    def save(self, record: Record) -> None:
        before = self.records.get(record.probe.sequence)
        if before is not None and before.verdict is not None:
            assert record.verdict == before.verdict, "each probe is judged once"
        super().save(record)

    def give_up(self, mailbox: str, before: float, last: int) -> None:
        for sequence, record in self.records.items():
            due = record.accepted is not None and record.accepted + PLAN.give_up <= before
            of_it = record.probe.route.mailbox == mailbox and sequence <= last
            if of_it and due and record.verdict is not None and not record.settled:
                self.records[sequence] = replace(record, lost=True)

    def remembered(self, *, stopped: float, stepped: bool) -> Remembered:
        left = tuple(record for record in self.records.values() if not record.settled)
        return Remembered(left, {}, {}, stopped, stepped)


@dataclass
class World:
    """The relay, the mailbox and the disk: what goes on while the prober comes and goes."""

    speaks: str = "accept"
    hangs: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    letters: list[Letter] = field(default_factory=list)
    uid: int = 0
    readable: bool = True
    disk: Disk = field(default_factory=Disk)
    clock: Clock = field(default_factory=Clock)
    nodes: set[Node] = field(default_factory=lambda: set(NODES))

    async def submit(
        self, node: Node, letter: Letter, entered: Callable[[Phase, float], None]
    ) -> Attempt:
        entered(Phase.CONNECT, self.clock.now())
        self.letters.append(letter)
        await asyncio.sleep(0.05)
        entered(Phase.ACK if self.speaks in ("accept", "slow", "lose") else Phase.RCPT, 0.0)
        dot = self.clock.now()
        if self.hangs:
            with suppress(TimeoutError):
                async with asyncio.timeout(60.0):
                    await self.released.wait()
        return replace(SPEAKS[self.speaks], ended=self.clock.now(), dot=dot)


class Prober:
    """One run of the engine."""

    def __init__(self, world: World, *, most: int, remembered: Remembered) -> None:
        self.world, self.metrics = world, FakeMetrics()
        clock, journal = world.clock, world.disk
        self.sight = Sight(INBOX, clock.now(), remembered.stopped)
        self.ledger = Ledger({"corp": self.sight}, most=most)
        self.books = Books(self.ledger, journal=journal, metrics=self.metrics, clock=clock)
        wakes = {"corp": asyncio.Event()}
        senders, mailboxes = {"shop": SENDER}, {"corp": MAILBOX}
        findings = Findings({"corp": self.sight}, clock=clock)
        self.desk = Desk(
            instance="test",
            keys=KEYS,
            lifetime=86400.0,
            senders=senders,
            mailboxes=mailboxes,
            sights={"corp": self.sight},
            books=self.books,
            findings=findings,
            journal=journal,
            metrics=self.metrics,
            clock=clock,
            wakes=wakes,
        )
        scribe = Scribe(
            instance="test",
            key=KEYS[0],
            senders=senders,
            mailboxes=mailboxes,
            journal=journal,
            clock=clock,
        )
        relay: Relay = RELAY
        learner = Learner([relay], books=self.books, metrics=self.metrics, clock=clock)
        throttle = Throttle(Limits(), clock)
        courier = Courier(
            {"pool": Line(relay, world, FixedSecret())},
            scribe,
            throttle=throttle,
            books=self.books,
            findings=findings,
            journal=journal,
            metrics=self.metrics,
            clock=clock,
            accepted_before={},
            wakes=wakes,
            learner=learner,
        )
        self.sender = Sender(courier, metrics=self.metrics, clock=clock)
        self.roster = Roster(
            {("pool", "shop", "corp"): PLAN},
            throttle=throttle,
            sender=self.sender,
            books=self.books,
            metrics=self.metrics,
        )
        inherit(
            remembered,
            roster=self.roster,
            learner=learner,
            books=self.books,
            journal=journal,
            metrics=self.metrics,
        )
        for node in sorted(world.nodes):
            self.roster.joined(node)
        self.supervisor = Supervisor(clock=clock, metrics=self.metrics)
        self.breaks, self.broken = False, 0
        self.tasks = [
            asyncio.create_task(self.supervisor.keep(Loop.SENDER, "slots", self._send)),
            asyncio.create_task(self.supervisor.keep(Loop.REAPER, "time", self._turn)),
        ]

    async def _send(self, beat: Beat) -> None:
        def fragile() -> None:
            if self.breaks:
                self.breaks = False
                self.broken += 1
                raise RuntimeError("a bug of ours")
            beat()

        await self.sender.run(fragile)

    async def _turn(self, beat: Beat) -> None:
        while True:
            if self.world.readable:
                self.desk.proved("corp", Folder.INBOX, self.world.clock.now())
            self.books.tick()
            self.roster.forget_settled(self.world.clock.now())
            self.check()
            await asyncio.sleep(2.0)

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(asyncio.CancelledError):
                await task
        assert self.metrics.count("failed") == self.broken, "only what was meant to break broke"

    # ---- what must hold

    def check(self) -> None:
        for key in self.books.histories:
            self._adds_up(key)
            self._is_as_journaled(key)

    def _adds_up(self, key: RouteKey) -> None:
        slots = self.metrics.count("scheduled", key) - self.metrics.count("skipped", key)
        ended = self.metrics.count("judged", key) + self.metrics.count("unknown", key)
        level = self.books.level(key)
        assert slots == ended + level.undecided, f"{key}: {slots} != {ended} + {level.undecided}"
        assert 0 <= level.overdue <= level.in_flight

    def _is_as_journaled(self, key: RouteKey) -> None:
        records = [r for r in self.world.disk.records.values() if r.probe.route == key]
        level = self.books.level(key)
        assert level.undecided == sum(r.owed for r in records)
        assert level.in_flight == sum(r.in_flight for r in records)
        delivered = self.metrics.count("delivered", key)
        arrived = [r for r in records if r.arrived is not None and not r.probe.confirmation]
        assert delivered <= len(arrived), "one arrival each"
        confirmations = [r for r in records if r.probe.confirmation and not r.undecided]
        assert self.metrics.count("confirmed", key) <= len(confirmations), "one verdict each"


class Story:
    """A world and its prober, and what can happen to them."""

    def __init__(self, most: int) -> None:
        self.world, self.most = World(), most
        self.prober = Prober(self.world, most=most, remembered=Remembered((), {}, {}, None, False))

    async def happen(self, event: str, number: int) -> None:
        world = self.world
        match event:
            case "pass":
                await asyncio.sleep((1, 7, 16, 45, 61, 130)[number % 6])
            case "speak":
                world.speaks = list(SPEAKS)[number % len(SPEAKS)]
            case "hang":
                world.hangs, world.released = True, asyncio.Event()
            case "release":
                world.hangs = False
                world.released.set()
            case "arrive":
                await self.bring(number)
            case "bounce":
                await self.bring(number, bounced=True)
            case "blind":
                world.readable = False
                self.prober.desk.blinded("corp", Folder.INBOX, "it is dead")
            case "read":
                world.readable = True
            case "move":
                self.move(NODES[number % 2])
            case "step":
                world.clock.ahead += (-7200.0, 3.0, 90_000.0)[number % 3]
            case "confirm":
                for key in [*self.prober.books.histories] * (1 + number % 3):
                    self.prober.sender.confirm(key)
            case "break":
                self.prober.breaks = True
            case "stop" | "kill":
                await self.restart(killed=event == "kill", stepped=number % 3 == 0)
        await asyncio.sleep(0.2)
        self.prober.check()

    async def bring(self, number: int, *, bounced: bool = False) -> None:
        """One of the letters arrives, or comes back: perhaps again, perhaps refused before."""
        if not self.world.letters or not self.world.readable:
            return
        letters = self.world.letters
        letter = letters[-1 - number % min(len(letters), 6)]
        folder = Folder.JUNK if number % 5 == 0 else Folder.INBOX
        self.world.uid += number % 4 != 0  # Or the very same message again.
        content = a_dsn(letter) if bounced else letter.content
        header, _, body = content.partition(b"\r\n\r\n")
        place = Place("corp", folder.value, 1 + number % 7 // 6, self.world.uid)
        fetched = Fetched(place.uid, len(content), header + b"\r\n\r\n", body)
        await self.prober.desk.receive(
            fetched, place, folder, self.world.clock.now(), rescan=number % 2 == 0
        )

    def move(self, node: Node) -> None:
        if node in self.world.nodes:
            self.world.nodes.discard(node)
            self.prober.roster.retired(node)
        else:
            self.world.nodes.add(node)
            self.prober.roster.joined(node)

    async def restart(self, *, killed: bool, stepped: bool) -> None:
        records = copy.copy(self.world.disk.records)
        stopped = self.world.clock.now()
        await self.prober.end()
        if killed:  # Nothing of what was still said at the end has reached the disk.
            self.world.disk.records = records
        self.world.clock.ahead += 5000.0 if stepped else 0.0
        remembered = self.world.disk.remembered(stopped=stopped, stepped=stepped)
        self.prober = Prober(self.world, most=self.most, remembered=remembered)

    async def conclude(self) -> None:
        """Nothing more is sent, the mailbox is read, and all that was sent is waited for."""
        for node in sorted(self.world.nodes):
            self.move(node)
        self.world.readable, self.world.hangs = True, False
        self.world.released.set()
        await asyncio.sleep(2500.0)  # Greylisting, give-up, and the attic's patience.
        prober = self.prober
        assert prober.books.histories == {}, "every route has come to its end"
        assert len(prober.ledger) == 0
        assert prober.ledger.levels.mailbox("corp").expected == 0
        assert all(record.settled for record in self.world.disk.records.values())
        await prober.end()


def a_dsn(letter: Letter) -> bytes:
    return (
        b"From: mailer-daemon@relay.example\r\nTo: probe@shop.example\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        b"Original-Envelope-Id: " + letter.envelope_id.encode() + b"\r\n\r\n"
        b"Final-Recipient: rfc822; probe@corp.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"--b--\r\n"
    )


EVENTS = ["pass", "arrive"] * 8 + ["speak", "read", "confirm"] * 4
EVENTS += ["bounce", "hang", "release", "blind"] * 2 + ["move", "step", "break", "stop", "kill"]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.sampled_from([2, 5, 50_000]),
    st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 41)), max_size=30),
)
def test_the_account_adds_up_whatever_happens(most: int, events: list[tuple[str, int]]) -> None:
    async def tell() -> None:
        story = Story(most)
        for event, number in events:
            await story.happen(event, number)
        await story.conclude()

    logging.disable(logging.CRITICAL)
    try:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(tell())
    finally:
        logging.disable(logging.NOTSET)
