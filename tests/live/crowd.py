"""Many probers in one process, which is up sooner than many: `python -m tests.live.crowd FILE...`.

Each has its own settings, journal and pages; they share an event loop and the log. It says so when
all pages answer.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from probe.app import App
from probe.config import load
from probe.edges.log import configure
from tests.live.prober import ROOT, Prober
from tests.live.world import World

READY = b"ready\n"


class Crowd:
    """Runs probers, which need not be started one by one."""

    def __init__(self, world: World, probers: Sequence[Prober]) -> None:
        self._log = world.folder("crowd") / "log"
        self._probers = probers
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when the pages of all answer."""
        files = [str(prober.file) for prober in self._probers]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILPROBE_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.live.crowd", *files],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        for prober in self._probers:
            prober.log = self._log
        assert self._process.stdout is not None
        if self._process.stdout.readline() != READY:
            raise AssertionError(f"not all probers begin\n{self._probers[0].log_end()}")

    def kill(self) -> None:
        """End them all."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


async def _run(files: Sequence[Path]) -> None:
    waiting = set(files)

    def arrive(file: Path) -> None:
        waiting.discard(file)
        if not waiting:
            sys.stdout.buffer.write(READY)
            sys.stdout.buffer.flush()

    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with asyncio.TaskGroup() as group:
        for file in files:
            settings = load(str(file), {})
            configure(settings.log_level, settings.log_format)
            group.create_task(App(settings).run(stop, ready=lambda _, file=file: arrive(file)))


if __name__ == "__main__":
    asyncio.run(_run([Path(name) for name in sys.argv[1:]]))
