"""`make simulate`: the whole matrix, thirty days, and several faults at once.

`python -m tests.simulation [PART]...` runs some of the parts only.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context
from random import Random
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.bench.figure import Figure, at_most
from tests.simulation.cost import costs
from tests.simulation.days import Account, Days
from tests.simulation.figures import ROWS
from tests.simulation.grid import Grid
from tests.simulation.matrix import archive_for, cases, figured, play
from tests.simulation.report import beside, by_share, key, none, pooled, summary
from tests.simulation.several import SCENES, Outcome, act
from tests.simulation.world import Climate

CHUNK = 8  # Runs that a core takes at once.
DAYS = 30
FAILURES = (0.001, 0.0078)

T = TypeVar("T")


def main() -> None:
    """Run the parts one after the other, print what went wrong, and one table."""
    options = _options()
    console, began = Console(), time.monotonic()
    figures: list[Figure] = []
    for part in options.parts or list(PARTS):
        console.rule(part)
        figures += PARTS[part](options, console)
    console.print(summary(figures))
    console.print(f"simulated in {time.monotonic() - began:.0f} s on {options.jobs} cores")
    sys.exit(any(figure.met is False for figure in figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=3, help="of each case of the matrix")
    parser.add_argument("--figured", type=int, default=100, help="of each case with figures")
    parser.add_argument("--scenes", type=int, default=20, help="of each scene")
    parser.add_argument("--days", type=float, default=DAYS)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


# ---- the parts


def _matrix(options: argparse.Namespace, console: Console) -> Iterator[Figure]:
    seeds = count(options.seed * 1_000_000)
    jobs = [partial(play, case, next(seeds)) for _ in range(options.runs) for case in cases()]
    Random(options.seed).shuffle(jobs)
    results = list(_all(jobs, options, console))
    for result in results:
        if result.wrong or result.early or result.called or not result.in_time:
            console.print(str(result), highlight=False)
    console.print(by_share(results))
    yield from pooled("matrix", results)


def _figured(options: argparse.Namespace, console: Console) -> Iterator[Figure]:
    seeds = range(options.seed * 1_000_000, options.seed * 1_000_000 + options.figured)
    jobs = [
        partial(play, case, seed, until_confirmed=ROWS[key(case)].confirmed * 1.5)
        for seed in seeds
        for case in figured()
    ]
    results = list(_all(jobs, options, console))
    for result in results:
        if result.wrong or result.early:
            console.print(str(result), highlight=False)
    console.print(beside(results))
    yield from pooled("cases with figures", results)


def _days(options: argparse.Namespace, console: Console) -> Iterator[Figure]:
    jobs = [partial(_lived, failures, options.days, options.seed) for failures in FAILURES]
    for account in _all(jobs, options, console, chunk=1):
        for kind in ("confirmed", "stray", "beside", "lingering"):
            for line in getattr(account, kind):
                console.print(f"{kind}: {line}", highlight=False)
        what = f"{account.days:g} days, {account.climate.failures:g} failures: "
        yield Figure(f"{what}probes", f"{account.probes} and {account.confirmations} to confirm")
        yield Figure(f"{what}named", f"{account.named} for {account.causes} restarts and stalls")
        yield none(f"{what}confirmed", len(account.confirmed), most=0)
        yield none(f"{what}named without a cause", len(account.stray), most=1)
        yield none(f"{what}named beside the cause", len(account.beside))
        yield none(f"{what}open for too long", len(account.lingering), most=0)


def _several(options: argparse.Namespace, console: Console) -> Iterator[Figure]:
    seeds = range(options.seed, options.seed + options.scenes)
    jobs = [partial(act, scene, seed) for scene in SCENES for seed in seeds]
    by_scene: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in _all(jobs, options, console):
        by_scene[outcome.scene.name].append(outcome)
        if outcome.false:
            console.print(str(outcome), highlight=False)
    for name, outcomes in by_scene.items():
        false = sum(bool(outcome.false) for outcome in outcomes)
        yield none(f"{name}: runs of {len(outcomes)} with a false name", false, most=0)


def _cost(options: argparse.Namespace, console: Console) -> Iterator[Figure]:
    for cost in costs():
        note = f"{1000 * cost.in_ticks / cost.ticks:.1f} ms a tick, at most {cost.longest:.3f} s"
        yield at_most(f"1,000 routes, {cost.what}", 100 * cost.share, 5.0, "% of a core", note)


PARTS: dict[str, Callable[[argparse.Namespace, Console], Iterable[Figure]]] = {
    "figured": _figured,
    "matrix": _matrix,
    "several": _several,
    "days": _days,
    "cost": _cost,
}


def _lived(failures: float, days: float, seed: int) -> Account:
    life = Days(Grid(1, 3, 1), Climate(failures=failures), seed=seed)
    for _ in life.live(days):
        pass
    return life.account()


def _all(
    jobs: Sequence[Callable[[], T]],
    options: argparse.Namespace,
    console: Console,
    chunk: int = CHUNK,
) -> Iterator[T]:
    """What all jobs come to, in their order, done on all cores."""
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    bar = Progress(*columns, console=console)
    pool = ProcessPoolExecutor(options.jobs, get_context("spawn"), initializer=_learn)
    with bar, pool:
        yield from bar.track(pool.map(_done, jobs, chunksize=chunk), total=len(jobs))


def _learn() -> None:
    """So that no run of this process has to."""
    archive_for(Grid(1, 1, 1), Climate())


def _done(job: Callable[[], T]) -> T:
    return job()


if __name__ == "__main__":
    main()
