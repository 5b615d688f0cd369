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
from functools import partial
from itertools import count
from random import Random
from typing import TypeVar

from rich.console import Console

from tests.bench.figure import Figure, at_most
from tests.simulation.cores import everywhere
from tests.simulation.cost import costs
from tests.simulation.days import live
from tests.simulation.figures import ROWS
from tests.simulation.matrix import cases, figured, play
from tests.simulation.report import beside, by_share, key, none, pooled, summary
from tests.simulation.several import SCENES, Outcome, act

DAYS = 30
FAILURES = (0.001, 0.0078)

T = TypeVar("T")


def main() -> None:
    """Run the parts one after the other, print what went wrong, and one table."""
    options = _options()
    console, began = _console(), time.monotonic()
    figures: list[Figure] = []
    for part in options.parts or list(PARTS):
        console.rule(part)
        figures += PARTS[part](options, console)
    console.print(summary(figures))
    console.print(f"simulated in {time.monotonic() - began:.0f} s on {options.jobs} cores")
    sys.exit(any(figure.met is False for figure in figures))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=150)


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
    results = []
    for result in _all(jobs, options, console):
        results.append(result)
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
    results = []
    for result in _all(jobs, options, console):
        results.append(result)
        if result.wrong or result.early:
            console.print(str(result), highlight=False)
    console.print(beside(results))
    yield from pooled("cases with figures", results)


def _days(options: argparse.Namespace, console: Console) -> Iterator[Figure]:
    jobs = [partial(live, failures, options.days, options.seed) for failures in FAILURES]
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
        yield none(f"{name}: of {len(outcomes)} runs, with a false name", false, most=0)


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


def _all(
    jobs: Sequence[Callable[[], T]], options: argparse.Namespace, console: Console, chunk: int = 8
) -> Iterator[T]:
    return everywhere(jobs, console, cores=options.jobs, chunk=chunk)


if __name__ == "__main__":
    main()
