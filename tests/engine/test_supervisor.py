"""A loop that breaks is started again, and one that hangs is told of."""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

from probe.core.model import Folder, Loop, Place
from probe.engine.login_gate import LoginGate
from probe.engine.supervisor import FIRST_PAUSE, LONGEST_PAUSE, STALLED, Beat, Supervisor
from probe.engine.watcher import FolderWatcher
from probe.ports import Fetched
from tests.engine.folder_world import Box, BoxReader, LoopClock, virtual
from tests.engine.world import FakeMetrics
from tests.secret import FixedSecret
from tests.watching import Memory, Taker


class Kept:
    """Loops that are kept running for as long as it is entered."""

    def __init__(self) -> None:
        self.metrics = FakeMetrics()
        self.supervisor = Supervisor(clock=LoopClock(), metrics=self.metrics)
        self.tasks: list[asyncio.Task[None]] = []

    def keep(self, loop: Loop, member: str, turn: Callable[[Beat], object]) -> None:
        self.tasks.append(asyncio.create_task(self.supervisor.keep(loop, member, turn)))  # type: ignore[arg-type]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@virtual
async def test_a_loop_that_breaks_is_started_again_ever_more_slowly() -> None:
    kept, starts = Kept(), []

    async def broken(beat: Beat) -> None:
        starts.append(asyncio.get_running_loop().time())
        raise ValueError("a bug of ours")

    kept.keep(Loop.REAPER, "deadlines", broken)
    await asyncio.sleep(300)
    pauses = [b - a for a, b in pairwise(starts)]
    assert FIRST_PAUSE <= pauses[0] < pauses[1] and pauses[-1] == LONGEST_PAUSE
    assert kept.metrics.count("failed", "reaper") == len(starts)
    assert kept.supervisor.stalled() == [], "it is tried again within a minute"
    await kept.end()


@virtual
async def test_a_loop_that_ran_for_long_is_started_again_soon() -> None:
    kept, starts = Kept(), []

    async def weary(beat: Beat) -> None:
        starts.append(asyncio.get_running_loop().time())
        for _ in range(10):
            beat()
            await asyncio.sleep(10)

    kept.keep(Loop.SENDER, "slots", weary)
    await asyncio.sleep(305)
    assert starts == [0.0, 101.0, 202.0, 303.0]
    await kept.end()


@virtual
async def test_a_member_that_hangs_is_told_of_by_name_and_the_loop_is_as_old_as_it() -> None:
    kept = Kept()

    async def turning(beat: Beat) -> None:
        while True:
            beat()
            await asyncio.sleep(1)

    async def hanging(beat: Beat) -> None:
        await asyncio.sleep(1000)

    kept.keep(Loop.WATCHER, "corp inbox", hanging)
    kept.keep(Loop.WATCHER, "corp junk", turning)
    await asyncio.sleep(STALLED + 2)
    assert kept.supervisor.stalled() == ["watcher (corp inbox)"]
    assert kept.metrics.count("ran", "watcher", "0.0") > STALLED
    await kept.end()
    assert kept.supervisor.stalled() == []


class BuggyTaker(Taker):
    async def receive(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        raise KeyError("a bug of ours")


class SlowTaker(Taker):
    async def receive(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        await asyncio.sleep(1.0)
        await super().receive(fetched, place, folder, seen, rescan=rescan)


def watch(kept: Kept, box: Box, desk: Taker) -> None:
    clock, journal = LoopClock(), Memory()
    gate = LoginGate(FixedSecret(), clock)

    def turn(beat: Beat) -> object:
        return FolderWatcher(
            BoxReader(box),
            Folder.INBOX,
            desk=desk,
            journal=journal,  # type: ignore[arg-type]
            clock=clock,
            gate=gate,
            chance=random.Random(1),
            turned=beat,
        ).run()

    kept.keep(Loop.WATCHER, "corp inbox", turn)


@virtual
async def test_a_watcher_that_breaks_says_that_its_mailbox_is_not_read() -> None:
    kept, box, desk = Kept(), Box(), BuggyTaker(LoopClock())
    watch(kept, box, desk)
    await asyncio.sleep(1)
    box.put()
    desk.launch()
    await asyncio.sleep(10)
    assert "the prober itself failed: KeyError" in desk.blind[0][1]
    await kept.end()


@virtual
async def test_a_long_backlog_is_no_reason_to_be_called_hung() -> None:
    kept, box, desk = Kept(), Box(), SlowTaker(LoopClock())
    watch(kept, box, desk)
    await asyncio.sleep(1)
    for _ in range(150):
        box.put()
    for _ in range(140):
        await asyncio.sleep(1)
        assert kept.supervisor.stalled() == []
    await kept.end()
