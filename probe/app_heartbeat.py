"""The heartbeat of a configuration, if it has one."""

from __future__ import annotations

from probe.app_setup import Ground
from probe.config import Settings
from probe.core.heartbeat import hindrance
from probe.core.model import Loop
from probe.edges.heartbeat import HttpPulse
from probe.engine.crew import Crew
from probe.engine.heartbeat import Heartbeat
from probe.engine.roster import Roster
from probe.engine.supervisor import Supervisor

_MEMBER = "heartbeat"


class Pulse:
    """Starts it, replaces it and ends it, as the configuration says."""

    def __init__(self, ground: Ground, roster: Roster, supervisor: Supervisor) -> None:
        self._ground = ground
        self._roster = roster
        self._supervisor = supervisor
        self._followed: tuple[str, float] | None = None

    def follow(self, settings: Settings, crew: Crew) -> None:
        """From now on it beats as these settings say."""
        if settings.heartbeat == self._followed:
            return
        self._followed = settings.heartbeat
        if settings.heartbeat is None:
            crew.stop(Loop.PUBLISHER, _MEMBER)
            return
        url, interval = settings.heartbeat
        heartbeat = Heartbeat(
            HttpPulse(url), interval=interval, hindrance=self._hindrance, clock=self._ground.clock
        )
        crew.start(Loop.PUBLISHER, _MEMBER, heartbeat.run)

    def _hindrance(self) -> str:
        return hindrance(
            self._supervisor.stalled(),
            idle=self._ground.clock.now() - self._ground.books.ended,
            intervals=[route.interval for route in self._roster.routes],
        )
