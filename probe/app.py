"""The composition root: builds the edges, hands them to the engine, owns the tasks."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from probe.app_domains import SenderWatch
from probe.app_heartbeat import Pulse
from probe.app_reload import Again, InForce, Reloader
from probe.app_setup import Ground, Setup
from probe.config import Settings
from probe.core.model import Loop
from probe.edges import steady
from probe.edges.clock import SystemClock
from probe.edges.journal import JournalRefused, SqliteJournal
from probe.edges.web import BadCertificate, CannotListen, WebServer
from probe.engine.crew import Crew
from probe.engine.diagnosis import Diagnostician
from probe.engine.inheritance import inherit
from probe.engine.overview import Overview
from probe.engine.publisher import Publisher
from probe.engine.reaper import Reaper
from probe.engine.roster import Roster
from probe.engine.sender import Sender
from probe.engine.supervisor import Supervisor
from probe.metrics import Exporter
from probe.ports import SecretUnreadable

log = logging.getLogger("probe.app")

DRAIN = 1.0  # s that submissions under way are given when we stop.


def run(settings: Settings, again: Again, in_force: InForce, *, revision: str = "") -> int:
    """Run the prober until SIGTERM or SIGINT; the exit code.

    `again` reads the settings once more, or raises ConfigError; `in_force` is told of those that
    are followed from then on; `revision`: of the sources, where it is known.
    """
    app = App(settings, again=again, in_force=in_force, revision=revision)
    try:
        steady.run(_until_signal(app))
    except (JournalRefused, CannotListen, BadCertificate, SecretUnreadable, OSError) as problem:
        print(f"mailprobe: {problem}", file=sys.stderr)
        return 1
    return 0


async def _until_signal(app: App) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, app.hangup.set)
    await app.run(stop)


class App:
    """One prober, from its settings to its loops."""

    def __init__(
        self,
        settings: Settings,
        *,
        again: Again | None = None,
        in_force: InForce = lambda _: None,
        revision: str = "",
    ) -> None:
        """As for `run`; without `again` there is no reload."""
        self.hangup = asyncio.Event()  # To be set for a reload.
        self._settings = settings
        self._again = again
        self._in_force = in_force
        self._revision = revision

    async def run(
        self, stop: asyncio.Event, *, ready: Callable[[str], None] = lambda _: None
    ) -> None:
        """Run until `stop` is set; `ready` is told where the pages are.

        Raises JournalRefused, CannotListen, BadCertificate, SecretUnreadable or OSError where it
        cannot begin.
        """
        gc.freeze()  # What is loaded by now stays: looking through it would stall all for 0.1 s.
        clock = SystemClock.of_loop()
        journal = await SqliteJournal.open(self._settings.journal, clock)
        try:
            prober = _Prober(
                self._settings,
                journal,
                clock,
                again=self._again,
                in_force=self._in_force,
                revision=self._revision,
            )
            await prober.run(stop, self.hangup, ready)
        finally:
            await journal.close()


class _Prober:
    """Everything that lives between the opening and the closing of the journal."""

    def __init__(
        self,
        settings: Settings,
        journal: SqliteJournal,
        clock: SystemClock,
        *,
        again: Again | None,
        in_force: InForce,
        revision: str,
    ) -> None:
        self._remembered = journal.load()
        self._metrics = Exporter(revision=revision, now=lambda: clock.wall(clock.now()))
        self._ground = Ground.laid(
            settings, self._remembered, journal=journal, metrics=self._metrics, clock=clock
        )
        self._senders = SenderWatch(settings, self._ground, self._remembered.notes)
        self._setup = Setup(settings, self._ground)
        self._setup.settle(self._ground)
        self._desk = self._setup.make_desk(self._ground, self._senders.notary.arrived)
        self._sender = Sender(self._setup.courier, metrics=self._metrics, clock=clock)
        self._roster = Roster(
            settings.plans,
            throttle=self._ground.throttle,
            sender=self._sender,
            books=self._ground.books,
            metrics=self._metrics,
        )
        self._supervisor = Supervisor(clock=clock, metrics=self._metrics)
        self._diagnostician = self._make_diagnostician()
        self._overview = self._make_overview()
        self._publisher = self._make_publisher()
        self._reloader = self._make_reloader(again, in_force)
        self._can_reload = again is not None

    async def run(
        self, stop: asyncio.Event, hangup: asyncio.Event, ready: Callable[[str], None]
    ) -> None:
        """Take over what the last run left, open the pages, turn the loops until `stop`."""
        self._reloader.announce()
        inherit(
            self._remembered,
            roster=self._roster,
            learner=self._ground.learner,
            books=self._ground.books,
            journal=self._ground.journal,
            metrics=self._metrics,
        )
        web = self._make_web()
        async with web:
            url = self._url(web)
            log.info("mailprobe listens at %s.", url)
            ready(url)
            async with asyncio.TaskGroup() as group:
                crew = Crew(group, self._supervisor)
                self._start(crew, web)
                listening = group.create_task(self._reloader.listen(hangup))
                await stop.wait()
                log.info("mailprobe stops.")
                await self._drain()
                self._diagnostician.keep()
                listening.cancel()
                crew.dismiss()

    async def scrape(self, accept: str, *, gzipped: bool) -> tuple[bytes, str]:
        """All metrics, with the gauges of this very moment: the account adds up in every scrape."""
        self._publisher.publish()
        return await self._metrics.scrape(accept, gzipped=gzipped)

    # ---- building

    def _make_diagnostician(self) -> Diagnostician:
        ground = self._ground
        return Diagnostician(
            ground.books.detector,
            self._setup.configured,
            findings=ground.findings,
            roster=self._roster,
            learner=ground.learner,
            bursts=self._sender,
            readers=self._desk,
            outside=self._senders.witness,
            journal=ground.journal,
            metrics=ground.metrics,
            clock=ground.clock,
            closed=[one for one in self._remembered.incidents if one.closed is not None],
            remarks=self._senders.domains.remarks,
        )

    def _make_overview(self) -> Overview:
        ground = self._ground
        return Overview(
            ground.books,
            self._sender,
            self._supervisor,
            diagnosis=self._diagnostician,
            desk=self._desk,
            journal=ground.journal,
            clock=ground.clock,
            standby=lambda: self._reloader.standby,
            domains=self._senders.domains.status,
        )

    def _make_publisher(self) -> Publisher:
        ground = self._ground
        return Publisher(
            books=ground.books,
            desk=self._desk,
            roster=self._roster,
            learner=ground.learner,
            overview=self._overview,
            journal=ground.journal,
            metrics=ground.metrics,
            clock=ground.clock,
            step=ground.clock.step,
        )

    def _make_reloader(self, again: Again | None, in_force: InForce) -> Reloader:
        return Reloader(
            self._setup,
            self._ground,
            desk=self._desk,
            sender=self._sender,
            roster=self._roster,
            diagnostician=self._diagnostician,
            senders=self._senders,
            pulse=Pulse(self._ground, self._roster, self._supervisor),
            again=again,
            in_force=in_force,
        )

    def _make_web(self) -> WebServer:
        host, port = self._setup.settings.listen
        web = WebServer(
            f"{_bracketed(host)}:{port}",
            exporter=self,
            status=self._overview.status,
            health=self._overview.health,
            reload=self._reloader.reload if self._can_reload else None,
        )
        self._setup.guard(web)
        return web

    # ---- beginning and ending

    def _url(self, web: WebServer) -> str:
        scheme = "http" if self._setup.certificate is None else "https"
        return f"{scheme}://{_bracketed(self._setup.settings.listen[0])}:{web.port}"

    def _start(self, crew: Crew, web: WebServer) -> None:
        reaper = Reaper(self._ground.books)
        crew.start(Loop.SENDER, "slots", self._sender.run)
        crew.start(Loop.REAPER, "deadlines", reaper.run)
        crew.start(Loop.REAPER, "diagnosis", self._diagnostician.run)
        self._senders.start(crew)
        crew.start(Loop.PUBLISHER, "gauges", self._publisher.run)
        self._reloader.begin(crew, web)

    async def _drain(self) -> None:
        """Let submissions that are nearly done come to their end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN):
                await self._sender.stop()


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
