"""What belongs to one configuration, built beside that of the one before it, and then put in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from probe.config import Settings
from probe.core.detection.baseline import Baselines
from probe.core.detection.detector import Detector
from probe.core.ledger import Ledger
from probe.core.model import Folder, Mailbox, RouteKey
from probe.core.reach import Reach, reach_of
from probe.core.sight import Sight
from probe.edges.clock import SystemClock
from probe.edges.resolver import DnsResolver
from probe.edges.route import KernelRoutes
from probe.edges.smtp import SmtpSubmitter
from probe.edges.web import Certificate, Login, WebServer
from probe.engine.books import Books
from probe.engine.courier import Acquaintance, Courier, Line
from probe.engine.desk import Desk
from probe.engine.diagnosis import Configured
from probe.engine.findings import Findings
from probe.engine.learner import Learner
from probe.engine.scribe import Scribe
from probe.engine.throttle import Throttle
from probe.metrics import Exporter
from probe.ports import Journal, Remembered, Submitter
from probe.ports_authentication import Arrived, nobody

WEEK = 7 * 86400.0


@dataclass(frozen=True, slots=True)
class Ground:
    """What lives as long as the process."""

    clock: SystemClock
    journal: Journal
    metrics: Exporter
    resolver: DnsResolver
    books: Books
    findings: Findings
    sights: dict[str, Sight]
    learner: Learner
    throttle: Throttle
    accepted_before: dict[Acquaintance, float]

    @classmethod
    def laid(
        cls,
        settings: Settings,
        remembered: Remembered,
        *,
        journal: Journal,
        metrics: Exporter,
        clock: SystemClock,
    ) -> Ground:
        """All of it, with what the journal remembers of the last run."""
        sights = {
            mailbox.name: Sight(folders(mailbox), clock.now(), remembered.stopped)
            for mailbox in settings.mailboxes
        }
        detector = Detector(
            sights,
            Baselines(remembered.baselines),
            incidents=[one for one in remembered.incidents if one.closed is None],
            wall=clock.wall,
        )
        books = Books(
            Ledger(sights), journal=journal, metrics=metrics, clock=clock, detector=detector
        )
        throttle = Throttle(settings.limits, clock)
        throttle.remember(remembered.launches)
        return cls(
            clock=clock,
            journal=journal,
            metrics=metrics,
            resolver=DnsResolver(settings.resolvers, told=_witnessed(detector, clock)),
            books=books,
            findings=Findings(sights, clock=clock),
            sights=sights,
            learner=Learner(settings.relays, books=books, metrics=metrics, clock=clock),
            throttle=throttle,
            accepted_before=dict(remembered.accepted_before),
        )


class Setup:
    """One configuration with what works by it. To build it changes nothing."""

    def __init__(
        self,
        settings: Settings,
        ground: Ground,
        former: Setup | None = None,
        *,
        recording: Callable[[Submitter], Submitter] = lambda submitter: submitter,
    ) -> None:
        """Raises SecretUnreadable or BadCertificate. What can go on from `former` goes on.

        `recording` stands between courier and submitters.
        """
        self.settings = settings
        self._recording = recording
        self.keys = [key.read().encode() for key in settings.tag_keys]
        self.lifetime = max([WEEK, *(plan.give_up for plan in settings.plans.values())])
        self.senders = {sender.name: sender for sender in settings.senders}
        self.mailboxes = {mailbox.name: mailbox for mailbox in settings.mailboxes}
        wakes: dict[str, asyncio.Event] = {} if former is None else former.wakes
        self.wakes: dict[str, asyncio.Event] = {
            name: wakes.get(name) or asyncio.Event() for name in self.mailboxes
        }
        self.login = None if settings.login is None else Login(*settings.login)
        self.certificate = _certificate(settings, former)
        self.lines = self._make_lines(ground)
        self.courier: Courier = self._make_courier(
            ground, None if former is None else former.courier
        )

    def is_gone(self, key: RouteKey, former: Setup) -> bool:
        """Whether nothing can be said any more of a route that there was."""
        if (key.relay, key.sender, key.mailbox) not in self.settings.plans:
            return True
        return self.has_moved(key.mailbox, former)

    def has_moved(self, mailbox: str, former: Setup) -> bool:
        """Whether a mailbox is another account than it was, or there was none."""
        before, now = former.mailboxes.get(mailbox), self.mailboxes[mailbox]
        return before is None or _account(before) != _account(now)

    @property
    def configured(self) -> Configured:
        """What there is to be diagnosed."""
        return Configured(
            relays={relay.name: relay for relay in self.settings.relays},
            senders=self.settings.senders,
            mailboxes=self.settings.mailboxes,
            slow_after=self.settings.slow_after,
        )

    def make_desk(self, ground: Ground, arrived: Arrived = nobody) -> Desk:
        """A desk that works by it; `arrived` is told of each probe that it takes in."""
        return Desk(
            instance=self.settings.instance,
            keys=self.keys,
            lifetime=self.lifetime,
            senders=self.senders,
            mailboxes=self.mailboxes,
            sights=ground.sights,
            books=ground.books,
            findings=ground.findings,
            journal=ground.journal,
            metrics=ground.metrics,
            clock=ground.clock,
            wakes=self.wakes,
            arrived=arrived,
        )

    def settle(self, ground: Ground) -> None:
        """How long relays may need to come back to a mailbox."""
        for sight in ground.sights.values():
            sight.settle = self.settings.settle

    def tell(self, desk: Desk) -> None:
        """What the desk has to know."""
        desk.follow(
            keys=self.keys,
            lifetime=self.lifetime,
            senders=self.senders,
            mailboxes=self.mailboxes,
            wakes=self.wakes,
        )

    def guard(self, web: WebServer) -> None:
        """Who may see the pages, and how."""
        url = self.settings.external_url
        web.guard(login=self.login, certificate=self.certificate, external_url=url)

    def _make_lines(self, ground: Ground) -> dict[str, Line]:
        lines = {}
        for relay in self.settings.relays:
            secret = self.settings.smtp_passwords.get(relay.name)
            submitter = SmtpSubmitter(relay, secret, ground.resolver, ground.clock)
            lines[relay.name] = Line(relay, self._recording(submitter), secret)
        return lines

    def _make_courier(self, ground: Ground, former: Courier | None) -> Courier:
        scribe = Scribe(
            instance=self.settings.instance,
            key=self.keys[0],
            senders=self.senders,
            mailboxes=self.mailboxes,
            journal=ground.journal,
            clock=ground.clock,
        )
        return Courier(
            self.lines,
            scribe,
            throttle=ground.throttle,
            books=ground.books,
            findings=ground.findings,
            learner=ground.learner,
            journal=ground.journal,
            metrics=ground.metrics,
            clock=ground.clock,
            accepted_before=ground.accepted_before,
            wakes=self.wakes,
            former=former,
        )


def _witnessed(detector: Detector, clock: SystemClock) -> Callable[[Sequence[str]], None]:
    """Tells the detector of DNS servers that answer: of several that it may be, the nearest."""
    routes = KernelRoutes()

    def told(servers: Sequence[str]) -> None:
        near = (Reach.HOST if routes.is_ours(one) else reach_of(one) for one in servers)
        detector.resolved(clock.now(), min(near, default=Reach.HOST))

    return told


def folders(mailbox: Mailbox) -> frozenset[Folder]:
    """Where probes for this mailbox may be."""
    return frozenset({Folder.INBOX} | ({Folder.JUNK} if mailbox.junk else set()))


def _certificate(settings: Settings, former: Setup | None) -> Certificate | None:
    """Our own; the files of the one in use are looked at anyway."""
    if settings.certificate is None:
        return None
    if former is not None and former.settings.certificate == settings.certificate:
        return former.certificate
    return Certificate(*settings.certificate)


def _account(mailbox: Mailbox) -> tuple[str, str, str, str]:
    """What tells where a message lies."""
    return mailbox.address, mailbox.imap.host, mailbox.imap.username, mailbox.inbox
