"""The composition of `mailprobe check`: the daemon's engine, for one probe on every route."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from probe.app_domains import SenderWatch
from probe.app_mailbox import Watch
from probe.app_setup import Ground, Setup
from probe.config import Settings
from probe.core.change import Change, Judged
from probe.core.finding import Conclusion, Finding, conclusion, cut_short, is_unread, last_word
from probe.core.model import Break, Loop, RouteKey, UnknownCause
from probe.core.reach import furthest
from probe.core.record import Bad, Good, Record, Unknown
from probe.core.status import Status
from probe.core.suspicion import Suspect, components, suspects
from probe.edges import steady
from probe.edges.clock import SystemClock
from probe.edges.journal_memory import MemoryJournal
from probe.edges.route import KernelRoutes
from probe.edges.web.api import status_json
from probe.engine.crew import Crew
from probe.engine.inspector import Inspector
from probe.engine.overview import Overview
from probe.engine.reaper import Reaper
from probe.engine.recorder import Recorder
from probe.engine.roster import Roster
from probe.engine.supervisor import Supervisor
from probe.engine.volley import Volley
from probe.metrics import Exporter

PREPARATION = 10.0  # s for names and mailboxes, at most half of all the time there is.
CLEANING = 2.0  # s for removing our messages, once over the connections as they are, once anew.
_TURN = 0.05  # s


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a check has come; moments are seconds since it began."""

    doing: str
    settled: int
    routes: int
    elapsed: float
    timeout: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a check has found."""

    conclusion: Conclusion
    findings: tuple[Finding, ...]  # One for each route.
    unread: dict[str, str]  # Why a mailbox could not be read, by its name.
    status: Status
    suspects: tuple[Suspect, ...] = ()  # What the failures point at.

    @property
    def json(self) -> str:
        """The object of `/api/v1/status`."""
        return status_json(self.status)


Show = Callable[[Progress], None]


def check(settings: Settings, timeout: float, show: Show) -> Report:
    """Probe every route once, for `timeout` seconds at most, or until SIGINT or SIGTERM.

    Raises SecretUnreadable or OSError where it cannot begin.
    """
    return steady.run(_until_signal(settings, timeout, show))


async def _until_signal(settings: Settings, timeout: float, show: Show) -> Report:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return await _Check(settings, timeout, show).run(stop)


def _for_once(settings: Settings, timeout: float) -> Settings:
    """The settings under a name of our own, without pages, and with nothing kept."""
    plans = {
        names: replace(plan, deadline=min(plan.deadline, timeout))
        for names, plan in settings.plans.items()
    }
    return replace(
        settings,
        instance=f"{settings.instance}/check-{secrets.token_hex(4)}",
        login=None,
        certificate=None,
        mailboxes=tuple(replace(box, keep=0.0, keep_failed=0.0) for box in settings.mailboxes),
        plans=plans,
    )


class _Check:
    """One check, from its settings to its report."""

    def __init__(self, settings: Settings, timeout: float, show: Show) -> None:
        self._settings = _for_once(settings, timeout)
        self._timeout = timeout
        self._show = show
        self._clock = SystemClock.of_loop()
        self._began = self._clock.now()
        self._journal = MemoryJournal(self._clock)
        self._metrics = Exporter()
        self._recorder = Recorder()
        self._ground = Ground.laid(
            self._settings,
            self._journal.load(),
            journal=self._journal,
            metrics=self._metrics,
            clock=self._clock,
        )
        self._books, self._sights = self._ground.books, self._ground.sights
        self._setup = Setup(self._settings, self._ground, recording=self._recorder.recording)
        self._desk = self._setup.make_desk(self._ground)
        self._domains = SenderWatch(self._settings, self._ground, {}).domains
        self._volley = Volley(self._setup.courier, clock=self._clock)
        self._supervisor = Supervisor(clock=self._clock, metrics=self._metrics)
        self._overview = self._make_overview()
        self._inspector = self._make_inspector()

    async def run(self, stop: asyncio.Event) -> Report:
        """Prepare, probe, wait, judge, tidy up."""
        self._announce()
        async with asyncio.TaskGroup() as group:
            crew = Crew(group, self._supervisor)
            watch = self._start(crew)
            domains = group.create_task(self._domains.once())
            begin = self._began + min(PREPARATION, self._timeout / 2)
            await self._wait(lambda: stop.is_set() or self._is_prepared(), begin, "preparing")
            crew.stop(Loop.INSPECTOR, "nodes")
            self._take_aim()
            volley = group.create_task(self._fire(stop))
            end = self._began + self._timeout
            await self._wait(lambda: stop.is_set() or self._is_settled(), end, "waiting for mail")
            crew.stop(Loop.REAPER, "deadlines")
            if not stop.is_set():
                self._judge_the_rest()
            report = self._report()
            domains.cancel()
            await self._tidy(watch)
            volley.cancel()
            crew.dismiss()
        return report

    # ---- building

    def _make_overview(self) -> Overview:
        return Overview(
            self._books,
            self._volley,
            self._supervisor,
            diagnosis=self._ground.findings,
            desk=self._desk,
            journal=self._journal,
            clock=self._clock,
            standby=lambda: self._settings.standby,
            domains=self._domains.status,
        )

    def _make_inspector(self) -> Inspector:
        roster = Roster(
            self._settings.plans,
            throttle=self._ground.throttle,
            sender=self._volley,
            books=self._books,
            metrics=self._metrics,
        )
        return Inspector(
            self._settings.relays,
            self._ground.resolver,
            roster,
            routes=KernelRoutes(),
            clock=self._clock,
            metrics=self._metrics,
        )

    def _announce(self) -> None:
        for relay in self._settings.relays:
            self._metrics.add_relay(relay)
        for sender in self._settings.senders:
            self._metrics.add_sender(sender)
        for mailbox in self._settings.mailboxes:
            self._metrics.add_mailbox(mailbox)
        self._domains.follow(self._settings.domains, self._settings.dns, self._settings.dnsbls)

    def _start(self, crew: Crew) -> Watch:
        watch = Watch(crew, self._desk, self._ground, looks_back=lambda: self._volley.fired)
        crew.start(Loop.INSPECTOR, "nodes", self._inspector.run)
        crew.start(Loop.REAPER, "deadlines", Reaper(self._books).run)
        watch.follow(self._setup)
        return watch

    def _take_aim(self) -> None:
        """A resolver shows that our network works if it is as far away as the furthest node."""
        aim = furthest(node.host for node in self._volley.nodes)
        self._books.detector.follow((), {}, aim=aim)

    # ---- waiting

    async def _wait(self, over: Callable[[], bool], end: float, doing: str) -> None:
        while not over() and (now := self._clock.now()) < end:
            settled = sum(not record.undecided for record in self._journal.records)
            routes, elapsed = len(self._volley.routes), now - self._began
            self._show(Progress(doing, settled, routes, elapsed, self._timeout))
            await self._clock.sleep_until(min(now + _TURN, end))

    def _is_prepared(self) -> bool:
        return self._inspector.informed and not any(s.blind for s in self._sights.values())

    async def _fire(self, stop: asyncio.Event) -> None:
        if not stop.is_set():
            await self._volley.fire()

    def _is_settled(self) -> bool:
        settled = self._volley.over and not any(r.undecided for r in self._journal.records)
        return settled and self._domains.is_complete()

    async def _tidy(self, watch: Watch) -> None:
        """Remove our messages, over new connections where the ones that we have are at rest."""
        await self._cleaned()
        if not self._journal.is_clean:
            watch.renew(self._setup)
            await self._cleaned()

    async def _cleaned(self) -> None:
        end = self._clock.now() + CLEANING
        await self._wait(lambda: self._journal.is_clean, end, "tidying up")

    # ---- judging

    def _judge_the_rest(self) -> None:
        """What has not come by now fails, if it could have been seen."""
        now = self._clock.now()
        for record in self._journal.records:
            if not record.undecided:
                continue
            if record.ended:
                verdict, words = last_word(record, self._sights[record.probe.route.mailbox], now)
            else:
                trace = self._recorder.trace(record.probe.token)
                verdict, words = cut_short(trace.phase, trace.attempt)
            self._books.post([Change(replace(record, verdict=verdict), (Judged(verdict),))])
            self._books.note(record.probe.route, words)

    def _report(self) -> Report:
        now = self._clock.now()
        trouble = self._desk.trouble
        unread = {
            mailbox: trouble.get(mailbox, "it did not answer in time")
            for mailbox, sight in self._sights.items()
            if is_unread(sight, now)
        }
        findings = tuple(self._found(unread, now))
        resolved = self._books.detector.has_resolved(self._began)
        read = len(unread) < len(self._sights)
        answered = read or self._books.detector.has_answered(self._began)
        suspected = suspects(findings, answered=answered, resolved=resolved)
        verdict = conclusion(findings, unread=bool(unread))
        return Report(verdict, findings, unread, self._status(findings, suspected), suspected)

    def _status(self, findings: Sequence[Finding], suspected: Sequence[Suspect]) -> Status:
        self._ground.findings.refresh()
        status = self._overview.status()
        wall = self._clock.wall(self._clock.now())
        known = components(findings, suspected, status.components, wall)
        return replace(status, components=known)

    def _found(self, unread: dict[str, str], now: float) -> Iterator[Finding]:
        records = {record.probe.route: record for record in self._journal.records}
        for route in self._volley.routes:
            if route in records:
                yield self._finding(records[route], unread, now)
            elif self._volley.is_done(route):
                yield Finding(route, None, "it was not sent: the relay refuses our login")
            else:
                yield Finding(route, None, "it was not sent: its turn did not come in time")
        known = {(route.relay, route.sender, route.mailbox) for route in self._volley.routes}
        for relay, sender, mailbox in sorted(self._settings.plans.keys() - known):
            words = self._inspector.trouble.get(relay, "its nodes are not known")
            yield Finding(RouteKey(relay, "", sender, mailbox), None, words)

    def _finding(self, record: Record, unread: dict[str, str], now: float) -> Finding:
        route, trace = record.probe.route, self._recorder.trace(record.probe.token)
        return Finding(
            route=route,
            verdict=record.verdict,
            words=self._words(record, unread),
            seconds=_seconds(record),
            phases=trace.phases(now),
            unrouted=trace.attempt is not None and trace.attempt.broken is Break.NO_ROUTE,
        )

    def _words(self, record: Record, unread: dict[str, str]) -> str:
        route = record.probe.route
        match record.verdict:
            case Bad():
                words = self._books.histories[route].evidence
                return f"{record.learned}: {words}" if record.learned else words
            case Unknown(UnknownCause.MAILBOX_UNREADABLE):
                why = unread.get(route.mailbox, "not all the time")
                return f"mailbox {route.mailbox} could not be read: {why}"
            case Unknown(cause):
                return self._books.histories[route].evidence or str(cause)
            case None:
                return "it was not waited for"
            case Good():
                return ""
            case _:
                assert_never(record.verdict)


def _seconds(record: Record) -> float | None:
    if record.arrived is None or record.accepted is None:
        return None
    return max(0.0, record.arrived - record.accepted)
