"""Tells somebody outside that the prober works, for as long as it truly does."""

from __future__ import annotations

import logging
from collections.abc import Callable

from probe.engine.supervisor import Beat
from probe.ports import Clock, Pulse

log = logging.getLogger("probe.heartbeat")

TURN = 5.0  # s: the loop turns at least this often.


class Heartbeat:
    """The loop that calls; whoever hears nothing any more raises the alarm."""

    def __init__(
        self, pulse: Pulse, *, interval: float, hindrance: Callable[[], str], clock: Clock
    ) -> None:
        """`hindrance` says why we do not work, if so; `interval` is between two calls (s)."""
        self._pulse = pulse
        self._interval = interval
        self._hindrance = hindrance
        self._clock = clock
        self._told = "is heard"

    async def run(self, beat: Beat) -> None:
        """Turn for ever."""
        due = self._clock.now()
        while True:
            beat()
            now = self._clock.now()
            if now >= due:
                due = now + self._interval
                await self._call()
            await self._clock.sleep_until(min(due, now + TURN))

    async def _call(self) -> None:
        """Call, unless something hinders us."""
        if hindrance := self._hindrance():
            self._tell("is withheld", hindrance)
        elif failure := await self._pulse.beat():
            self._tell("is not taken", failure)
        else:
            self._tell("is heard", "")

    def _tell(self, what: str, why: str) -> None:
        """Log what has become of it, once."""
        if what == self._told:
            return
        self._told = what
        if why:
            log.warning("The heartbeat %s: %s.", what, why)
        else:
            log.info("The heartbeat %s again.", what)
