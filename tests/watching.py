"""A watcher at work, with a desk and a journal that remember, for folders in memory and real."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from probe.core.cadence import Expectation
from probe.core.control import Seal
from probe.core.model import Folder, Place
from probe.core.quota import Quota
from probe.engine.login_gate import LoginGate
from probe.engine.watcher import FolderWatcher
from probe.ports import Clock, Fetched, ImapFailure, MailboxReader, Position, Secret


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


@dataclass(frozen=True)
class Taken:
    """A message that the desk was given."""

    place: Place
    seen: float
    rescan: bool
    message: Fetched


@dataclass
class Taker:
    """A desk that remembers."""

    clock: Clock
    expected: Expectation = field(default_factory=Expectation)
    event: asyncio.Event = field(default_factory=asyncio.Event)
    taken: list[Taken] = field(default_factory=list)
    proofs: list[float] = field(default_factory=list)
    blind: list[tuple[float, str]] = field(default_factory=list)
    quotas: list[tuple[float, Quota | None]] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    missing: int = 0
    refusing: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

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
        self.taken.append(Taken(place, seen, rescan, fetched))
        self.changed.set()

    def proved(self, mailbox: str, folder: Folder, started: float) -> None:
        self.proofs.append(started)
        self.changed.set()

    def blinded(self, mailbox: str, folder: Folder, why: str) -> None:
        self.blind.append((self.clock.now(), why))
        self.changed.set()

    def absent(self, mailbox: str, folder: Folder) -> None:
        self.missing += 1
        self.changed.set()

    def is_full(self, mailbox: str) -> bool:
        """As the last reading said."""
        return bool(self.quotas and self.quotas[-1][1] and self.quotas[-1][1].is_full)

    def filled(self, mailbox: str, quota: Quota | None) -> None:
        self.quotas.append((self.clock.now(), quota))
        self.changed.set()

    def certified(self, mailbox: str, end: float) -> None:
        self.ends.append(end)

    @property
    def uids(self) -> list[int]:
        return [one.place.uid for one in self.taken]

    def launch(self) -> None:
        """A message is being submitted."""
        self.expected = Expectation(1, None)
        self.event.set()

    def accept(self) -> None:
        """A message was accepted just now."""
        self.expected = Expectation(1, self.clock.now())
        self.event.set()

    def settle(self) -> None:
        """Nothing is on its way."""
        self.expected = Expectation()

    async def until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        """Returns once the condition holds, which is looked at when the watcher said something."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def watching(
    reader: MailboxReader,
    folder: Folder = Folder.INBOX,
    *,
    desk: Taker,
    journal: Memory,
    secret: Secret,
    turned: Callable[[], None] = lambda: None,
    seal: Seal | None = None,
) -> AsyncIterator[None]:
    """A watcher of this folder runs as long as the block."""
    watcher = FolderWatcher(
        reader,
        folder,
        desk=desk,
        journal=journal,  # type: ignore[arg-type]
        clock=desk.clock,
        gate=LoginGate(secret, desk.clock),
        chance=random.Random(1),
        turned=turned,
        seal=seal,
    )
    task = asyncio.create_task(watcher.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), task
