"""The failing share, as an interval that holds the truth in 95 of 100 cases."""

from __future__ import annotations

import math
from collections.abc import Sequence

from probe.core.incident import Share

_Z = 1.96  # Of the normal distribution, two-sided 95 %.
_CHANCE = 0.05  # What is less probable does not just happen.


def failing_share(failed: Sequence[bool]) -> Share | None:
    """The share of failures among outcomes in order; None where nothing can be said.

    A window of trouble begins and ends on a failure, which would make the share seem higher
    than it is: the first failure and the last one are left out. What came after the last one
    counts for as long as a fault that fails now and then may look like that; all else is the way
    back.
    """
    end = len(failed) - next((n for n, one in enumerate(reversed(failed)) if one), len(failed))
    until = _bounds(failed[:end])
    if until is None or all(failed[:end]):
        return until
    by_chance = (1.0 - until.low) ** (len(failed) - end) >= _CHANCE
    return _bounds(failed) if by_chance else until


def _bounds(failed: Sequence[bool]) -> Share | None:
    count, failures = len(failed), sum(failed)
    less = min(failures, 2)
    return wilson(failures - less, count - less)


def wilson(failures: int, count: int) -> Share | None:
    """The Wilson score interval (Wilson 1927) at 95 %; None for no outcomes."""
    if count <= 0:
        return None
    share, square = failures / count, _Z * _Z
    middle = share + square / (2 * count)
    half = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count * count))
    whole = 1 + square / count
    return Share(max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole))
