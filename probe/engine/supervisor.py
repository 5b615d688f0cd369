"""Keeps every loop running: restarts it with back-off, and knows when it last turned."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from probe.core.model import Loop
from probe.ports import Clock, Metrics

log = logging.getLogger("probe.supervisor")

FIRST_PAUSE = 1.0  # s before the first restart; doubled for each further one.
LONGEST_PAUSE = 30.0
STALLED = 60.0  # s without a turn after which a loop counts as stalled.

Beat = Callable[[], None]
Turn = Callable[[Beat], Awaitable[None]]


class Supervisor:
    """The loops, each with its heartbeat. Several tasks may share one loop's name."""

    def __init__(self, *, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._beats: dict[Loop, dict[str, float]] = {loop: {} for loop in Loop}

    async def keep(self, loop: Loop, member: str, turn: Turn) -> None:
        """Run `turn`, which loops for ever and calls its beat on each turn, again and again."""
        pause = FIRST_PAUSE
        try:
            while True:
                self._beat(loop, member)
                started = self._clock.now()
                try:
                    await turn(lambda: self._beat(loop, member))
                    log.error("The %s loop (%s) ended by itself.", loop, member)
                except Exception:
                    log.exception("The %s loop (%s) broke and is started again.", loop, member)
                self._metrics.failed(loop)
                long_ago = self._clock.now() - started > LONGEST_PAUSE
                pause = FIRST_PAUSE if long_ago else min(2 * pause, LONGEST_PAUSE)
                await asyncio.sleep(pause)
        finally:
            self._beats[loop].pop(member, None)

    def stalled(self) -> list[str]:
        """The loops that have not turned for a minute."""
        now = self._clock.now()
        return [
            f"{loop} ({member})"
            for loop, members in self._beats.items()
            for member, when in members.items()
            if now - when > STALLED
        ]

    def _beat(self, loop: Loop, member: str) -> None:
        """A loop is as old as the member of it that has not turned for longest."""
        members = self._beats[loop]
        members[member] = self._clock.now()
        self._metrics.ran(loop, self._clock.wall(min(members.values())))
