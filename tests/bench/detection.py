"""`make bench-detection`: how long it takes until a fault is named, over many runs.

`python -m tests.bench.detection [--runs N] [FAULT]...` replays some of the faults only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.bench.faults import CASES, Case, Servers
from tests.bench.figure import quantile
from tests.bench.trial import LATER, Trial, run
from tests.live.world import World

RUNS = 30
LANES = 3  # Faults at a time: most of the time is spent waiting.


def main() -> None:
    """Replay the faults, a few at a time, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.detection", description=__doc__)
    parser.add_argument("faults", nargs="*", choices=[[], *CASES], metavar="FAULT")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each (%(default)s)")
    chosen = parser.parse_args()
    # Those with most patience first, so that none is left alone at the end.
    names = sorted(chosen.faults or CASES, key=lambda name: -CASES[name].patience)
    console, began, others = Console(), time.monotonic(), os.getloadavg()[0]
    found = _replayed(names, chosen.runs, console)
    console.print(_table({name: found[name] for name in CASES if name in found}))
    for name, trials in found.items():
        for remark in _remarks(CASES[name], trials):
            console.print(f"{CASES[name].about}: {remark}", markup=False)
    console.print(
        f"{chosen.runs} runs each; measured in {time.monotonic() - began:.0f} s, on"
        f" {os.cpu_count()} cores whose load was {others:.1f} before"
    )
    sys.exit(any(isinstance(trials, Exception) for trials in found.values()))


def _replayed(
    names: Sequence[str], runs: int, console: Console
) -> dict[str, list[Trial] | Exception]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with (
        World() as world,
        Progress(*columns, TimeElapsedColumn(), console=console) as progress,
        ThreadPoolExecutor(LANES) as lanes,
    ):
        servers = Servers(world)
        tasks = {
            name: progress.add_task(CASES[name].about, total=runs, start=False) for name in names
        }

        def replay(name: str) -> list[Trial] | Exception:
            progress.start_task(tasks[name])
            try:
                return list(
                    _trials(CASES[name], servers, runs, lambda: progress.advance(tasks[name]))
                )
            except Exception as error:
                console.print_exception()
                return error

        return dict(zip(names, lanes.map(replay, names), strict=True))


def _trials(case: Case, servers: Servers, runs: int, ended: Callable[[], None]) -> Iterator[Trial]:
    for first in range(0, runs, case.at_once):
        yield from run(case, servers, min(case.at_once, runs - first), ended)


def _table(found: dict[str, list[Trial] | Exception]) -> Table:
    table = Table("seconds until it is named", "bound", "mean", "p50", "p95", "aim", "met")
    for name, trials in found.items():
        if isinstance(trials, Exception):
            table.add_row(CASES[name].about, *[""] * 5, "[bold red]failed[/]")
        else:
            table.add_row(CASES[name].about, *_row(CASES[name], trials))
    return table


def _row(case: Case, trials: Sequence[Trial]) -> Iterator[str]:
    # What was not named counts as if it had been at the end: better than not at all.
    seconds = [case.patience if one.seconds is None else one.seconds for one in trials]
    mean, p95 = statistics.fmean(seconds), quantile(seconds, 0.95)
    yield f"{case.bound:.1f}"
    yield from (f"{value:.1f}" for value in (mean, quantile(seconds, 0.5), p95))
    aims = [("mean", mean, case.mean), ("p95", p95, case.p95)]
    yield ", ".join(f"{what} ≤ {aim:g}" for what, _, aim in aims if aim is not None)
    met = all(value <= aim for _, value, aim in aims if aim is not None)
    yield "[green]yes[/]" if met and not any(_blemishes(case, trials)) else "[bold red]no[/]"


def _blemishes(case: Case, trials: Sequence[Trial]) -> Iterator[str]:
    if never := sum(one.seconds is None for one in trials):
        yield f"{never} not named within {case.patience:g} s"
    wrong = [one for one in trials if one.wronged]
    if wrong:
        names = sorted({str(accusation) for one in wrong for accusation in one.wronged})
        yield f"in {len(wrong)} also named: {', '.join(names)}"
    if case.share is not None and _true_shares(case, trials) < 0.9 * len(trials):
        yield "the share is too often wrong"


def _remarks(case: Case, trials: list[Trial] | Exception) -> Iterator[str]:
    if isinstance(trials, Exception):
        yield str(trials)
        return
    yield from _blemishes(case, trials)
    if case.share is not None:
        found = _true_shares(case, trials)
        yield f"{LATER:g} s later the share was in its interval in {found} of {len(trials)}"


def _true_shares(case: Case, trials: Sequence[Trial]) -> int:
    assert case.share is not None
    intervals = [one.share for one in trials if one.share is not None]
    return sum(low <= case.share <= high for low, high in intervals)


if __name__ == "__main__":
    main()
