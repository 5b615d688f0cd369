"""Where the numbers are: rows of cells, one row for each set of labels.

prometheus-client takes 19 µs to write a series, and one object for each. Here a row holds its
labels as ready text and its numbers in a list, so a series costs a few bytes and under 1 µs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from probe.metrics.catalogue import Kind, Metric
from probe.metrics.text import Format, Names, Writing, headline, number, pairs

_MOST_FORGOTTEN = 1000


class Standing(StrEnum):
    """Which series of a row are shown."""

    ACTIVE = "active"
    RETIRED = "retired"  # All but those that describe what is in force.
    LEARNED = "learned"  # Only those that are told for each learned node of a route.
    FORGOTTEN = "forgotten"  # None; the numbers are kept, should the row come back.


@dataclass(frozen=True, slots=True)
class Column:
    """One series of every row."""

    metric: Metric
    values: Names = ()  # Of the metric's labels that are not the row's.
    start: float = 0
    in_force: bool = False  # Goes when the row is retired.
    learned: bool = False  # Told for each learned node, too.


@dataclass(slots=True)
class Row:
    """The labels that its series share, and a number for each column."""

    labels: str
    cells: list[float]
    standing: Standing


_Shown = tuple[str, list[float], Standing]  # A row as it was at one moment.


class Table:
    """Counters and gauges with the same labels. Columns of one metric stand together."""

    def __init__(self, names: Names, columns: Sequence[Column]) -> None:
        """An empty table whose rows are told apart by the labels `names`."""
        self._names = names
        self._columns = tuple(columns)
        self._starts = [column.start for column in columns]
        self._at = {(c.metric.name, *c.values): i for i, c in enumerate(columns)}
        self._rows: dict[Names, Row] = {}

    def __contains__(self, key: Names) -> bool:
        """Whether there is such a row."""
        return key in self._rows

    def add(self, key: Names, standing: Standing = Standing.ACTIVE) -> None:
        """The row exists and is shown from now on; its numbers go on where they stood."""
        row = self._rows.get(key)
        if row is None:
            self._rows[key] = Row(pairs(self._names, key), self._starts.copy(), standing)
        else:
            row.standing = standing

    def standing(self, key: Names) -> Standing:
        """What of a row is shown; a row that was never added is as good as retired."""
        return self._rows[key].standing if key in self._rows else Standing.RETIRED

    def remove(self, prefix: Names, standing: Standing | None = None) -> None:
        """Rows whose labels begin so go at once, with their numbers; of one standing, or all."""
        for key in self._beginning(prefix):
            if standing in (None, self._rows[key].standing):
                del self._rows[key]

    def stand(self, prefix: Names, standing: Standing) -> None:
        """Show more or less of the rows whose labels begin so."""
        for key in self._beginning(prefix):
            row = self._rows.pop(key)
            row.standing = standing
            self._rows[key] = row
        forgotten = [k for k, r in self._rows.items() if r.standing is Standing.FORGOTTEN]
        for key in forgotten[:-_MOST_FORGOTTEN]:
            del self._rows[key]

    def _beginning(self, prefix: Names) -> list[Names]:
        return [key for key in self._rows if key[: len(prefix)] == prefix]

    def count(self, key: Names, metric: Metric, *values: str) -> None:
        """One more. A row that was never added appears as retired: something came after all."""
        self._cells(key)[self._at[metric.name, *values]] += 1

    def put(self, key: Names, value: float, metric: Metric, *values: str) -> None:
        """The number is now this."""
        self._cells(key)[self._at[metric.name, *values]] = value

    def _cells(self, key: Names) -> list[float]:
        if key not in self._rows:
            self.add(key, Standing.RETIRED)
        return self._rows[key].cells

    def snapshot(self) -> Writing:
        """The numbers of this moment, to be written by any thread."""
        shown: list[_Shown] = [
            (row.labels, row.cells.copy(), row.standing)
            for row in self._rows.values()
            if row.standing is not Standing.FORGOTTEN
        ]
        return lambda form: self._write(shown, form)

    def _write(self, shown: list[_Shown], form: Format) -> Iterator[str]:
        in_force = [row for row in shown if row[2] is Standing.ACTIVE]
        whole = [row for row in shown if row[2] is not Standing.LEARNED]
        metric = None
        for at, column in enumerate(self._columns):
            if column.metric is not metric:
                metric = column.metric
                yield headline(metric, form)
            head, tail = self._around(column)
            rows = in_force if column.in_force else shown if column.learned else whole
            if metric.kind is Kind.COUNTER:  # Always an integer.
                lines = [f"{head}{labels}{tail}{cells[at]}\n" for labels, cells, _ in rows]
            else:
                lines = [f"{head}{labels}{tail}{number(cells[at])}\n" for labels, cells, _ in rows]
            yield "".join(lines)

    def _around(self, column: Column) -> tuple[str, str]:
        """What stands before and after the row's labels in a line of this column."""
        name, own = column.metric.name, column.metric.labels[len(self._names) :]
        if not column.metric.labels:
            return name, " "
        comma = "," if own and self._names else ""
        return f"{name}{{", f"{comma}{pairs(own, column.values)}}} "
