"""How fast the journal is on this disk, as the prober uses it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from probe.core.model import Probe, RouteKey
from probe.core.record import Good, Record
from probe.edges.clock import SystemClock
from probe.edges.journal import SqliteJournal
from tests.bench.figure import Figure, quantile, spelled
from tests.live.world import World

ROUTES = [RouteKey("pool", f"192.0.2.{node}", "shop", "corp") for node in range(1, 251)]
LIVES = 8000
AT_ONCE = 50


def transactions(world: World) -> Iterator[Figure]:
    """Whole lives of probes: one launch and two saves each."""
    path = world.folder("journal") / "journal.sqlite3"
    rate, launches = asyncio.run(_lives(str(path)))
    p50, p99 = (1000 * quantile(launches, share) for share in (0.5, 0.99))
    note = f"launch durable in {spelled(p50)} ms, p99 {spelled(p99)} ms, {AT_ONCE} at once"
    yield Figure("journal transactions a second", f"{rate:,.0f} ({note})")


async def _lives(path: str) -> tuple[float, list[float]]:
    """Transactions in a second, and how long each launch took until it was durable (s)."""
    journal = await SqliteJournal.open(path, SystemClock())
    left, took = iter(range(LIVES)), []

    async def live() -> None:
        for _ in left:
            probe = _probe(journal)
            began = time.perf_counter()
            await journal.launch(probe)
            took.append(time.perf_counter() - began)
            accepted = probe.launched + 0.1
            journal.save(Record(probe, accepted=accepted, ended=True))
            arrived = accepted + 1
            journal.save(
                Record(probe, accepted=accepted, ended=True, arrived=arrived, verdict=Good())
            )

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(live())
    await journal.find(0)  # An answer comes when all before it is written.
    rate = 3 * LIVES / (time.perf_counter() - began)
    await journal.close()
    return rate, took


def _probe(journal: SqliteJournal) -> Probe:
    sequence, now = journal.next_sequence(), time.time()
    route = ROUTES[sequence % len(ROUTES)]
    return Probe(sequence, route, now, now, "x" * 66, 60.0, 86400.0)
