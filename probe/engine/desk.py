"""Takes in what the watchers find: whose message it is, and what it says about its probe."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Mapping, Sequence
from typing import assert_never

from probe.core import authentication, bounce, message, received, recognise, tag
from probe.core.cadence import Expectation
from probe.core.ledger import Change
from probe.core.model import (
    Bounce,
    Folder,
    Mailbox,
    Part,
    Place,
    Sender,
    Sighting,
    Tag,
    UnmatchedCause,
)
from probe.core.recognise import Conflict, NotOurs, OldJournal, Ours, OurShort, Untagged
from probe.core.record import Good, Record
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.ports import Clock, Fetched, Journal, Metrics

log = logging.getLogger("probe.desk")

CONFLICT_SHOWN = 900.0  # s after its last message that a second prober is still reported.


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
        journal: Journal,
        metrics: Metrics,
        clock: Clock,
        wakes: Mapping[str, asyncio.Event],
    ) -> None:
        """`keys` verify tags; `lifetime`: how old a tag may be (s)."""
        self._instance = instance
        self._keys = keys
        self._lifetime = lifetime
        self._senders = senders
        self._mailboxes = mailboxes
        self._sights = sights
        self._books = books
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._wakes = wakes
        self.trouble: dict[str, str] = {}  # Why a mailbox cannot be read, by its name.
        self._conflict: float | None = None
        # Since when they are as they are; a message from before cannot be compared with them.
        self._since: dict[Sender | Mailbox, float] = dict.fromkeys(
            (*senders.values(), *mailboxes.values()), -math.inf
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
        """Whether a message, or a DSN by what it returns, has a tag that this instance signed.

        Only such messages may be removed.
        """
        header, _, body = content.partition(b"\r\n\r\n")
        if isinstance(self._recognise(header, body, cleaning=True), Ours | OldJournal):
            return True
        report = bounce.parse(header, body)
        tags = () if report is None else (tag.verify(t, self._keys) for t in report.tokens)
        instance = tag.digest_of_instance(self._instance)
        return any(isinstance(t, Tag) and t.instance == instance for t in tags)

    def wake(self, mailbox: str) -> asyncio.Event:
        """Set when a message for this mailbox is on its way."""
        return self._wakes[mailbox]

    def expecting(self, mailbox: str) -> Expectation:
        """What is on its way to this mailbox."""
        level = self._books.ledger.levels.mailbox(mailbox)
        return Expectation(in_flight=level.expected, youngest=level.newest_acceptance)

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

    def absent(self, mailbox: str, folder: Folder) -> None:
        """The mailbox has no such folder: nothing is to be waited for from there."""
        self._sights[mailbox].absent(folder)
        self._show(mailbox)

    def _show(self, mailbox: str) -> None:
        sight = self._sights[mailbox]
        last_ok = None if sight.proof is None else self._clock.wall(sight.proof)
        self._metrics.read(mailbox, up=not sight.blind, last_ok=last_ok)

    async def receive(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        """A message was found; returns when what it says is durable.

        With `rescan` it may have been received before under another UID. The ledger knows
        copies by their places, whichever way they are found; what was counted as not ours then
        is not counted again.
        """
        if await self._returned(fetched, place, seen):
            return
        match self._recognise(fetched.header, fetched.body):
            case Ours(_, token):
                await self._ours(fetched, place, folder, seen=seen, token=token)
            case OurShort(sequence, short, answer):
                if not answer:
                    await self._short(fetched, place, folder, seen=seen, claim=(sequence, short))
            case OldJournal():
                await self._orphan(place, seen)
            case Conflict():
                self._conflict = self._clock.now()
                self._unmatched(place, UnmatchedCause.FOREIGN)
            case NotOurs(cause) if not rescan:
                self._unmatched(place, cause)
            case NotOurs():
                pass
            case Untagged():
                pass
            case never:
                assert_never(never)

    @property
    def conflict(self) -> bool:
        """Whether another prober uses our instance name."""
        last = self._conflict
        return last is not None and self._clock.now() - last < CONFLICT_SHOWN

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

    async def _find(self, sequence: int) -> Record | None:
        return self._books.ledger.get(sequence) or await self._journal.find(sequence)

    async def _ours(
        self, fetched: Fetched, place: Place, folder: Folder, *, seen: float, token: str
    ) -> None:
        read = tag.read(token)
        record = None if read is None else await self._find(read.sequence)
        if record is None or record.probe.token != token:
            await self._orphan(place, seen)
        elif record.probe.route.mailbox != place.mailbox:
            self._unmatched(place, UnmatchedCause.FOREIGN)
        else:
            await self._sighted(fetched, place, folder, seen=seen, record=record)

    async def _short(
        self, fetched: Fetched, place: Place, folder: Folder, *, seen: float, claim: tuple[int, str]
    ) -> None:
        sequence, short = claim
        record = await self._find(sequence)
        if record is None or not tag.is_short_of(short, record.probe.token):
            self._unmatched(place, UnmatchedCause.BAD_MAC)
        elif record.probe.route.mailbox != place.mailbox:
            self._unmatched(place, UnmatchedCause.FOREIGN)
        else:
            await self._sighted(fetched, place, folder, seen=seen, record=record)

    async def _orphan(self, place: Place, seen: float) -> None:
        """Signed by us and unknown to the journal: cleaned in time, and no delivery.

        A journal that is in trouble may only have forgotten it: then it is left alone.
        """
        self._unmatched(place, UnmatchedCause.ORPHAN)
        if not self._journal.up:
            return
        keep = self._mailboxes[place.mailbox].keep
        await self._journal.keep_until(place, None, seen + keep)

    def _unmatched(self, place: Place, cause: UnmatchedCause) -> None:
        self._metrics.unmatched(place.mailbox, cause)
        log.info(
            "A tagged message is not one of ours.",
            extra={"fields": {"mailbox": place.mailbox, "uid": place.uid, "cause": str(cause)}},
        )

    # ---- what it says

    async def _sighted(
        self, fetched: Fetched, place: Place, folder: Folder, *, seen: float, record: Record
    ) -> None:
        mailbox = self._mailboxes[place.mailbox]
        probe = record.probe
        accepted = record.accepted if record.accepted is not None else probe.launched
        sighting = Sighting(
            sequence=probe.sequence,
            token=probe.token,
            place=place,
            folder=folder,
            seen=seen,
            altered=self._altered(fetched, record, mailbox),
            hops=received.hops(
                fetched.header,
                accepted_wall=self._clock.wall(accepted),
                seen_wall=self._clock.wall(seen),
                launched_wall=self._clock.wall(probe.launched),
            ),
            authentication=authentication.results(fetched.header, authserv_id=mailbox.authserv_id),
        )
        await self._settle(self._books.ledger.sighted(sighting, record), mailbox, seen)

    def _altered(self, fetched: Fetched, record: Record, mailbox: Mailbox) -> frozenset[Part]:
        probe = record.probe
        sender = self._senders.get(probe.route.sender)
        if sender is None or probe.launched < max(self._since[sender], self._since[mailbox]):
            return frozenset()
        return message.inspect(
            fetched.header,
            fetched.body,
            token=probe.token,
            sender=sender,
            mailbox_address=mailbox.address,
            instance=self._instance,
            route=probe.route,
        )

    async def _settle(self, change: Change, mailbox: Mailbox, seen: float) -> None:
        keep = mailbox.keep if isinstance(change.record.verdict, Good) else mailbox.keep_failed
        self._books.count(change)
        await self._journal.arrived(change.record, expunge=seen + keep)

    # ---- DSNs

    async def _returned(self, fetched: Fetched, place: Place, seen: float) -> bool:
        """Whether this was a DSN about one of our messages; if so it has been dealt with."""
        report = bounce.parse(fetched.header, fetched.body)
        if report is None:
            return False
        record = await self._reported(report)
        if record is None:
            return False
        told = Bounce(
            sequence=record.probe.sequence,
            place=place,
            seen=seen,
            action=report.action,
            status=report.status,
            text=report.text,
        )
        self._books.post([self._books.ledger.bounced(told, record)])
        keep = self._mailboxes[place.mailbox].keep_failed
        await self._journal.keep_until(place, record.probe.sequence, seen + keep)
        return True

    async def _reported(self, report: bounce.Report) -> Record | None:
        """The probe that a DSN is about: by VERP, by ENVID, by what it returned."""
        for short in report.shorts:
            sequence = tag.sequence_of_short(short)
            record = None if sequence is None else await self._find(sequence)
            if record is not None and tag.is_short_of(short, record.probe.token):
                return record
        for token in report.tokens:
            read = tag.read(token)
            record = None if read is None else await self._find(read.sequence)
            if record is not None and record.probe.token == token:
                return record
        return None
