"""When to look into a folder next, and when to try again.

All moments are seconds on one timeline, all durations seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BUSY_PERIOD = 2.0  # While anything is in flight, a search begins at least this often.
URGENT_PERIOD = 0.5  # The same while one is missing for longer than it should.
QUIET_PERIOD = 30.0  # The same while nothing is.
BUSY_DEADLINE = 5.0  # How long a poll may take while something is in flight.
QUIET_DEADLINE = 10.0
LEAST_PAUSE = 0.005  # Between two polls of a folder where messages are expected.
LEAST_JUNK_PAUSE = 0.1  # The same where they should not come.

_LULL = 1.0  # Between the last message and IDLE, which costs two round trips.
_SHARE = 0.1
_CALM_AGE = 1.0
_FIRST_RETRY, _LAST_RETRY = 0.2, 30.0
_CHUNK_TIME = 0.05  # How long one step of a scan should take.
_LEAST_CHUNK, _MOST_CHUNK = 50, 2000


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is on its way to a mailbox."""

    in_flight: int = 0  # Messages launched and not seen, those being submitted included.
    youngest: float | None = None  # When the last of them was accepted; None where none was yet.
    urgent: bool = False  # Something is missing: whether it is there yet is of interest.


def next_poll(
    expected: Expectation, now: float, searched: float, *, least: float, round_trip: float
) -> float:
    """The moment of the next poll, when nothing else happens until then.

    The pause is a tenth of the age of the youngest message on its way, so that the error of a
    measured delay stays in proportion to it. It is at least `least`, and the round trip of the
    last poll: a slow server gets no more than half of our time. No later than a search is due,
    whose last one began at `searched`.
    """
    pause = _SHARE * _age(expected, now)
    pause = min(max(pause, least, round_trip), search_period(expected))
    return min(now + pause, max(now + least, searched + search_period(expected)))


def _age(expected: Expectation, now: float) -> float:
    if not expected.in_flight or expected.youngest is None:
        return math.inf
    return max(0.0, now - expected.youngest)


def search_period(expected: Expectation) -> float:
    """How often a search must begin, even if no new message is announced (s)."""
    if expected.urgent:
        return URGENT_PERIOD
    return BUSY_PERIOD if expected.in_flight else QUIET_PERIOD


def is_calm(expected: Expectation, now: float) -> bool:
    """Whether polls may wait for other work: no message is expected at this very moment."""
    return _age(expected, now) >= _CALM_AGE


def lull(expected: Expectation, now: float) -> float:
    """How long to wait for the next message to be launched before IDLE is worth its while (s)."""
    if expected.youngest is None:
        return 0.0
    return max(0.0, expected.youngest + _LULL - now)


def poll_deadline(expected: Expectation) -> float:
    """How long a poll may go unanswered before the connection is taken for dead (s)."""
    return BUSY_DEADLINE if expected.in_flight else QUIET_DEADLINE


def retry_delay(failures: int, chance: float) -> float:
    """The wait after so many failures in a row, 1 or more (s); `chance` is in [0, 1)."""
    longest = min(_FIRST_RETRY * 2.0 ** min(failures - 1, 20), _LAST_RETRY)
    return longest * (0.5 + 0.5 * chance)


def next_chunk(size: int, seconds: float) -> int:
    """How many messages to scan next, when the last `size` took so long.

    Polls wait for a step of a scan, so a step is kept about as short as their error may be.
    """
    fitting = int(size * _CHUNK_TIME / max(seconds, 1e-4))
    return min(max(fitting, _LEAST_CHUNK), 2 * size, _MOST_CHUNK)
