"""`make bench-detection`: how long it takes until a fault is named, over many runs.

`python -m tests.bench.detection [--runs N] [FAULT]...` replays some of the faults only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.bench.faults import CASES, Case, Servers
from tests.bench.figure import quantile
from tests.bench.promise import promised
from tests.bench.trial import LATER, Trial, run
from tests.live.world import World

RUNS = 30
AGREED = 1.5  # Times the promise of `mailprobe plan`, or a part of it, that the mean may be.
FAULTY = 1  # Processes of probers that see a fault at a time;
WORKING = 2  # the others of these get ready meanwhile.
TRUE_SHARES = 0.9  # How often the share must be in its interval.


@dataclass(slots=True)
class Series:
    """What was found out about one kind of fault."""

    case: Case
    trials: list[Trial] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)  # Why trials could not be made.

    @property
    def seconds(self) -> list[float]:
        """Until it was named; what was not counts as if it had been when we gave up."""
        return [self.case.patience if one.seconds is None else one.seconds for one in self.trials]

    @property
    def promised(self) -> float | None:
        """The mean that `mailprobe plan` promises from the beginning of the fault (s)."""
        return promised(self.case.prospect) if self.case.prospect else None

    @property
    def since_fault(self) -> list[float]:
        """As `seconds`, but from the beginning of the fault, not from when it could be seen."""
        return [self.case.patience if one.named is None else one.named - one.spoilt
                for one in self.trials]  # fmt: skip

    @property
    def agreement(self) -> float | None:
        """What was measured on average, as a multiple of what was promised."""
        if self.promised is None or not self.trials:
            return None
        return statistics.fmean(self.since_fault) / self.promised

    @property
    def true_shares(self) -> int:
        """In how many trials the interval of the share contained the truth."""
        intervals = [one.share for one in self.trials if one.share is not None]
        true = self.case.share or 0.0
        return sum(low <= true <= high for low, high in intervals)

    @property
    def is_met(self) -> bool:
        """Whether all that is aimed at was reached."""
        aims = all(value <= aim for _, value, aim in self.aims())
        return aims and not any(self.blemishes())

    def aims(self) -> Iterator[tuple[str, float, float]]:
        """What is aimed at: its name, what was measured, the most that it may be."""
        if self.case.mean is not None:
            yield "mean", statistics.fmean(self.seconds), self.case.mean
        if self.case.p95 is not None:
            yield "p95", quantile(self.seconds, 0.95), self.case.p95

    def blemishes(self) -> Iterator[str]:
        """What is wrong beside the time that it took."""
        yield from self.failures
        if missed := sum(one.missed for one in self.trials):
            yield f"{missed} times a prober did not answer: the machine is too busy"
        if never := sum(one.seconds is None for one in self.trials):
            yield f"{never} times it was not named within {self.case.patience:g} s"
        wronged = Counter(
            accused
            for one in self.trials
            for accused in {f"{wrong.component.kind} {wrong.fault}" for wrong in one.wronged}
        )
        for accused, times in wronged.most_common():
            yield f"{times} times an innocent was named: {accused}"
        if self.case.share is not None and self.true_shares < TRUE_SHARES * len(self.trials):
            yield "the share was too often outside of its interval"

    def remarks(self) -> Iterator[str]:
        """What is to be said below the table."""
        yield from self.blemishes()
        if (ratio := self.agreement) is not None and not 1 / AGREED <= ratio <= AGREED:
            yield f"from its beginning it took {ratio:.2f} times what `mailprobe plan` promises"
        if self.case.share is not None:
            found = f"{self.true_shares} of {len(self.trials)} times"
            yield f"{LATER:g} s after the name the share was in its interval {found}"


def main() -> None:
    """Replay the faults, a few at a time, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.detection", description=__doc__)
    parser.add_argument("faults", nargs="*", choices=[[], *CASES], metavar="FAULT")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each (%(default)s)")
    chosen = parser.parse_args()
    console, began, others = Console(), time.monotonic(), os.getloadavg()[0]
    found = _replayed(chosen.faults or list(CASES), chosen.runs, console)
    console.print(_table(found))
    for series in found:
        for remark in series.remarks():
            console.print(f"{series.case.about}: {remark}.", markup=False)
    console.print(
        f"{chosen.runs} runs each; measured in {time.monotonic() - began:.0f} s, on"
        f" {os.cpu_count()} cores whose load was {others:.1f} before"
    )
    sys.exit(any(series.failures for series in found))


def _replayed(names: Sequence[str], runs: int, console: Console) -> list[Series]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    found = {name: Series(CASES[name]) for name in names}
    turn = threading.Semaphore(FAULTY)
    with World() as world, Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        servers = Servers(world)
        tasks = {name: progress.add_task(found[name].case.about, total=runs) for name in names}

        def replay(name: str, numbers: range) -> None:
            series = found[name]
            try:
                series.trials += run(
                    series.case,
                    servers,
                    numbers,
                    turn=turn,
                    ended=lambda: progress.advance(tasks[name]),
                )
            except Exception as error:
                series.failures.append(f"{type(error).__name__}: {error}")

        with ThreadPoolExecutor(WORKING) as workers:
            for name, numbers in _parts(names, runs):
                workers.submit(replay, name, numbers)
    return list(found.values())


def _parts(names: Sequence[str], runs: int) -> Iterator[tuple[str, range]]:
    """Which trials are made together: some of each fault, and then some more.

    Those with most patience are first, so that none is left alone at the end.
    """
    patient = sorted(names, key=lambda name: -CASES[name].patience)
    for first in range(runs):
        for name in patient:
            step = CASES[name].at_once
            if first % step == 0:
                yield name, range(first, min(first + step, runs))


def _table(found: Sequence[Series]) -> Table:
    table = Table("seconds until it is named", "bound", "mean", "p50", "p95", "plan", "aim", "met")
    for series in found:
        about, seconds = series.case.about, series.seconds
        if not seconds:
            table.add_row(about, *[""] * 6, "[bold red]failed[/]")
            continue
        figures = statistics.fmean(seconds), quantile(seconds, 0.5), quantile(seconds, 0.95)
        aims = ", ".join(f"{what} ≤ {aim:g}" for what, _, aim in series.aims())
        met = "[green]yes[/]" if series.is_met else "[bold red]no[/]"
        measured = (f"{value:.1f}" for value in (series.case.bound, *figures))
        table.add_row(about, *measured, _promise(series), aims, met)
    return table


def _promise(series: Series) -> str:
    """The mean that `mailprobe plan` promises, and how the measured one compares with it."""
    if series.promised is None or series.agreement is None:
        return ""
    agrees = 1 / AGREED <= series.agreement <= AGREED
    return (
        f"{series.promised:.1f} [{'green' if agrees else 'bold red'}](×{series.agreement:.2f})[/]"
    )


if __name__ == "__main__":
    main()
