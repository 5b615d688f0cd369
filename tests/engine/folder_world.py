"""A folder in memory and a watcher of it, in virtual time: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import functools
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from probe.core.control import Seal
from probe.core.model import Folder, ImapServer, Mailbox
from probe.core.quota import Quota
from probe.core.standstill import Standstill
from probe.ports import Fetched, ImapFailure, ImapLoginRefused, Refusal
from tests.secret import FixedSecret
from tests.watching import Memory, Taker, watching


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer when nothing else is to be done."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 0.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:
            self._virtual = max(self._virtual, self._scheduled[0].when())
        super()._run_once()


class LoopClock:
    standstill: Standstill | None = None

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def wall(self, moment: float) -> float:
        return moment

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(moment - self.now())


HALF = Quota(0.5)


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
    used: Quota | None = HALF
    hides: bool = False  # The quota cannot be read.
    pretends: bool = False  # Nothing is removed, and it says OK.
    can_uidplus: bool = True
    refuses_append: str = ""  # Why nothing can be put in.
    breaks_append: bool = False  # Whoever tries to put anything in is thrown out.
    takes_away: bool = False  # What is put in is gone at once.
    shown_below: float = math.inf  # UIDs that are shown at all.
    found_below: float = math.inf  # UIDs that a search finds.
    appended: list[tuple[float, int]] = field(default_factory=list)
    sessions: list[BoxSession] = field(default_factory=list)
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

    def freeze_sessions(self) -> None:
        """Those that are open show nothing new any more."""
        for session in self.sessions:
            session.shown_below = self.uidnext

    def renumber(self, uidvalidity: int) -> None:
        self.uidvalidity = uidvalidity
        self.mails = {at + 1: mail for at, mail in enumerate(self.mails.values())}
        self.uidnext = len(self.mails) + 1

    def count(self, call: str) -> int:
        return sum(name == call for _, name in self.calls)


class BoxSession:
    certificate_end = 2e9

    def __init__(self, box: Box, folder: str) -> None:
        self.box, self.folder = box, folder
        self.uidvalidity, self.uidnext = box.uidvalidity, int(min(box.uidnext, box.shown_below))
        self.can_uidplus = box.can_uidplus
        self.shown_below = math.inf
        self.exists = len(box.mails)
        self.announced = 0
        self._news = box.news
        box.sessions.append(self)

    def _shows(self, uid: int) -> bool:
        return uid in self.box.mails and uid < min(self.shown_below, self.box.shown_below)

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

    async def quota(self) -> Quota | None:
        await self._call("quota")
        if self.box.hides:
            raise ImapFailure("no end within 10 s")
        return self.box.used

    async def search(self, first_uid: int) -> list[int]:
        await self._call("search")
        found = sorted(uid for uid in self.box.mails if uid >= first_uid and self._shows(uid))
        return [uid for uid in found if uid < self.box.found_below]

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
        there = [uid for uid in uids if self._shows(uid)]
        return [Fetched(uid, 9, mails[uid], b"body" if body else b"") for uid in there]

    async def append(self, content: bytes) -> int | Refusal:
        await self._call("append")
        if self.box.breaks_append:
            raise ImapFailure("thrown out")
        if self.box.refuses_append:
            return Refusal(self.box.refuses_append)
        uid = self.box.put(content.partition(b"\r\n\r\n")[0])
        self.box.appended.append((asyncio.get_running_loop().time(), uid))
        if self.box.takes_away:
            del self.box.mails[uid]
        return uid

    async def remove(self, uids: Sequence[int]) -> None:
        if not uids:
            return
        await self._call("remove")
        if self.box.keeps:
            raise ImapFailure("read-only")
        if not self.box.pretends:
            for uid in uids:
                self.box.mails.pop(uid, None)


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
class World:
    box: Box
    junk: Box | None = None
    journal: Memory = field(default_factory=Memory)
    desk: Taker = field(default_factory=lambda: Taker(LoopClock()))
    secret: FixedSecret = field(default_factory=FixedSecret)
    turns: deque[float] = field(default_factory=deque)
    seal: Seal | None = None

    def watching(self, folder: Folder = Folder.INBOX) -> AbstractAsyncContextManager[None]:
        return watching(
            BoxReader(self.box, self.junk),
            folder,
            desk=self.desk,
            journal=self.journal,
            secret=self.secret,
            turned=lambda: self.turns.append(self.desk.clock.now()),
            seal=self.seal,
        )


def virtual(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in virtual time."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(test(**fixtures))

    return run
