"""Takes in what the watchers find: whose message it is, and what it says about its probe."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from math import inf
from typing import assert_never

from probe.core import authentication, bounce, message, received, recognise, tag
from probe.core.cadence import Expectation
from probe.core.change import is_plain
from probe.core.model import (
    Folder,
    Loop,
    Mailbox,
    Part,
    Place,
    Sender,
    Sighting,
    Tag,
    UnmatchedCause,
)
from probe.core.quota import Quota
from probe.core.recognise import (
    Conflict,
    Expired,
    NotOurs,
    OldJournal,
    Ours,
    OurShort,
    Renamed,
    Untagged,
)
from probe.core.record import Record
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.findings import Findings
from probe.engine.records import Records
from probe.engine.returns import Returns
from probe.engine.rivals import Rivals
from probe.ports import Clock, Fetched, Journal, Metrics
from probe.ports_authentication import Arrived, nobody

log = logging.getLogger("probe.desk")

NEARLY_FULL = 0.9  # The share of a quota from which on it is warned of.
ASKED = 2.0  # s for which a mailbox that is to be looked into is looked into often.


class Desk:
    """Where messages from all mailboxes end up."""

    def __init__(
        self,
        *,
        instance: str,
        keys: Sequence[bytes],
        lifetime: float,
        senders: Mapping[str, Sender],
        mailboxes: Mapping[str, Mailbox],
        sights: Mapping[str, Sight],
        books: Books,
        findings: Findings,
        journal: Journal,
        metrics: Metrics,
        clock: Clock,
        wakes: Mapping[str, asyncio.Event],
        arrived: Arrived = nobody,
    ) -> None:
        """`keys` verify tags; `lifetime`: how old a tag may be (s); `arrived` is told of each."""
        self._instance = instance
        self._keys, self._lifetime = keys, lifetime
        self._senders, self._mailboxes, self._wakes = senders, mailboxes, wakes
        self._sights, self._books, self._findings = sights, books, findings
        self._journal, self._metrics = journal, metrics
        self._clock, self._arrived = clock, arrived
        self.trouble: dict[str, str] = {}  # Why a mailbox cannot be read.
        self._rivals = Rivals(instance, clock)
        self._records = Records(books, journal)
        self._returns = Returns(self._records, books=books, findings=findings)
        self._asked: dict[str, float] = {}  # When a mailbox was last to be looked into.
        self._nearly_full: set[str] = set()
        # Since when they are as they are; a message from before cannot be compared with them.
        self._since: dict[Sender | Mailbox, float] = dict.fromkeys(
            (*senders.values(), *mailboxes.values()), -inf
        )

    def follow(
        self,
        *,
        keys: Sequence[bytes],
        lifetime: float,
        senders: Mapping[str, Sender],
        mailboxes: Mapping[str, Mailbox],
        wakes: Mapping[str, asyncio.Event],
    ) -> None:
        """From now on the configuration says so."""
        now = self._clock.now()
        parties: list[Sender | Mailbox] = [*senders.values(), *mailboxes.values()]
        self._since = {party: self._since.get(party, now) for party in parties}
        self._keys, self._lifetime = keys, lifetime
        self._senders, self._mailboxes, self._wakes = senders, mailboxes, wakes

    # ---- what the watchers ask

    def wants_body(self, header: bytes) -> bool:
        """Whether a message has to be fetched whole."""
        return recognise.might_be_tagged(header) or recognise.is_report(header)

    def is_ours(self, content: bytes) -> bool:
        """Whether a message, or what a DSN returns, has a tag that this instance signed.

        Only such messages may be removed. An old journal that is alive was never ours.
        """
        header, _, body = content.partition(b"\r\n\r\n")
        match self._recognise(header, body, cleaning=True):
            case Ours() | Renamed():
                return True
            case OldJournal(old):
                return old.journal not in self._rivals
            case Expired(told) if told.journal == self._journal.id:
                return True
            case _:
                pass
        report = bounce.parse(header, body)
        tags = () if report is None else (tag.verify(t, self._keys) for t in report.tokens)
        return any(isinstance(t, Tag) and self._is_own(t) for t in tags)

    def wake(self, mailbox: str) -> asyncio.Event:
        """Set when a message for this mailbox is on its way."""
        return self._wakes[mailbox]

    def expecting(self, mailbox: str) -> Expectation:
        """What is on its way to this mailbox."""
        level = self._books.ledger.levels.mailbox(mailbox)
        asked = self._clock.now() < self._asked.get(mailbox, -inf) + ASKED
        return Expectation(max(level.expected, int(asked)), level.newest_acceptance, urgent=asked)

    def ask(self, mailbox: str) -> None:
        """Look into a mailbox now, and often for a while: what is missing may be there."""
        if mailbox in self._wakes:
            self._asked[mailbox] = self._clock.now()
            self._wakes[mailbox].set()

    # ---- what the watchers tell

    def proved(self, mailbox: str, folder: Folder, started: float) -> None:
        """A search that began at `started` succeeded, and all that it found has been received."""
        sight = self._sights[mailbox]
        was_blind = sight.blind
        sight.proved(folder, started)
        self._show(mailbox)
        if was_blind and not sight.blind:
            self.trouble.pop(mailbox, None)
            log.info("Mailbox %s is being read.", mailbox)

    def blinded(self, mailbox: str, folder: Folder, why: str) -> None:
        """The folder cannot be read, for this reason."""
        self._sights[mailbox].blinded(folder, self._clock.now())
        self.trouble[mailbox] = why
        self._show(mailbox)
        log.warning("Mailbox %s cannot be read (%s): %s", mailbox, folder, why)
        self._findings.failed(mailbox, folder, why)

    def absent(self, mailbox: str, folder: Folder) -> None:
        """The mailbox has no such folder: nothing is to be waited for from there."""
        self._sights[mailbox].absent(folder)
        self._show(mailbox)

    def is_full(self, mailbox: str) -> bool:
        """Whether the mailbox is known to be full."""
        return self._findings.is_full(mailbox)

    def filled(self, mailbox: str, quota: Quota | None) -> None:
        """What a mailbox uses of its quota; None where it has none."""
        share = None if quota is None else quota.share
        self._metrics.filled(mailbox, share)
        if share is None or share < NEARLY_FULL:
            self._nearly_full.discard(mailbox)
        elif mailbox not in self._nearly_full:
            self._nearly_full.add(mailbox)
            log.warning("Mailbox %s has used %.0f %% of its quota.", mailbox, 100 * share)
        self._findings.measured(mailbox, quota)

    def certified(self, mailbox: str, end: float) -> None:
        """The earliest end in the certificate chain that its IMAP server showed (Unix time)."""
        self._metrics.mailbox_certified(mailbox, end)
        self._findings.mailbox_certified(mailbox, end)

    def _show(self, mailbox: str) -> None:
        sight = self._sights[mailbox]
        last_ok = None if sight.proof is None else self._clock.wall(sight.proof)
        self._metrics.read(mailbox, up=not sight.blind, last_ok=last_ok)
        self._findings.read(mailbox)

    async def receive(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        """A message was found; what it says is in the journal when its folder's position is.

        With `rescan` it may have been received before under another UID. The ledger knows
        copies by their places, whichever way they are found; what was counted as not ours then
        is not counted again. One that we stumble over is passed over: it must not hide others.
        """
        self._books.catch_up()
        try:
            await self._take_in(fetched, place, folder, seen, rescan=rescan)
        except Exception:
            log.exception("Message %d of mailbox %s is passed over.", place.uid, place.mailbox)
            self._metrics.failed(Loop.WATCHER)

    async def _take_in(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        returned = await self._returns.take_in(fetched, place, seen)
        if returned is not None:
            keep = self._mailboxes[place.mailbox].keep_failed
            self._journal.keep_until(place, returned, seen + keep)
            return
        match self._recognise(fetched.header, fetched.body):
            case (Ours() | Renamed()) as found:
                await self._ours(fetched, place, folder, seen=seen, found=found)
            case OurShort(sequence, short, answer):
                if not answer:
                    await self._short(fetched, place, folder, seen=seen, claim=(sequence, short))
            case OldJournal():
                self._orphan(place, seen)
            case Conflict(rival):
                self._rivals.heard(rival.journal)
                self._unmatched(place, UnmatchedCause.FOREIGN)
            case Expired(told, token) as found if self._awaits(told, token):
                await self._ours(fetched, place, folder, seen=seen, found=found)
            case Expired() if not rescan:
                self._unmatched(place, UnmatchedCause.EXPIRED)
            case NotOurs(cause) if not rescan:
                self._unmatched(place, cause)
            case Expired() | NotOurs() | Untagged():
                pass
            case never:
                assert_never(never)

    @property
    def conflict(self) -> bool:
        """Whether another prober uses our instance name."""
        return self._rivals.conflict

    # ---- whose it is

    def _recognise(
        self, header: bytes, body: bytes, *, cleaning: bool = False
    ) -> recognise.Recognised:
        return recognise.recognise(
            header,
            self._keys,
            instance=self._instance,
            journal=self._journal.id,
            journal_created_wall=self._clock.wall(self._journal.created),
            wall=self._clock.wall(self._clock.now()),
            lifetime=float("inf") if cleaning else self._lifetime,
            body=body,
        )

    def _awaits(self, told: Tag, token: str) -> bool:
        """Whether a tag that seems expired is that of a probe on its way: the clock was set."""
        record = self._books.ledger.get(told.sequence)
        return record is not None and record.probe.token == token

    def _is_own(self, told: Tag) -> bool:
        """Whether we signed this, under this name or an earlier one of this journal."""
        named = told.instance == tag.digest_of_instance(self._instance)
        return named or told.journal == self._journal.id

    async def _ours(
        self,
        fetched: Fetched,
        place: Place,
        folder: Folder,
        *,
        seen: float,
        found: Ours | Renamed | Expired,
    ) -> None:
        sequence = found.tag.sequence
        async with self._records.turn(sequence):
            record = await self._records.find(sequence)
            if record is not None and record.probe.token == found.token:
                self._sighted(fetched, place, folder, seen=seen, record=record)
            elif isinstance(found, Renamed):
                self._unmatched(place, UnmatchedCause.FOREIGN)
            else:
                self._orphan(place, seen)

    async def _short(
        self, fetched: Fetched, place: Place, folder: Folder, *, seen: float, claim: tuple[int, str]
    ) -> None:
        sequence, short = claim
        async with self._records.turn(sequence):
            record = await self._records.find(sequence)
            if record is None or not tag.is_short_of(short, record.probe.token):
                self._unmatched(place, UnmatchedCause.BAD_MAC)
            else:
                self._sighted(fetched, place, folder, seen=seen, record=record)

    def _orphan(self, place: Place, seen: float) -> None:
        """Signed by us and unknown to the journal: cleaned in time, and no delivery.

        A journal that is in trouble may only have forgotten it: then it is left alone.
        """
        self._unmatched(place, UnmatchedCause.ORPHAN)
        if not self._journal.up:
            return
        keep = self._mailboxes[place.mailbox].keep
        self._journal.keep_until(place, None, seen + keep)

    def _unmatched(self, place: Place, cause: UnmatchedCause) -> None:
        self._metrics.unmatched(place.mailbox, cause)
        # Where probers share a mailbox, most of what is there is of others.
        log.log(
            logging.DEBUG if cause is UnmatchedCause.FOREIGN else logging.INFO,
            "A tagged message is not counted as a probe.",
            extra={"fields": {"mailbox": place.mailbox, "uid": place.uid, "cause": str(cause)}},
        )

    # ---- what it says

    def _sighted(
        self, fetched: Fetched, place: Place, folder: Folder, *, seen: float, record: Record
    ) -> None:
        mailbox = self._mailboxes[place.mailbox]
        probe = record.probe
        if probe.route.mailbox != mailbox.name:
            self._unmatched(place, UnmatchedCause.FOREIGN)
            return
        sighting = Sighting(
            sequence=probe.sequence,
            token=probe.token,
            place=place,
            folder=folder,
            seen=seen,
            altered=self._altered(fetched, record, mailbox),
            hops=received.hops(
                fetched.header,
                accepted_wall=self._clock.wall(record.since),
                seen_wall=self._clock.wall(seen),
                launched_wall=self._clock.wall(probe.launched),
            ),
            authentication=authentication.results(fetched.header, authserv_id=mailbox.authserv_id),
        )
        change = self._books.ledger.sighted(sighting, record)
        self._books.count(change)
        self._findings.arrived(probe)
        if record.arrived is None:
            self._arrived(change.record, sighting, fetched)
        keep = mailbox.keep if is_plain(change, sighting) else mailbox.keep_failed
        self._journal.arrived(change.record, expunge=seen + keep)

    def _altered(self, fetched: Fetched, record: Record, mailbox: Mailbox) -> frozenset[Part]:
        probe = record.probe
        sender = self._senders.get(probe.route.sender)
        if sender is None or probe.launched < max(self._since[sender], self._since[mailbox]):
            return frozenset()  # What it should look like is not known any more.
        told = tag.read(probe.token)
        if told is None or told.instance != tag.digest_of_instance(self._instance):
            return frozenset()  # Nor what we were called.
        return message.inspect(
            fetched.header,
            fetched.body,
            token=probe.token,
            sender=sender,
            mailbox_address=mailbox.address,
            instance=self._instance,
            route=probe.route,
        )
