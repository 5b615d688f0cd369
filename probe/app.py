"""The composition root: builds the edges, hands them to the engine, owns the tasks."""

from __future__ import annotations

import asyncio
import logging
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from probe.config import Settings
from probe.core.ledger import Ledger
from probe.core.model import Folder, Loop, Mailbox, UnknownCause
from probe.core.record import Record
from probe.core.sight import Sight
from probe.edges.clock import SystemClock
from probe.edges.imap import ImapReader
from probe.edges.journal import JournalLocked, SqliteJournal
from probe.edges.resolver import DnsResolver
from probe.edges.smtp import SmtpSubmitter
from probe.edges.web import BadCertificate, Certificate, Login, PortTaken, WebServer
from probe.engine.books import Books
from probe.engine.courier import Courier, Line
from probe.engine.desk import Desk
from probe.engine.inspector import Inspector
from probe.engine.login_gate import LoginGate
from probe.engine.overview import Overview
from probe.engine.publisher import Publisher
from probe.engine.reaper import Reaper
from probe.engine.roster import Roster
from probe.engine.scribe import Scribe
from probe.engine.sender import Sender
from probe.engine.supervisor import Supervisor, Turn
from probe.engine.watcher import FolderWatcher
from probe.metrics import Exporter
from probe.ports import Remembered

log = logging.getLogger("probe.app")

WEEK = 7 * 86400.0
DRAIN = 1.5  # s that submissions under way are given when we stop.


def run(settings: Settings) -> int:
    """Run the prober until SIGTERM or SIGINT; the exit code."""
    try:
        asyncio.run(_until_signal(App(settings)))
    except (JournalLocked, PortTaken, BadCertificate, OSError) as problem:
        print(f"mailprobe: {problem}", file=sys.stderr)
        return 1
    return 0


async def _until_signal(app: App) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(
        signal.SIGHUP,
        lambda: log.warning("The configuration cannot be read again yet: restart instead."),
    )
    await app.run(stop)


