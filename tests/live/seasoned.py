"""What a prober has learned after a while, written into its journal before it starts."""

from __future__ import annotations

import asyncio
import math
import time
from pathlib import Path
from statistics import NormalDist

from probe.core.detection.baseline import Baselines
from probe.core.model import Phase
from probe.edges.clock import SystemClock
from probe.edges.journal import SqliteJournal

DELAYS = NormalDist(math.log(0.05), 1.0)  # Of a healthy way within one building (log s).
PHASE = 0.01  # s that each phase takes.
PHASES = (Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ACK)


def season(journal: Path, arrivals: int, *, nodes: tuple[str, ...] = ("n1", "n2", "n3")) -> None:
    """What so many arrivals teach a prober of the relay `pool` and the mailbox `corp`."""
    asyncio.run(_write(journal, taught(arrivals, nodes)))


def taught(arrivals: int, nodes: tuple[str, ...]) -> Baselines:
    """Nothing ever failed."""
    baselines = Baselines()
    for number in range(arrivals):
        baselines.ended("pool", failed=False, now=time.time())
        delay = math.exp(DELAYS.inv_cdf((number + 0.5) / arrivals))
        baselines.arrived("pool", "corp", delay)
        for phase in PHASES:
            baselines.timed("pool", nodes[number % len(nodes)], phase, PHASE)
    return baselines


async def _write(file: Path, baselines: Baselines) -> None:
    journal = await SqliteJournal.open(str(file), SystemClock())
    journal.load()
    journal.keep_baselines(baselines.rows())
    await journal.close()
