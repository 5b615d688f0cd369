"""Whether what arrives could be authenticated: said once for each probe, and holds up nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from probe.core.authenticity import Authenticity, Proof
from probe.core.change import Change, Vouched
from probe.core.model import AuthResult, Folder, Place, Probe, RouteKey, Sighting
from probe.core.record import Record
from probe.core.records.answer import Answer, Question, Reply
from probe.core.sender_domain import SenderDomain
from probe.engine.keyring import Keyring
from probe.engine.notary import Notary
from probe.engine.notebook import Notebook
from probe.ports import Fetched
from tests.engine.world import FakeJournal
from tests.hand_turned import HandTurnedClock

KEY = "v=DKIM1; p=AAAA"
SIGNED = b"DKIM-Signature: v=1; d=shop.example; s=s1; b=abc\r\nFrom: probe@shop.example\r\n\r\n"
UNSIGNED = b"From: probe@shop.example\r\n\r\n"
BODY = b"hello\r\n"


@dataclass
class FakeDns:
    keys: dict[str, str] = field(default_factory=lambda: {"s1._domainkey.shop.example": KEY})
    asked: list[str] = field(default_factory=list)
    silent: bool = False

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question.name)
        await asyncio.sleep(0)
        if self.silent:
            return Answer(question, Reply.SILENT, detail="nobody answers")
        found = tuple(text for key, text in self.keys.items() if key == question.name)
        return Answer(question, Reply.FOUND if found else Reply.NO_NAME, found)


class FakeVerifier:
    """Signatures are good with KEY, and with no other."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()

    async def verify(self, message: bytes, index: int, key: str) -> str:
        await self.gate.wait()
        return "" if key == KEY else "it does not fit"


class FakeBooks:
    def __init__(self) -> None:
        self.said: list[Authenticity] = []
        self._more = asyncio.Event()

    async def heard(self, count: int) -> None:
        while len(self.said) < count:
            self._more.clear()
            await self._more.wait()

    def count(self, change: Change) -> None:
        for event in change.events:
            assert isinstance(event, Vouched)
            self.said.append(event.authenticity)
            self._more.set()


class World:
    def __init__(self, *selectors: str, journal: FakeJournal | None = None) -> None:
        self.clock = HandTurnedClock(1000.0, offset=1_800_000_000.0)
        self.journal = journal or FakeJournal()
        self.dns, self.verifier, self.books = FakeDns(), FakeVerifier(), FakeBooks()
        self.notebook = Notebook(self.journal, self.clock, dict(self.journal.notes))
        self.notary = Notary(
            self.verifier,
            Keyring(self.dns, self.clock),
            books=self.books,  # type: ignore[arg-type]
            notebook=self.notebook,
            domains=[
                SenderDomain("shop", "shop.example", selectors),
                SenderDomain("news", "shop.example"),
            ],
        )
        self.count = 0

    def arrive(
        self, header: bytes = SIGNED, said: str = "", mailbox: str = "corp", sender: str = "shop"
    ) -> None:
        self.count += 1
        route = RouteKey("pool", "n1", sender, mailbox)
        probe = Probe(self.count, route, 0.0, 0.0, "token", 60.0, 3600.0)
        sighting = Sighting(
            self.count,
            "token",
            Place(mailbox, "INBOX", 1, self.count),
            Folder.INBOX,
            self.clock.now(),
            authentication=tuple(AuthResult(*pair.split("=")) for pair in said.split()),
        )
        fetched = Fetched(self.count, len(header) + len(BODY), header, BODY)
        self.notary.arrived(Record(probe, accepted=1.0, arrived=2.0), sighting, fetched)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.notary.run(lambda: None))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def hear(self, count: int = 1) -> list[Proof]:
        """What is said of all so far, once there is so much."""
        async with asyncio.timeout(30):
            await self.books.heard(count)
        return [one.proof for one in self.books.said]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    async with made.running():
        yield made


async def test_a_good_signature_holds_and_its_selector_is_learned(world: World) -> None:
    world.arrive()
    assert await world.hear() == [Proof.HOLDS]
    assert world.notebook.selectors("shop.example") == ("s1",)