class App:
    """One prober, from its settings to its loops."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(
        self, stop: asyncio.Event, *, ready: Callable[[str], None] = lambda _: None
    ) -> None:
        """Run until `stop` is set; `ready` is told where the pages are.

        Raises JournalLocked, PortTaken or OSError where it cannot begin.
        """
        clock = SystemClock()
        journal = await SqliteJournal.open(self._settings.journal, clock)
        try:
            prober = _Prober(self._settings, journal, clock)
            await prober.run(stop, ready)
        finally:
            await journal.close()


class _Prober:
    """Everything that lives between the opening and the closing of the journal."""

    def __init__(self, settings: Settings, journal: SqliteJournal, clock: SystemClock) -> None:
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._remembered = journal.load()
        self._senders = {sender.name: sender for sender in settings.senders}
        self._mailboxes = {mailbox.name: mailbox for mailbox in settings.mailboxes}
        self._wakes = {name: asyncio.Event() for name in self._mailboxes}
        self._resolver = DnsResolver(settings.resolvers)
        self._metrics = Exporter(now=lambda: clock.wall(clock.now()))
        self._sights = {
            name: Sight(_folders(mailbox), clock.now(), self._remembered.stopped)
            for name, mailbox in self._mailboxes.items()
        }
        self._books = Books(
            Ledger(self._sights), journal=journal, metrics=self._metrics, clock=clock
        )
        keys = [key.read().encode() for key in settings.tag_keys]
        self._desk = self._make_desk(keys)
        self._sender = Sender(self._make_courier(keys[0]), metrics=self._metrics, clock=clock)
        self._roster = Roster(
            settings.plans, sender=self._sender, books=self._books, metrics=self._metrics
        )
        self._supervisor = Supervisor(clock=clock, metrics=self._metrics)
        self._overview = Overview(self._books, self._sender, self._supervisor, clock=clock)
        self._publisher = self._make_publisher()

    async def run(self, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        """Take over what the last run left, open the pages, turn the loops until `stop`."""
        self._announce()
        self._restore(self._remembered)
        host, port = self._settings.listen
        shown = f"[{host}]" if ":" in host else host
        web = WebServer(
            f"{shown}:{port}",
            exporter=self,
            status=self._overview.status,
            health=self._overview.health,
        )
        _guard(web, self._settings)
        async with web:
            url = f"http{'s' if self._settings.certificate else ''}://{shown}:{web.port}"
            log.info("mailprobe listens at %s.", url)
            ready(url)
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._keep(*loop)) for loop in self._loops()]
                await stop.wait()
                log.info("mailprobe stops.")
                await self._drain()
                for task in tasks:
                    task.cancel()

    async def scrape(self, accept: str, *, gzipped: bool) -> tuple[bytes, str]:
        """All metrics, with the gauges of this very moment: the account adds up in every scrape."""
        self._publisher.publish()
        return await self._metrics.scrape(accept, gzipped=gzipped)

    # ---- building

    def _make_desk(self, keys: list[bytes]) -> Desk:
        give_ups = [plan.give_up for plan in self._settings.plans.values()]
        return Desk(
            instance=self._settings.instance,
            keys=keys,
            lifetime=max([WEEK, *give_ups]),
            senders=self._senders,
            mailboxes=self._mailboxes,
            sights=self._sights,
            books=self._books,
            journal=self._journal,
            metrics=self._metrics,
            clock=self._clock,
            wakes=self._wakes,
        )

    def _make_courier(self, key: bytes) -> Courier:
        scribe = Scribe(
            instance=self._settings.instance,
            key=key,
            senders=self._senders,
            mailboxes=self._mailboxes,
            journal=self._journal,
            clock=self._clock,
        )
        return Courier(
            {line.relay.name: line for line in self._lines()},
            scribe,
            books=self._books,
            journal=self._journal,
            metrics=self._metrics,
            clock=self._clock,
            accepted_before=dict(self._remembered.accepted_before),
            wakes=self._wakes,
        )

    def _lines(self) -> list[Line]:
        lines = []
        for relay in self._settings.relays:
            secret = self._settings.smtp_passwords.get(relay.name)
            submitter = SmtpSubmitter(relay, secret, self._resolver, self._clock)
            lines.append(Line(relay, submitter, secret))
        return lines

    def _make_publisher(self) -> Publisher:
        return Publisher(
            books=self._books,
            desk=self._desk,
            roster=self._roster,
            overview=self._overview,
            journal=self._journal,
            metrics=self._metrics,
            clock=self._clock,
            step=self._clock.step,
        )

    def _loops(self) -> list[tuple[Loop, str, Turn]]:
        inspector = Inspector(
            self._settings.relays,
            self._resolver,
            self._roster,
            clock=self._clock,
            metrics=self._metrics,
        )
        reaper = Reaper(self._books, self._clock)
        return [
            (Loop.INSPECTOR, "nodes", inspector.run),
            (Loop.SENDER, "slots", self._sender.run),
            (Loop.REAPER, "deadlines", reaper.run),
            (Loop.PUBLISHER, "gauges", self._publisher.run),
            *[loop for mailbox in self._settings.mailboxes for loop in self._watchers(mailbox)],
        ]

    def _watchers(self, mailbox: Mailbox) -> list[tuple[Loop, str, Turn]]:
        secret = self._settings.imap_passwords[mailbox.name]
        reader = ImapReader(mailbox, secret, self._resolver)
        gate = LoginGate(secret, self._clock)

        def watch(folder: Folder) -> Turn:
            return lambda beat: FolderWatcher(
                reader,
                folder,
                desk=self._desk,
                journal=self._journal,
                clock=self._clock,
                gate=gate,
                chance=random.Random(),
                turned=beat,
            ).run()

        return [
            (Loop.WATCHER, f"{mailbox.name} {folder}", watch(folder))
            for folder in sorted(_folders(mailbox))
        ]

    # ---- beginning and ending

    def _announce(self) -> None:
        for relay in self._settings.relays:
            self._metrics.add_relay(relay)
        for sender in self._settings.senders:
            self._metrics.add_sender(sender)
        for mailbox in self._settings.mailboxes:
            self._metrics.add_mailbox(mailbox)

    def _restore(self, remembered: Remembered) -> None:
        for key, moment in remembered.last_success.items():
            if self._roster.known(key):
                self._books.ledger.levels.of(key).last_success = moment
        for record in remembered.open:
            self._take_over(record, clock_stepped=remembered.clock_stepped)
        if remembered.open:
            log.info("%d probes of the last run are still open.", len(remembered.open))

    def _take_over(self, record: Record, *, clock_stepped: bool) -> None:
        key = record.probe.route
        if not self._roster.known(key):
            change = self._books.ledger.restore(record, UnknownCause.CONFIG)
            self._journal.save(change.record)
            self._books.drop(key)
            return
        self._roster.adopt(key)
        if record.undecided:
            self._metrics.scheduled(key)
        cause = UnknownCause.CLOCK if clock_stepped else None
        self._books.post([self._books.ledger.restore(record, cause)])

    async def _keep(self, loop: Loop, member: str, turn: Turn) -> None:
        await self._supervisor.keep(loop, member, turn)

    async def _drain(self) -> None:
        """Let submissions that are nearly done come to their end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self._sender.stop()


def _guard(web: WebServer, settings: Settings) -> None:
    login, files = settings.login, settings.certificate
    web.guard(
        login=None if login is None else Login(*login),
        certificate=None if files is None else Certificate(*files),
        external_url=settings.external_url,
    )


def _folders(mailbox: Mailbox) -> frozenset[Folder]:
    return frozenset({Folder.INBOX} | ({Folder.JUNK} if mailbox.junk else set()))
