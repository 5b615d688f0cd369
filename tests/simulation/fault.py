"""What can be wrong in the simulated world, where, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from probe.core.component import Component
from probe.core.component import Fault as Name


class Ill(StrEnum):
    """What is wrong."""

    HOLD = "holds"  # Accepts, and delivers when it is over: a queue manager that stands still.
    LOSE = "loses"  # Accepts, and never delivers.
    REFUSE_CONNECTIONS = "refuses connections"
    REFUSE = "refuses"  # RCPT with 451.
    DROP = "drops packets"  # Nothing answers: the connection never comes about.
    GREET_LATE = "greets late"  # After 8 s.
    DUPLICATE = "duplicates"
    BOUNCE = "bounces"
    RESTART = "restarts"  # Refuses connections; what it has accepted is delivered afterwards.
    DEAD = "is dead"  # Of a mailbox: it cannot be read, and relays back off from it.


@dataclass(frozen=True, slots=True)
class Fault:
    """One ill of one component."""

    where: Component
    ill: Ill
    start: float = 0.0
    end: float = inf
    share: float = 1.0  # Of the messages.

    def __str__(self) -> str:
        share = "" if self.share == 1.0 else f" p={self.share:g}"
        return f"{self.where} {self.ill}{share}"

    def reigns(self, moment: float) -> bool:
        """Whether it is wrong at this moment."""
        return self.start <= moment < self.end

    @property
    def names(self) -> frozenset[Name]:
        """What this may truly be called."""
        return _NAMES[self.ill]


_NAMES = {
    Ill.HOLD: frozenset({Name.HOLDING, Name.LATE}),
    Ill.LOSE: frozenset({Name.HOLDING}),
    Ill.REFUSE_CONNECTIONS: frozenset({Name.UNREACHABLE}),
    Ill.REFUSE: frozenset({Name.REFUSING}),
    Ill.DROP: frozenset({Name.UNREACHABLE}),
    Ill.GREET_LATE: frozenset({Name.SLOW}),
    Ill.DUPLICATE: frozenset({Name.DUPLICATING}),
    Ill.BOUNCE: frozenset({Name.BOUNCING}),
    Ill.RESTART: frozenset({Name.UNREACHABLE, Name.HOLDING, Name.LATE}),
    Ill.DEAD: frozenset({Name.UNREADABLE}),
}
