"""The tasks of all loops, by name: what is replaced has ended before its successor begins."""

from __future__ import annotations

import asyncio

from probe.core.model import Loop
from probe.engine.supervisor import Supervisor, Turn


class Crew:
    """Starts loops, replaces them and ends them, within a group of tasks that owns them."""

    def __init__(self, group: asyncio.TaskGroup, supervisor: Supervisor) -> None:
        self._group = group
        self._supervisor = supervisor
        self._tasks: dict[tuple[Loop, str], list[asyncio.Task[None]]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._dismissed = False

    def start(self, loop: Loop, member: str, turn: Turn) -> None:
        """Keep this loop running, in place of the one with the same name, if there is one."""
        if self._dismissed:
            return
        self.stop(loop, member)
        tasks = self._tasks.setdefault((loop, member), [])
        task = self._group.create_task(self._keep(loop, member, turn, after=[*tasks]))
        tasks.append(task)
        task.add_done_callback(lambda ended: self._forget((loop, member), ended))

    def stop(self, loop: Loop, member: str) -> None:
        """End this loop."""
        for task in self._tasks.get((loop, member), ()):
            # What it does to leave in order is not to be disturbed. `Task.cancelling` does not
            # tell: a time limit within the loop that has just run out counts there too.
            if task not in self._ending:
                self._ending.add(task)
                task.cancel()

    def dismiss(self) -> None:
        """End all loops, and start no more."""
        self._dismissed = True
        for loop, member in self._tasks:
            self.stop(loop, member)

    async def _keep(
        self, loop: Loop, member: str, turn: Turn, *, after: list[asyncio.Task[None]]
    ) -> None:
        if after:
            await asyncio.wait(after)
        await self._supervisor.keep(loop, member, turn)

    def _forget(self, name: tuple[Loop, str], ended: asyncio.Task[None]) -> None:
        self._ending.discard(ended)
        self._tasks[name].remove(ended)
        if not self._tasks[name]:
            del self._tasks[name]
