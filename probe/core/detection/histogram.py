"""Durations in logarithmic buckets, of which old ones fade."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Self

_FIRST = 0.001  # s: the upper bound of the first bucket.
_RATIO = 1.15  # From one upper bound to the next.
_COUNT = 120  # Buckets; the last one begins at some 4 h.
_HEAVY = 1e6  # The weight of one sample at which all are scaled down.


class Histogram:
    """A distribution that is learned, sample by sample."""

    def __init__(self, memory: float) -> None:
        """`memory`: after so many further samples, one counts 1/e."""
        self._growth = 1.0 + 1.0 / memory
        self._weight = 1.0  # Of the next sample.
        self._counts = [0.0] * _COUNT
        self._logs = 0.0  # Weighted sum of the samples' logarithms.
        self._tail: list[float] | None = None  # The weight of each bucket and all above it.
        self.seen = 0

    def add(self, seconds: float) -> None:
        """One more sample (s)."""
        self._counts[_bucket(seconds)] += self._weight
        self._logs += self._weight * math.log(max(seconds, _FIRST))
        self._weight *= self._growth
        self._tail = None
        self.seen += 1
        if self._weight > _HEAVY:
            self._scale()

    @property
    def mean_log(self) -> float:
        """The mean of the samples' natural logarithms; they are taken in seconds."""
        return self._logs / self._tails()[0]

    def above(self, seconds: float) -> float:
        """The share of the samples that were longer, 0 .. 1; 1 where there are none."""
        tails = self._tails()
        if not tails[0]:
            return 1.0
        bucket = _bucket(seconds)
        low, high = _bound(bucket - 1), _bound(bucket)
        inside = max(0.0, (high - seconds) / (high - low)) * self._counts[bucket]
        return min(1.0, (inside + tails[bucket + 1]) / tails[0])

    def quantile(self, share: float) -> float:
        """The least bound that no more than 1 - `share` of the samples exceed (s)."""
        tails = self._tails()
        most = (1.0 - share) * tails[0]
        return next(_bound(i) for i in range(_COUNT) if tails[i + 1] <= most)

    def row(self) -> tuple[float, ...]:
        """All of it as numbers: seen, logarithms, then number and weight of each used bucket."""
        scale = 1.0 / self._weight
        used = [(float(i), c * scale) for i, c in enumerate(self._counts) if c * scale > 1e-9]
        return (float(self.seen), self._logs * scale, *(x for pair in used for x in pair))

    @classmethod
    def of(cls, row: Sequence[float], memory: float) -> Self:
        """What `row` gave. Raises ValueError, IndexError, OverflowError where it makes no sense."""
        histogram = cls(memory)
        seen, histogram._logs = row[0], row[1]
        histogram.seen = int(seen)
        for place, weight in zip(row[2::2], row[3::2], strict=True):
            if not (weight >= 0 and place >= 0 and math.isfinite(weight)):
                raise ValueError(f"{weight!r} is no weight")
            histogram._counts[int(place)] += weight
        if histogram.seen < 0 or not math.isfinite(histogram._logs):
            raise ValueError("it makes no sense")
        if not any(histogram._counts):
            histogram.seen, histogram._logs = 0, 0.0
        return histogram

    def _tails(self) -> list[float]:
        if self._tail is None:
            self._tail = [*accumulate(reversed(self._counts), initial=0.0)][::-1]
        return self._tail

    def _scale(self) -> None:
        self._counts = [count / self._weight for count in self._counts]
        self._logs /= self._weight
        self._weight = 1.0


def _bucket(seconds: float) -> int:
    if seconds <= _FIRST:
        return 0
    return min(math.ceil(math.log(seconds / _FIRST) / math.log(_RATIO)), _COUNT - 1)


def _bound(bucket: int) -> float:
    return _FIRST * _RATIO**bucket if bucket >= 0 else 0.0
