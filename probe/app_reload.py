"""What is in force: the configuration with its loops, and how another takes its place."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from probe.app_domains import SenderWatch
from probe.app_heartbeat import Pulse
from probe.app_mailbox import Watch
from probe.app_setup import Ground, Setup, folders
from probe.config import ConfigError, Settings, needs_restart
from probe.core.model import Loop
from probe.core.sight import Sight
from probe.edges.route import KernelRoutes
from probe.edges.web import BadCertificate, WebServer
from probe.engine.crew import Crew
from probe.engine.desk import Desk
from probe.engine.diagnosis import Diagnostician
from probe.engine.inspector import Inspector
from probe.engine.providers import ProviderFinder
from probe.engine.roster import Roster
from probe.engine.sender import Sender
from probe.ports import SecretUnreadable

log = logging.getLogger("probe.app")

Again = Callable[[], Settings]
InForce = Callable[[Settings], None]


class Reloader:
    """Follows the configuration: the first, and then every good one that it is asked to read."""

    def __init__(
        self,
        setup: Setup,
        ground: Ground,
        *,
        desk: Desk,
        sender: Sender,
        roster: Roster,
        diagnostician: Diagnostician,
        senders: SenderWatch,
        pulse: Pulse,
        again: Again | None,
        in_force: InForce,
    ) -> None:
        """As for `App`. What is given here works by `setup` already."""
        self._setup = setup
        self._ground = ground
        self._desk = desk
        self._sender = sender
        self._roster = roster
        self._diagnostician = diagnostician
        self._senders = senders
        self._pulse = pulse
        self._again = again
        self._in_force = in_force
        self._inspector = self._make_inspector(None)
        self._finder = self._make_finder(None)
        self._lock = asyncio.Lock()

    @property
    def standby(self) -> frozenset[str]:
        """The relays that are there in case another fails."""
        return self._setup.settings.standby

    def announce(self) -> None:
        """Tell the metrics what is configured."""
        for relay in self._setup.settings.relays:
            self._ground.metrics.add_relay(relay)
        for sender in self._setup.settings.senders:
            self._ground.metrics.add_sender(sender)
        for mailbox in self._setup.settings.mailboxes:
            self._ground.metrics.add_mailbox(mailbox)
        self._senders.follow(self._setup.settings)

    def begin(self, crew: Crew, web: WebServer) -> None:
        """Start the loops of the first configuration."""
        self._crew, self._web = crew, web
        self._watch = Watch(crew, self._desk, self._ground)
        self._inspect()
        self._watch.follow(self._setup)
        self._pulse.follow(self._setup.settings, crew)

    async def listen(self, hangup: asyncio.Event) -> None:
        """Reload whenever we are told to."""
        while True:
            await hangup.wait()
            hangup.clear()
            await self.reload()

    async def reload(self) -> str:
        """Read the configuration again and follow it; what is wrong with it, or nothing."""
        async with self._lock:
            wrong = await self._reload()
        self._ground.metrics.reloaded(well=not wrong)
        if not wrong:
            log.info("The configuration was read again, and is in force.")
        for line in wrong.splitlines():
            log.error("The configuration is of no use, so the former one stays: %s", line)
        return wrong

    async def _reload(self) -> str:
        if self._again is None:
            return "there is no file to read again"
        try:
            settings = await asyncio.to_thread(self._again)  # It may look up our host's full name.
            if problems := needs_restart(self._setup.settings, settings):
                raise ConfigError(problems)
            self._follow(Setup(settings, self._ground, self._setup))
        except (ConfigError, SecretUnreadable, BadCertificate) as problem:
            return str(problem)
        except Exception as error:
            log.exception("A reload broke.")
            return f"an error of mailprobe itself: {type(error).__name__}"
        return ""

    def _follow(self, setup: Setup) -> None:
        """Put a configuration in the place of the one before, at one moment."""
        former, self._setup = self._setup, setup
        self._ground.resolver.follow(setup.settings.resolvers)
        setup.tell(self._desk)
        self._sender.follow(setup.courier)
        self._follow_nodes()
        books = self._ground.books
        books.post(books.ledger.dismiss(lambda key: setup.is_gone(key, former)))
        self._follow_mailboxes(former)
        setup.settle(self._ground)
        self._diagnostician.follow(setup.configured)
        self._forget(former)
        self.announce()
        self._pulse.follow(setup.settings, self._crew)
        setup.guard(self._web)
        self._in_force(setup.settings)

    def _make_inspector(self, former: Inspector | None) -> Inspector:
        return Inspector(
            self._setup.settings.relays,
            self._ground.resolver,
            self._roster,
            routes=KernelRoutes(),
            clock=self._ground.clock,
            metrics=self._ground.metrics,
            former=former,
        )

    def _make_finder(self, former: ProviderFinder | None) -> ProviderFinder:
        return ProviderFinder(
            self._setup.settings.mailboxes,
            self._ground.resolver,
            limit=self._roster.limit_mailbox,
            clock=self._ground.clock,
            former=former,
        )

    def _follow_nodes(self) -> None:
        self._ground.learner.follow(self._setup.settings.relays)
        self._inspector = self._make_inspector(self._inspector)
        for node in self._roster.nodes:
            if node not in self._inspector.nodes:
                self._roster.retired(node)
        self._finder = self._make_finder(self._finder)
        settings = self._setup.settings
        self._roster.follow(settings.plans, settings.limits.with_mailboxes(self._finder.limits))
        self._inspect()

    def _inspect(self) -> None:
        self._crew.start(Loop.INSPECTOR, "nodes", self._inspector.run)
        self._crew.start(Loop.INSPECTOR, "providers", self._finder.run)

    def _follow_mailboxes(self, former: Setup) -> None:
        now = self._ground.clock.now()
        for mailbox in self._watch.follow(self._setup):
            if self._setup.has_moved(mailbox.name, former):
                self._senders.notebook.forget_mailbox(mailbox.name)
                sight = Sight(folders(mailbox), now, None)
                self._ground.books.ledger.watch(mailbox.name, sight)
            else:
                self._ground.sights[mailbox.name].restart(folders(mailbox), now)

    def _forget(self, former: Setup) -> None:
        """Let go of what is not configured any more."""
        metrics, setup = self._ground.metrics, self._setup
        for relay in former.lines.keys() - setup.lines.keys():
            metrics.drop_relay(relay)
        for sender in former.senders.keys() - setup.senders.keys():
            metrics.drop_sender(sender)
        for mailbox in former.mailboxes.keys() - setup.mailboxes.keys():
            metrics.drop_mailbox(mailbox)
            self._ground.books.ledger.unwatch(mailbox)