async def test_a_key_that_was_taken_away_fails_at_once_and_says_which(world: World) -> None:
    world.dns.keys.clear()
    world.arrive()
    assert await world.hear() == [Proof.FAILS]
    assert "s1._domainkey.shop.example" in world.books.said[0].evidence[0]


async def test_the_key_of_a_signature_that_does_not_fit_is_asked_for_anew(world: World) -> None:
    world.arrive()
    await world.hear()
    world.dns.keys["s1._domainkey.shop.example"] = "v=DKIM1; p=BBBB"
    world.clock.moment += 5
    world.arrive()
    assert await world.hear(2) == [Proof.HOLDS, Proof.HOLDS]  # Known, and not a minute old.
    world.clock.moment += 60
    world.arrive()
    assert (await world.hear(3))[2] is Proof.FAILS
    world.dns.keys["s1._domainkey.shop.example"] = KEY
    world.clock.moment += 1
    world.arrive()
    assert (await world.hear(4))[3] is Proof.HOLDS


async def test_a_key_that_is_too_long_for_us_is_no_failure(world: World) -> None:
    world.dns.keys["s1._domainkey.shop.example"] = "v=DKIM1; p=" + "A" * 1400
    world.arrive()
    assert await world.hear() == [Proof.OPEN]


async def test_dns_that_does_not_answer_is_no_failure(world: World) -> None:
    world.dns.silent = True
    world.arrive()
    assert await world.hear() == [Proof.OPEN]


async def test_many_at_once_ask_once(world: World) -> None:
    for _ in range(20):
        world.arrive()
    assert await world.hear(20) == [Proof.HOLDS] * 20
    assert len(world.dns.asked) == 1


async def test_a_node_that_signs_no_more_fails_where_others_sign(world: World) -> None:
    world.arrive(UNSIGNED)
    assert await world.hear() == [Proof.OPEN]
    world.arrive(SIGNED)
    world.arrive(UNSIGNED)
    assert await world.hear(3) == [Proof.OPEN, Proof.HOLDS, Proof.FAILS]


async def test_a_sender_that_never_signed_is_not_compared_with_another_of_its_domain(
    world: World,
) -> None:
    world.arrive(SIGNED, said="dkim=pass dmarc=pass")
    world.arrive(UNSIGNED, said="dkim=none", sender="news")
    assert await world.hear(2) == [Proof.HOLDS, Proof.OPEN]


async def test_a_configured_selector_says_that_there_must_be_a_signature() -> None:
    world = World("s1")
    async with world.running():
        world.arrive(UNSIGNED)
        assert await world.hear() == [Proof.FAILS]


async def test_what_passed_is_known_after_a_restart() -> None:
    before = World()
    async with before.running():
        before.arrive(said="spf=pass")
        await before.hear()
    world = World(journal=before.journal)
    async with world.running():
        assert world.notebook.selectors("shop.example") == ("s1",)
        world.arrive(said="spf=softfail")
        assert await world.hear() == [Proof.FAILS]
        world.arrive(said="spf=softfail", mailbox="elsewhere")
        assert await world.hear(2) == [Proof.FAILS, Proof.HOLDS]


async def test_a_mailbox_that_is_another_account_is_not_compared(world: World) -> None:
    world.arrive(said="spf=pass")
    await world.hear()
    world.notebook.forget_mailbox("corp")
    world.arrive(UNSIGNED, said="spf=softfail")
    assert (await world.hear(2))[1] is Proof.OPEN
    assert [topic for topic, name in world.journal.notes if world.journal.notes[topic, name]] == [
        "selectors"
    ]


async def test_the_receivers_word_is_enough_when_there_is_too_much_to_verify(world: World) -> None:
    world.verifier.gate.clear()
    for _ in range(300):
        world.arrive(said="dkim=fail")
    assert len(world.books.said) >= 300 - 256 - 8
    assert {one.proof for one in world.books.said} == {Proof.FAILS}
    world.verifier.gate.set()
    assert len(await world.hear(300)) == 300


async def test_a_sender_that_is_not_configured_any_more_is_not_judged(world: World) -> None:
    world.notary.follow([])
    world.arrive()
    await asyncio.sleep(0.01)
    assert world.books.said == []
