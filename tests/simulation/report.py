"""What many runs come to, as tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from statistics import fmean

from rich.table import Table

from probe.core.component import Kind
from tests.bench.figure import Figure, quantile
from tests.simulation.fault import Ill
from tests.simulation.figures import ROWS
from tests.simulation.matrix import Case, Result


def key(case: Case) -> tuple[str, Kind, Ill, float]:
    """The row of the figures that a case has."""
    fault = case.fault
    return str(case.grid), fault.where.kind, fault.ill, fault.share


def summary(figures: Iterable[Figure]) -> Table:
    """What was measured, beside the aims."""
    table = Table("what", "measured", "aim", "met")
    for one in figures:
        met = {None: "", True: "[green]yes[/]", False: "[bold red]no[/]"}[one.met]
        table.add_row(one.what, one.measured, one.aim, met)
    return table


def none(what: str, number: int, *, most: int | None = None) -> Figure:
    """A count that should be as small as `most`; without it there is no aim."""
    aim, met = ("", None) if most is None else (f"<= {most}", number <= most)
    return Figure(what, str(number), aim, met)


def pooled(what: str, results: Sequence[Result]) -> Iterator[Figure]:
    """All cells together."""
    runs = len(results)
    wrong = sum(bool(result.wrong) for result in results) / runs
    named = sum(result.in_time for result in results) / runs
    early = sum(bool(result.early) for result in results)
    called = sum(bool(result.called) for result in results)
    yield Figure(f"{what}: runs", str(runs))
    yield Figure(f"{what}: named alone and wrong", f"{wrong:.2%}", "<= 1 %", wrong <= 0.01)
    yield Figure(f"{what}: rightly named in time", f"{named:.1%}", ">= 95 %", named >= 0.95)
    yield none(f"{what}: named before there was a fault", early)
    yield none(f"{what}: rightly named, with another fault", called)


def beside(results: Iterable[Result]) -> Table:
    """Each case with figures, beside them; times in s, as mean / p50 / p95."""
    table = Table("grid", "fault", "named", "figured", "confirmed p95", "figured", "wrong", "late")
    cells: dict[Case, list[Result]] = defaultdict(list)
    for result in results:
        cells[result.case].append(result)
    for case, cell in cells.items():
        expected = ROWS[key(case)]
        confirmed = [inf if one.confirmed is None else one.confirmed for one in cell]
        table.add_row(
            str(case.grid),
            str(case.fault),
            times(cell),
            f"{expected.mean:g} / - / {expected.p95:g}",
            f"{quantile(confirmed, 0.95):.0f}",
            f"{expected.confirmed:g}",
            str(sum(bool(one.wrong) for one in cell)),
            str(sum(not one.in_time for one in cell)),
        )
    return table


def by_share(results: Iterable[Result]) -> Table:
    """All grids together, by the kind of the component and the failing share."""
    table = Table("component", "fault", "p", "runs", "named", "wrong", "late", "never")
    cells: dict[tuple[Kind, Ill, float], list[Result]] = defaultdict(list)
    for result in results:
        cells[key(result.case)[1:]].append(result)
    for (kind, ill, share), cell in sorted(cells.items()):
        table.add_row(
            kind,
            ill,
            f"{share:g}",
            str(len(cell)),
            times(cell),
            str(sum(bool(one.wrong) for one in cell)),
            str(sum(not one.in_time for one in cell)),
            str(sum(one.named is None for one in cell)),
        )
    return table


def times(cell: Sequence[Result]) -> str:
    """How long the right name took: mean of those that were named, median, 95th percentile."""
    named = [one.named for one in cell if one.named is not None]
    all_times = [inf if one.named is None else one.named for one in cell]
    mean = fmean(named) if named else inf
    return f"{mean:.0f} / {quantile(all_times, 0.5):.0f} / {quantile(all_times, 0.95):.0f}"
