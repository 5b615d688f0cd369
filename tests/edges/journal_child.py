"""A process that writes a journal until it is killed: `python -m tests.edges.journal_child PATH`.

Prints `launched N` once launch N is acknowledged, `accepted N` once what was saved before that is.
"""

from __future__ import annotations

import asyncio
import sys

from probe.core.model import Probe, RouteKey
from probe.core.record import Record
from probe.edges.clock import SystemClock
from probe.edges.journal import Limits, SqliteJournal

ROUTE = RouteKey("pool", "192.0.2.1", "shop", "corp")


async def work(path: str) -> None:
    """Eight senders, each launching and saving without end."""
    clock = SystemClock()
    journal = await SqliteJournal.open(path, clock, limits=Limits(stall=60.0))
    print("open", journal.up, flush=True)
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(send(journal, clock))


async def send(journal: SqliteJournal, clock: SystemClock) -> None:
    saved: list[int] = []
    while True:
        sequence = journal.next_sequence()
        now = clock.now()
        probe = Probe(sequence, ROUTE, now, now, f"token{sequence}", 60.0, 86400.0)
        await journal.launch(probe)
        for earlier in saved:
            print("accepted", earlier, flush=True)
        print("launched", sequence, flush=True)
        saved = [sequence] if sequence % 3 else []
        if saved:
            journal.save(Record(probe, accepted=clock.now(), ended=True))


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
