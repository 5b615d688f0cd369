"""The prober with a watch on its event loop: `python -m tests.bench.watched FILE`.

It runs as `mailprobe run` does. From SIGUSR1 on it writes into the file `stalls`, beside its
configuration, each time that the event loop was late for a sleep of 1 ms: when, by the monotonic
clock that all processes share, and by how much (s).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path

from probe.app import App
from probe.config import load
from probe.edges.log import configure

TICK = 0.001
NOTABLE = 0.001  # A shorter stall is the timer's own (s).


async def _watch(file: Path) -> None:
    begin = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, begin.set)
    await begin.wait()
    with file.open("w", buffering=1) as stalls:
        while True:
            began = time.monotonic()
            await asyncio.sleep(TICK)
            late = time.monotonic() - began - TICK
            if late > NOTABLE:
                stalls.write(f"{began} {late}\n")


async def _run(file: Path) -> None:
    settings = load(str(file), {})
    configure(settings.log_level, settings.log_format)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(_watch(file.parent / "stalls"))
        await App(settings).run(stop)
        watch.cancel()


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1])))
