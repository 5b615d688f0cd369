"""Watches the folders of a mailbox: what is new goes to the desk, and only then is it read."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import NoReturn, Protocol

from probe.core.cadence import (
    LEAST_JUNK_PAUSE,
    LEAST_PAUSE,
    Expectation,
    is_calm,
    lull,
    next_poll,
    poll_deadline,
    retry_delay,
    search_period,
)
from probe.core.control import Seal
from probe.core.model import Folder, Place
from probe.core.quota import Quota
from probe.engine.cleaner import FolderCleaner
from probe.engine.control import FolderControl
from probe.engine.gauge import QuotaGauge
from probe.engine.login_gate import LoginGate
from probe.engine.scan import FolderScan
from probe.ports import Clock, Fetched, ImapFailure, Journal, MailboxReader, Position, Session

_BATCH = 50  # Messages fetched at once, at most 64 KiB of each header.
_BACKLOG = 5000  # More new UIDs than this are scanned for tags instead of being fetched.
_ABSENT_PERIOD = 300.0  # How often we look for a junk folder that is not there (s).
_ABSENT_STEP = 30.0
_CHATTER_PAUSE = 0.1  # After IDLE ended with nothing new (s).
_STABLE_AGE = 10.0  # A session that lasts so long ends a row of failures (s).
_SCAN_PATIENCE = 0.5  # How long a step of a scan is put off because messages are expected (s).
_TIMER_SLACK = 0.001  # Timers may fire this early (s).


class Desk(Protocol):
    """Who takes what the watchers find. Folders are told by their kind, `Folder`."""

    def wake(self, mailbox: str) -> asyncio.Event:
        """The event that is set when a message to this mailbox is launched or accepted."""

    def expecting(self, mailbox: str) -> Expectation:
        """What is on its way to this mailbox."""

    def wants_body(self, header: bytes) -> bool:
        """Whether the body is needed too: a message with a tag, or a DSN."""

    def is_ours(self, content: bytes) -> bool:
        """Whether a header, or a header and body, carries one of our tags."""

    async def receive(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        """A message was found. That is durable once the position in the folder is.

        `seen` is when the search that named it was answered. With `rescan` it may have been
        received before, from another place: it is no duplicate.
        """

    def proved(self, mailbox: str, folder: Folder, started: float) -> None:
        """Everything that was in this folder at `started` has been received."""

    def blinded(self, mailbox: str, folder: Folder, why: str) -> None:
        """The folder cannot be read, for this reason."""

    def absent(self, mailbox: str, folder: Folder) -> None:
        """The mailbox has no such folder: nothing is to be waited for from there."""

    def is_full(self, mailbox: str) -> bool:
        """Whether the mailbox is known to be full."""

    def filled(self, mailbox: str, quota: Quota | None) -> None:
        """What a mailbox uses of its quota; None where it has none."""

    def certified(self, mailbox: str, end: float) -> None:
        """The earliest end in the certificate chain that the server showed (Unix time)."""


class FolderWatcher:
    """Watches one folder of one mailbox over one connection, for ever."""

    def __init__(
        self,
        reader: MailboxReader,
        folder: Folder,
        *,
        desk: Desk,
        journal: Journal,
        clock: Clock,
        gate: LoginGate,
        chance: random.Random,
        turned: Callable[[], None],
        seal: Seal | None = None,
        looks_back: Callable[[], bool] = lambda: True,
    ) -> None:
        """With a `seal`, control messages are put into the folder.

        `looks_back`: whether what is in a folder when it is first seen may be ours.
        """
        self._reader = reader
        self._mailbox = reader.mailbox.name
        self._folder = folder
        self._desk = desk
        self._journal = journal
        self._clock = clock
        self._gate = gate
        self._chance = chance
        self._turned = turned
        self._looks_back = looks_back
        self._cleaner = FolderCleaner(
            reader.mailbox,
            journal=journal,
            clock=clock,
            is_ours=desk.is_ours,
            wants_body=desk.wants_body,
        )
        self._gauge = QuotaGauge(clock, lambda quota: desk.filled(self._mailbox, quota))
        self._control = FolderControl(reader.mailbox, seal, clock=clock, chance=chance)
        self._failures = 0  # In a row.
        self._first_start = False  # Nothing that was there before us is awaited.
        self._position = Position(self._mailbox, "", 0, 0, scanned=False)
        self._scan: FolderScan | None = None
        self._opened = 0.0  # When the session began.
        self._stepped = -math.inf  # When the last step of a scan ended.
        self._heard = -1  # The session's announcements that a search has followed up.
        self._searched = -math.inf  # When the last search began.
        self._round_trip = 0.0  # Of the last poll (s).

    async def run(self) -> NoReturn:
        """Watch, and begin again after every failure."""
        while True:
            self._turned()
            try:
                await self._connect()
            except ImapFailure as failure:
                self._desk.blinded(self._mailbox, self._folder, str(failure))
                self._failures += 1
                delay = retry_delay(self._failures, self._chance.random())
                await self._clock.sleep_until(self._clock.now() + delay)
            except Exception as error:
                why = f"the prober itself failed: {type(error).__name__}"
                self._desk.blinded(self._mailbox, self._folder, why)
                raise

    async def _connect(self) -> None:
        async with AsyncExitStack() as stack:
            async with self._gate.attempt(self._turned):
                name = await self._name()
                if name is not None:
                    session = await stack.enter_async_context(self._reader.open(name))
            if name is not None:
                await self._watch(session)
        await self._miss()

    async def _name(self) -> str | None:
        if self._folder is Folder.JUNK:
            return await self._reader.junk_folder()
        return self._reader.mailbox.inbox

    async def _miss(self) -> None:
        self._desk.absent(self._mailbox, self._folder)
        until = self._clock.now() + _ABSENT_PERIOD
        while (now := self._clock.now()) < until:
            self._turned()
            await self._clock.sleep_until(now + _ABSENT_STEP)

    # ---- one session

    async def _watch(self, session: Session) -> NoReturn:
        self._opened = self._clock.now()
        self._heard, self._searched = -1, -math.inf
        if session.certificate_end is not None:
            self._desk.certified(self._mailbox, session.certificate_end)
        await self._take_up(session)
        await self._control.begin(session)
        while True:
            self._turned()
            await self._round(session)
            await self._rest(session)

    async def _take_up(self, session: Session) -> None:
        """Go on where the journal says; what cannot be found by its UID is scanned for."""
        known = await self._journal.position(self._mailbox, session.folder)
        if known is None:
            self._first_start = True
        elif not _continues(known, session):
            self._first_start, known = False, None
        if known is None:
            known = Position(
                self._mailbox,
                session.folder,
                session.uidvalidity,
                session.uidnext,
                scanned=not (session.exists and self._looks_back()),
            )
            await self._journal.advance(known)
        self._position = known
        self._scan = None
        if not known.scanned:
            self._scan = FolderScan(session, self._clock, below=known.next_uid)

    async def _round(self, session: Session) -> None:
        """One poll, and what follows from it."""
        began = self._clock.now()
        expected = self._expected()
        await _in_time(session.poll(), poll_deadline(expected))
        self._round_trip = self._clock.now() - began
        overdue = began >= self._searched + search_period(expected) - _TIMER_SLACK
        if session.announced != self._heard or overdue:
            self._heard = session.announced
            await self._search(session, began)
        # Asked again: what was expected may just have been found.
        calm = is_calm(self._desk.expecting(self._mailbox), self._clock.now())
        if self._scan is not None:
            if calm or began >= self._stepped + _SCAN_PATIENCE:
                await self._scan_on(session, self._scan)
                self._stepped = self._clock.now()
        elif self._cleaner.is_due(calm=calm):
            await self._cleaner.clean(session)
        expected = self._desk.expecting(self._mailbox)
        await self._control.turn(session, expected)
        pressing = expected.urgent or self._desk.is_full(self._mailbox)
        if self._folder is Folder.INBOX and self._gauge.is_due(calm=calm, pressing=pressing):
            await self._gauge.read(session)

    def _expected(self) -> Expectation:
        return self._control.expecting(self._desk.expecting(self._mailbox))

    async def _search(self, session: Session, began: float) -> None:
        """Receive what is new. `began` is when the poll before it did: a search alone may not
        show what the server has not announced (RFC 3501 5.2).
        """
        uids = await session.search(self._position.next_uid)
        seen = self._clock.now()
        self._control.shown(uids)
        for first in range(0, len(uids), _BATCH):
            self._turned()
            batch = uids[first : first + _BATCH]
            await self._receive(session, batch, seen, rescan=False)
            await self._advance(replace(self._position, next_uid=batch[-1] + 1))
        self._searched = began
        self._prove()

    async def _scan_on(self, session: Session, scan: FolderScan) -> None:
        await self._receive(session, await scan.take(_BATCH), scan.seen, rescan=True)
        if scan.is_over:
            await self._advance(replace(self._position, scanned=True))
            self._scan = None
            self._first_start = False
            self._searched = -math.inf  # A search now, because it proves what was held back.

    async def _advance(self, position: Position) -> None:
        await self._journal.advance(position)
        self._position = position

    def _prove(self) -> None:
        if self._control.is_awaited:
            return
        if self._searched >= self._opened + _STABLE_AGE:
            self._failures = 0
        # While old messages are looked through, one that is awaited may be among them.
        if self._scan is None or self._first_start:
            self._desk.proved(self._mailbox, self._folder, self._searched)

    async def _receive(
        self, session: Session, uids: Sequence[int], seen: float, *, rescan: bool
    ) -> None:
        for message in await self._fetched(session, uids):
            place = Place(self._mailbox, session.folder, session.uidvalidity, message.uid)
            await self._desk.receive(message, place, self._folder, seen, rescan=rescan)

    async def _fetched(self, session: Session, uids: Sequence[int]) -> list[Fetched]:
        """These messages; only those that may be ours with their bodies."""
        if len(uids) <= self._expected().in_flight:  # Most likely it is them: one round trip.
            found = self._control.sift(await session.fetch(uids, body=True))
            wants = self._desk.wants_body
            return [one if wants(one.header) else replace(one, body=b"") for one in found]
        heads = self._control.sift(await session.fetch(uids, body=False))
        wanted = [one.uid for one in heads if self._desk.wants_body(one.header)]
        full = {one.uid: one for one in await session.fetch(wanted, body=True)}
        # What is gone meanwhile is left out: without its body it would seem truncated.
        return [full.get(one.uid, one) for one in heads if one.uid not in wanted or one.uid in full]

    # ---- between two rounds

    async def _rest(self, session: Session) -> None:
        """Wait until the next poll is due, by IDLE while nothing is on its way."""
        wake = self._desk.wake(self._mailbox)
        rested = self._clock.now()
        least = LEAST_JUNK_PAUSE if self._folder is Folder.JUNK else LEAST_PAUSE
        due = math.inf
        while True:
            # The event may be shared, and cleared by others: what it tells is asked for after.
            wake.clear()
            expected = self._expected()
            now = self._clock.now()
            pace = next_poll(
                expected, now, self._searched, least=least, round_trip=self._round_trip
            )
            due = max(min(due, pace), rested + least)
            if self._scan is not None:
                due = min(due, rested + max(least, self._scan.step_time))
            if now >= due or session.announced != self._heard:
                return
            if expected.in_flight or self._scan is not None:
                woken = await _woken(wake, due - now)
            elif pause := lull(expected, now):
                await _woken(wake, min(pause, due - now))
                continue
            else:
                woken = await self._idle(session, wake, due - now)
            if not woken:
                return

    async def _idle(self, session: Session, wake: asyncio.Event, seconds: float) -> bool:
        """Whether IDLE was ended by `wake`, and not by the server or the time."""
        idling = asyncio.ensure_future(session.idle(seconds))
        waking = asyncio.ensure_future(wake.wait())
        try:
            await asyncio.wait({idling, waking}, return_when=asyncio.FIRST_COMPLETED)
            woken = waking.done()
        finally:
            idling.cancel()
            waking.cancel()
            await asyncio.wait({idling, waking})
        if not idling.cancelled():
            idling.result()
        if woken:
            return True
        if session.announced == self._heard:
            await self._clock.sleep_until(self._clock.now() + _CHATTER_PAUSE)
        return False


def _continues(known: Position, session: Session) -> bool:
    """Whether reading can go on from this position by UIDs."""
    same = known.uidvalidity == session.uidvalidity and known.next_uid <= session.uidnext
    return same and session.uidnext - known.next_uid <= _BACKLOG


async def _in_time(poll: Coroutine[None, None, int], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await poll
    except TimeoutError:
        raise ImapFailure(f"the server did not answer within {seconds:g} s") from None


async def _woken(wake: asyncio.Event, seconds: float) -> bool:
    """Whether `wake` was set within these seconds."""
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        return False
    return True
