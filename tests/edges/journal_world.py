"""What the journal's tests have in common: probes, and small disks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from probe.core.model import Place, Probe, RouteKey
from probe.edges.journal import Limits, SqliteJournal
from tests.hand_turned import HandTurnedClock

ROUTE = RouteKey("pool", "192.0.2.1", "shop", "corp")
NOW = 1_800_000_000.0
DAY = 86400.0
QUICK = Limits(retry=0.02, stall=30.0, closing=30.0)  # Patient with a busy machine.


def probe(sequence: int, *, launched: float = NOW, route: RouteKey = ROUTE) -> Probe:
    return Probe(sequence, route, launched, launched, f"t{sequence}", 60.0, DAY)


def place(uid: int, *, mailbox: str = "corp", folder: str = "INBOX") -> Place:
    return Place(mailbox, folder, 7, uid)


@contextlib.asynccontextmanager
async def opened(
    path: Path, clock: HandTurnedClock | None = None, **more
) -> AsyncIterator[SqliteJournal]:
    """A journal whose process began at NOW, where nothing else is said."""
    more = {"monotonic": lambda: 100.0, "boot": "boot", "limits": QUICK} | more
    journal = await SqliteJournal.open(path, clock or HandTurnedClock(NOW), **more)
    try:
        yield journal
    finally:
        await journal.close()


async def until(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds."""
    while not condition():  # noqa: ASYNC110 - the writer's thread has no event for it.
        await asyncio.sleep(0.005)


def mount(path: Path, *options: str) -> None:
    """Mount a tmpfs, or mount it again with other options."""
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"a small disk cannot be mounted, which needs root: {done.stderr.strip()}")


@contextlib.contextmanager
def unprivileged() -> Iterator[int]:
    """All of this process as a user who may do nothing, where it is root; which user that is."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(before)


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[Path]:
    """A file system of its own at `path`."""
    path.mkdir()
    mount(path, f"size={size}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)
