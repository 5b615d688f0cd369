"""How fast the journal is on this disk: `python -m tests.bench.bench_journal [FOLDER]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from probe.core.model import Probe, RouteKey
from probe.core.record import Good, Record
from probe.edges.clock import SystemClock
from probe.edges.journal import SqliteJournal

ROUTES = [RouteKey("pool", f"192.0.2.{node}", "shop", "corp") for node in range(1, 251)]


def _probe(journal: SqliteJournal) -> Probe:
    sequence, now = journal.next_sequence(), time.time()
    route = ROUTES[sequence % len(ROUTES)]
    return Probe(sequence, route, now, now, "x" * 60, 60.0, 86400.0)


def _life(probe: Probe) -> list[Record]:
    """What is saved of a probe that goes well."""
    accepted = probe.launched + 0.1
    arrived = Record(probe, accepted=accepted, arrived=accepted + 1, verdict=Good())
    return [Record(probe, accepted=accepted), arrived]


async def launches(journal: SqliteJournal, total: int, tasks: int) -> str:
    """Launch `total` probes from so many tasks at once."""
    took: list[float] = []

    async def launch() -> None:
        while len(took) < total:
            start = time.perf_counter()
            await journal.launch(_probe(journal))
            took.append(time.perf_counter() - start)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(tasks):
            group.create_task(launch())
    rate = len(took) / (time.perf_counter() - start)
    took.sort()
    p50, p99 = (1000 * took[int(share * len(took))] for share in (0.5, 0.99))
    return f"launch x {tasks:<3} {rate:9,.0f} /s   p50 {p50:.2f} ms   p99 {p99:.2f} ms"


async def lives(journal: SqliteJournal, total: int) -> str:
    """Whole lives of probes, 50 at once: one launch and two saves each."""
    left = iter(range(total))

    async def live() -> None:
        for _ in left:
            probe = _probe(journal)
            await journal.launch(probe)
            for record in _life(probe):
                journal.save(record)

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(live())
    await journal.find(0)
    rate = 3 * total / (time.perf_counter() - start)
    return f"launch+save+save {rate:9,.0f} transactions/s"


async def saves(journal: SqliteJournal, total: int) -> str:
    """Saves of different probes, as fast as they can be queued, until they are durable."""
    start = time.perf_counter()
    for number in range(total):
        journal.save(Record(_probe(journal), ended=True))
        if number % 500 == 0:
            await asyncio.sleep(0)
    await journal.find(0)
    return f"save           {total / (time.perf_counter() - start):9,.0f} /s"


async def bench(folder: str | None) -> None:
    """Print one line for each figure."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        journal = await SqliteJournal.open(Path(place) / "journal.sqlite3", SystemClock())
        print(await launches(journal, 2000, 1))
        print(await launches(journal, 10_000, 50))
        print(await lives(journal, 10_000))
        print(await saves(journal, 30_000))
        await journal.close()


if __name__ == "__main__":
    asyncio.run(bench(sys.argv[1] if len(sys.argv) > 1 else None))
