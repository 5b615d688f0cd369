"""What may go wrong with a node or a relay, and how a probe that meets it shows that."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import assert_never

from probe.core.component import CONFIRMED_AFTER, HELD_AFTER
from probe.core.detection.case import STEADY
from probe.core.detection.localise import is_clear
from probe.core.detection.observation import DESIGN_SHARE, EVERYBODY, Weight
from probe.core.model import Timeouts
from probe.core.planning.habit import Habit

LONG = 3600.0  # s: an age at which everything has come that ever comes.
LATENESS = 3.0  # s over `detection.slow_after` that a late greeting comes.

_SEEN = 0.125  # s from a change in a mailbox until a search has shown it, on average.


class Ailment(StrEnum):
    """A way to be at fault."""

    HOLDS = "holds"  # Takes mail, and nothing of it arrives.
    STOPPED = "stopped"  # Refuses connections.
    DROPS = "drops"  # Answers nothing: its packets are lost.
    GREETS_LATE = "greets_late"  # Later than what is still taken for normal.
    HALF = "refuses_half"
    QUARTER = "refuses_quarter"
    SIXTH = "refuses_sixth"  # 16 % of the recipients.
    DUPLICATES = "duplicates"  # Delivers everything twice.
    BOUNCES = "bounces"  # Returns everything.
    CUT_OFF = "cut_off"  # Of the prober: nothing answers, mailboxes included.
    UNREADABLE = "unreadable"  # Of a mailbox: its server ends.

    @property
    def share(self) -> float:
        """The share of the probes that fail by it."""
        return _SHARES.get(self, 1.0)

    @property
    def is_partial(self) -> bool:
        """Whether some probes do not fail by it."""
        return self.share < 1.0

    @property
    def is_fact(self) -> bool:
        """Whether it does not just happen, so that two of it name."""
        return self in (Ailment.DUPLICATES, Ailment.BOUNCES)


_INSTANT = frozenset({Ailment.STOPPED, Ailment.HALF, Ailment.QUARTER, Ailment.SIXTH})
_SHARES = {Ailment.HALF: 0.5, Ailment.QUARTER: 0.25, Ailment.SIXTH: 0.16}


@dataclass(frozen=True, slots=True)
class Sign:
    """How a failing probe shows at some age (s after it was launched)."""

    ailment: Ailment
    odds: Callable[[str, float], float]  # By mailbox and age; 0 as long as it tells nothing.
    suspect: float  # Age from which on confirmation probes are sent.
    clear: float  # Age from which on it is told what is wrong.

    @property
    def is_instant(self) -> bool:
        """Whether the end of the submission tells everything."""
        return self.ailment in _INSTANT

    def nats(self, mailbox: str, age: float) -> float:
        """What it adds to the sum of evidence."""
        odds = self.odds(mailbox, age)
        return nats(odds) if odds else 0.0

    def is_failure(self, mailbox: str, age: float) -> bool:
        """Whether this is hardly how it goes when all is well."""
        return self.is_instant or _is_clear(self.odds(mailbox, age))


@lru_cache(maxsize=1024)
def nats(odds: float) -> float:
    """What a probe with these odds adds to the sum of evidence; with 0, a success (nats)."""
    return Weight(EVERYBODY, odds).nats()


@lru_cache(maxsize=1024)
def _is_clear(odds: float) -> bool:
    return is_clear(Weight(EVERYBODY, odds))


@dataclass(frozen=True, slots=True)
class Rules:
    """What decides when a probe counts as failed."""

    timeouts: Timeouts
    slow_after: float  # s
    threshold: float  # nats


def sign_of(ailment: Ailment, habit: Habit, rules: Rules) -> Sign:
    """How a probe shows this ailment."""
    failing = 1.0 / habit.failing_share
    match ailment:
        case Ailment.HOLDS:
            held = cache(habit.held)
            return Sign(ailment, lambda box, age: held(box, _stepped(age - _SEEN)), 0.0, 0.0)
        case Ailment.STOPPED | Ailment.HALF | Ailment.QUARTER | Ailment.SIXTH:
            return Sign(ailment, lambda box, age: failing, 0.0, 0.0)
        case Ailment.DROPS | Ailment.CUT_OFF:
            ends = rules.timeouts.connect
            return _dawdling(ailment, failing, ends, rules)
        case Ailment.GREETS_LATE:
            ends = min(rules.slow_after + LATENESS, rules.timeouts.greeting)
            return _dawdling(ailment, failing, ends, rules)
        case Ailment.DUPLICATES | Ailment.BOUNCES:
            fact = (math.exp(rules.threshold / 2) - 1.0 + DESIGN_SHARE) / DESIGN_SHARE
            return Sign(
                ailment,
                lambda box, age: fact * (1 + 1e-9) if age >= habit.usual(box) + _SEEN else 0.0,
                0.0,
                0.0,
            )
        case Ailment.UNREADABLE:
            raise ValueError("no probe shows that a mailbox cannot be read")
        case _:
            assert_never(ailment)


def _stepped(age: float) -> float:
    """The age in quarters of a second, of which there are so few that they can be remembered."""
    return min(int(4.0 * age) / 4.0, LONG)


def _dawdling(ailment: Ailment, failing: float, ends: float, rules: Rules) -> Sign:
    """A phase that takes until `ends`, and is suspected half way to where it is slow (s)."""
    counts = min(rules.slow_after, ends)
    return Sign(
        ailment,
        lambda box, age: failing if age >= counts else 0.0,
        suspect=min(rules.slow_after / 2, ends),
        clear=ends,
    )


def confirmed(ailment: Ailment, *, first: float, named: float) -> float:
    """When a fault of all probes may page, whose first one was launched at `first` (s)."""
    match ailment:
        case Ailment.HOLDS:
            return max(named, first + HELD_AFTER)
        case Ailment.DUPLICATES | Ailment.BOUNCES:
            return named + STEADY
        case Ailment.STOPPED | Ailment.DROPS | Ailment.GREETS_LATE | Ailment.CUT_OFF:
            return max(named, first + CONFIRMED_AFTER) + STEADY
        case Ailment.HALF | Ailment.QUARTER | Ailment.SIXTH | Ailment.UNREADABLE:
            raise ValueError(f"{ailment} is no fault of all probes")
        case _:
            assert_never(ailment)
