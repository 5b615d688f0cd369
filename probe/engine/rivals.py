"""Other probers that use our name, by their journals (a valid tag, and another id)."""

from __future__ import annotations

import logging
from math import inf

from probe.ports import Clock

log = logging.getLogger("probe.desk")

MOST = 100  # Of whom it is remembered that they were heard, the newest.
SHOWN = 900.0  # s after its last message that a second prober is still reported.


class Rivals:
    """Those whose mail was seen."""

    def __init__(self, instance: str, clock: Clock) -> None:
        self._instance = instance
        self._clock = clock
        self._heard: dict[str, float] = {}  # By journal: when last.

    def __contains__(self, journal: str) -> bool:
        """Whether this journal is that of a prober that is alive."""
        return journal in self._heard

    @property
    def conflict(self) -> bool:
        """Whether another prober uses our instance name."""
        return self._clock.now() - max(self._heard.values(), default=-inf) < SHOWN

    def heard(self, journal: str) -> None:
        """A message of this one was seen."""
        if not self.conflict:
            log.warning(
                "Another prober runs as instance %r, with journal %s: its mail is left alone.",
                self._instance,
                journal,
            )
        self._heard.pop(journal, None)
        self._heard[journal] = self._clock.now()  # The last in order.
        if len(self._heard) > MOST:
            del self._heard[next(iter(self._heard))]
