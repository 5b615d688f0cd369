"""The composition root: builds the edges, hands them to the engine, owns the tasks."""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from probe.config import Settings
from probe.core.control import Seal
from probe.core.ledger import Ledger
from probe.core.model import Folder, Loop, Mailbox
from probe.core.sight import Sight
from probe.edges.clock import SystemClock
from probe.edges.imap import ImapReader
from probe.edges.journal import JournalLocked, SqliteJournal
from probe.edges.resolver import DnsResolver
from probe.edges.route import KernelRoutes
from probe.edges.smtp import SmtpSubmitter
from probe.edges.web.server import PortTaken, WebServer
from probe.engine.books import Books
from probe.engine.courier import Courier, Line
from probe.engine.desk import Desk
from probe.engine.findings import Findings
from probe.engine.inheritance import inherit
from probe.engine.inspector import Inspector
from probe.engine.learner import Learner
from probe.engine.login_gate import LoginGate
from probe.engine.overview import Overview
from probe.engine.providers import ProviderFinder
from probe.engine.publisher import Publisher
from probe.engine.reaper import Reaper
from probe.engine.roster import Roster
from probe.engine.scribe import Scribe
from probe.engine.sender import Sender
from probe.engine.supervisor import Supervisor, Turn
from probe.engine.throttle import Throttle
from probe.engine.watcher import FolderWatcher
from probe.metrics import Exporter

log = logging.getLogger("probe.app")

WEEK = 7 * 86400.0
DRAIN = 1.0  # s that submissions under way are given when we stop.


def run(settings: Settings) -> int:
    """Run the prober until SIGTERM or SIGINT; the exit code."""
    try:
        asyncio.run(_until_signal(App(settings)))
    except (JournalLocked, PortTaken, OSError) as problem:
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
        gc.freeze()  # What is loaded by now stays: looking through it would stall all for 0.1 s.
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
        self._findings = Findings(self._sights, metrics=self._metrics, clock=clock)
        self._learner = Learner(
            settings.relays, books=self._books, metrics=self._metrics, clock=clock
        )
        self._throttle = Throttle(settings.limits, clock)
        self._throttle.remember(self._remembered.launches)
        self._keys = [key.read().encode() for key in settings.tag_keys]
        self._desk = self._make_desk()
        self._sender = Sender(self._make_courier(), metrics=self._metrics, clock=clock)
        self._roster = Roster(
            settings.plans,
            throttle=self._throttle,
            sender=self._sender,
            books=self._books,
            metrics=self._metrics,
        )
        self._supervisor = Supervisor(clock=clock, metrics=self._metrics)
        self._overview = Overview(
            self._books,
            self._sender,
            self._supervisor,
            findings=self._findings,
            desk=self._desk,
            journal=journal,
            clock=clock,
        )
        self._publisher = self._make_publisher()

    async def run(self, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        """Take over what the last run left, open the pages, turn the loops until `stop`."""
        self._announce()
        inherit(
            self._remembered,
            roster=self._roster,
            learner=self._learner,
            books=self._books,
            journal=self._journal,
            metrics=self._metrics,
        )
        host, port = self._settings.listen
        shown = f"[{host}]" if ":" in host else host
        async with WebServer(
            f"{shown}:{port}",
            exporter=self,
            status=self._overview.status,
            health=self._overview.health,
        ) as web:
            url = f"http://{shown}:{web.port}"
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

    def _make_desk(self) -> Desk:
        give_ups = [plan.give_up for plan in self._settings.plans.values()]
        return Desk(
            instance=self._settings.instance,
            keys=self._keys,
            lifetime=max([WEEK, *give_ups]),
            senders=self._senders,
            mailboxes=self._mailboxes,
            sights=self._sights,
            books=self._books,
            findings=self._findings,
            journal=self._journal,
            metrics=self._metrics,
            clock=self._clock,
            wakes=self._wakes,
        )

    def _make_courier(self) -> Courier:
        scribe = Scribe(
            instance=self._settings.instance,
            key=self._keys[0],
            senders=self._senders,
            mailboxes=self._mailboxes,
            journal=self._journal,
            clock=self._clock,
        )
        return Courier(
            {line.relay.name: line for line in self._lines()},
            scribe,
            throttle=self._throttle,
            books=self._books,
            findings=self._findings,
            learner=self._learner,
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
            learner=self._learner,
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
            routes=KernelRoutes(),
            clock=self._clock,
            metrics=self._metrics,
        )
        finder = ProviderFinder(
            self._settings.mailboxes,
            self._resolver,
            limit=self._roster.limit_mailbox,
            clock=self._clock,
        )
        reaper = Reaper(self._books)
        return [
            (Loop.INSPECTOR, "nodes", inspector.run),
            (Loop.INSPECTOR, "providers", finder.run),
            (Loop.SENDER, "slots", self._sender.run),
            (Loop.REAPER, "deadlines", reaper.run),
            (Loop.PUBLISHER, "gauges", self._publisher.run),
            *[loop for mailbox in self._settings.mailboxes for loop in self._watchers(mailbox)],
        ]

    def _watchers(self, mailbox: Mailbox) -> list[tuple[Loop, str, Turn]]:
        secret = self._settings.imap_passwords[mailbox.name]
        reader = ImapReader(mailbox, secret, self._resolver)
        gate = LoginGate(secret, self._clock)
        seal = Seal(
            self._settings.instance,
            self._journal.id,
            self._clock.wall(self._journal.created),
            self._keys,
        )

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
                seal=seal if folder is Folder.INBOX else None,
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

    async def _keep(self, loop: Loop, member: str, turn: Turn) -> None:
        await self._supervisor.keep(loop, member, turn)

    async def _drain(self) -> None:
        """Let submissions that are nearly done come to their end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self._sender.stop()


def _folders(mailbox: Mailbox) -> frozenset[Folder]:
    return frozenset({Folder.INBOX} | ({Folder.JUNK} if mailbox.junk else set()))
