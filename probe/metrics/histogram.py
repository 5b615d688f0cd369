"""How long things take: histograms, as rows of counts."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from probe.metrics.catalogue import Metric
from probe.metrics.text import Format, Names, Writing, headline, number, pairs


@dataclass(slots=True)
class _Row:
    labels: str
    counts: list[int]  # For each bound, and one for +Inf; not yet summed up.
    total: float = 0.0


class Histogram:
    """A histogram and all its rows."""

    def __init__(self, metric: Metric) -> None:
        """A histogram without rows."""
        self._metric = metric
        self._rows: dict[Names, _Row] = {}

    def add(self, key: Names) -> None:
        """The row exists from now on."""
        self._row(key)

    def observe(self, key: Names, seconds: float) -> None:
        """One more of this length; less than nothing is nothing, for a sum must never fall."""
        row = self._row(key)
        row.counts[bisect_left(self._metric.buckets, seconds)] += 1
        row.total += max(0.0, seconds)

    def give_up(self, key: Names) -> None:
        """One more that never ended: it is beyond every bound, and has no length to add."""
        self._row(key).counts[-1] += 1

    def _row(self, key: Names) -> _Row:
        row = self._rows.get(key)
        if row is None:
            counts = [0] * (len(self._metric.buckets) + 1)
            row = self._rows[key] = _Row(pairs(self._metric.labels, key), counts)
        return row

    def snapshot(self) -> Writing:
        """The numbers of this moment, to be written by any thread."""
        rows = [_Row(row.labels, row.counts.copy(), row.total) for row in self._rows.values()]
        return lambda form: self._write(rows, form)

    def _write(self, rows: list[_Row], form: Format) -> Iterator[str]:
        yield headline(self._metric, form)
        name = self._metric.name
        bounds = [number(float(bound)) for bound in (*self._metric.buckets, float("inf"))]
        for row in rows:
            comma, braced = (",", f"{{{row.labels}}}") if row.labels else ("", "")
            counts = list(accumulate(row.counts))
            yield "".join(
                f'{name}_bucket{{{row.labels}{comma}le="{bound}"}} {count}\n'
                for bound, count in zip(bounds, counts, strict=True)
            )
            yield f"{name}_count{braced} {counts[-1]}\n{name}_sum{braced} {number(row.total)}\n"
