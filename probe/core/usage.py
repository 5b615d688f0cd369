"""How many messages were sent lately, counted over a window that slides."""

from __future__ import annotations

from collections import deque

_BUCKETS = 1000  # A window is exact to this part of its length, and errs to the safe side.


class Usage:
    """What was sent within a window that ends now. All moments are on one timeline (s)."""

    def __init__(self, length: float) -> None:
        """`length` of the window (s)."""
        self._length = length
        self._step = length / _BUCKETS
        self._buckets: deque[tuple[int, int]] = deque()  # Number and count, ascending.
        self._sum = 0

    def add(self, moment: float, count: int = 1) -> None:
        """So many were sent; moments may only grow."""
        number = int(moment // self._step)
        if self._buckets and number <= self._buckets[-1][0]:
            number, before = self._buckets.pop()
            self._buckets.append((number, before + count))
        else:
            self._buckets.append((number, count))
        self._sum += count

    def free_at(self, now: float, limit: int | None) -> float:
        """From when on one more is within the limit: `now` where it is already, or later."""
        self._forget(now)
        if limit is None or self._sum < limit:
            return now
        excess = self._sum - limit + 1
        for number, count in self._buckets:
            excess -= count
            if excess <= 0:
                return self._end(number)
        return now + self._length  # The limit is under 1.

    def _forget(self, now: float) -> None:
        while self._buckets and self._end(self._buckets[0][0]) <= now:
            self._sum -= self._buckets.popleft()[1]

    def _end(self, number: int) -> float:
        """When all that is in this bucket has left the window."""
        return (number + 1) * self._step + self._length
