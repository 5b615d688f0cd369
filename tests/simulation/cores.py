"""Many runs at once, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tests.simulation.grid import Grid
from tests.simulation.matrix import HEALTH, archive_for

T = TypeVar("T")


def everywhere(
    jobs: Sequence[Callable[[], T]], console: Console, *, cores: int, chunk: int
) -> Iterator[T]:
    """What all jobs come to, in their order, with a bar; a core takes `chunk` of them at once."""
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    pool = ProcessPoolExecutor(cores, get_context("spawn"), initializer=_learn)
    with Progress(*columns, console=console) as bar, pool:
        yield from bar.track(pool.map(_done, jobs, chunksize=chunk), total=len(jobs))


def _learn() -> None:
    """So that no run of this process has to."""
    archive_for(Grid(1, 1, 1), HEALTH)


def _done(job: Callable[[], T]) -> T:
    return job()
