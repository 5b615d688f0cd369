"""The heartbeat: called while the prober truly works, and a trouble to nobody."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace

import pytest
from aiohttp import web

from probe.app_heartbeat import Pulse
from probe.core.heartbeat import hindrance
from probe.core.model import Loop
from probe.edges.heartbeat import HttpPulse
from probe.engine.heartbeat import Heartbeat
from tests.engine.folder_world import LoopClock, virtual


@pytest.mark.parametrize(
    ("stalled", "idle", "intervals", "why"),
    [
        ([], 0.0, [15.0], ""),
        ([], 104.0, [15.0, 300.0], ""),
        ([], 106.0, [15.0, 300.0], "no submission has ended for 106 s"),
        ([], 900.0, [300.0], ""),
        ([], 0.0, [], "there is no route to probe"),
        (["reaper (deadlines)"], 0.0, [15.0], "not turned for a minute: reaper (deadlines)"),
    ],
)
def test_it_works_if_loops_turn_and_submissions_end(
    stalled: list[str], idle: float, intervals: list[float], why: str
) -> None:
    said = hindrance(stalled, idle=idle, intervals=intervals)
    assert said.endswith(why) and bool(said) == bool(why)


@dataclass
class Listener:
    """Somebody who waits for it."""

    failure: str = ""
    delay: float = 0.0
    heard: list[float] = field(default_factory=list)

    async def beat(self) -> str:
        self.heard.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.delay)
        return self.failure


async def during(seconds: float, heart: Heartbeat, beats: list[float]) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(heart.run(lambda: beats.append(loop.time())))
    await asyncio.sleep(seconds)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@virtual
async def test_it_is_called_at_its_interval_and_the_loop_turns_more_often() -> None:
    listener, beats = Listener(), []
    heart = Heartbeat(listener, interval=60.0, hindrance=lambda: "", clock=LoopClock())
    await during(200, heart, beats)
    assert listener.heard == [0, 60, 120, 180]
    assert max(b - a for a, b in pairwise(beats)) <= 5


@virtual
async def test_it_is_withheld_while_we_do_not_work() -> None:
    listener, hindrances = Listener(), ["", "nothing works", "nothing works at all", ""]
    heart = Heartbeat(
        listener, interval=60.0, hindrance=lambda: hindrances.pop(0), clock=LoopClock()
    )
    await during(200, heart, [])
    assert listener.heard == [0, 180]


@virtual
async def test_each_failure_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    listener = Listener(failure="it answers 500")
    heart = Heartbeat(listener, interval=60.0, hindrance=lambda: "", clock=LoopClock())
    task = asyncio.create_task(heart.run(lambda: None))
    await asyncio.sleep(200)
    listener.failure = ""
    await asyncio.sleep(100)
    task.cancel()
    assert [record.message for record in caplog.records] == [
        "The heartbeat is not taken: it answers 500.",
        "The heartbeat is heard again.",
    ]


# ---- over HTTP


async def served(handler: object) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_get("/ping/0f3c", handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    return runner, f"http://127.0.0.1:{port}/ping/0f3c"


@pytest.mark.parametrize(
    ("status", "why"), [(200, ""), (204, ""), (302, "it answers 302"), (404, "it answers 404")]
)
async def test_only_2xx_is_an_answer(status: int, why: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    runner, url = await served(answer)
    assert await HttpPulse(url).beat() == why
    await runner.cleanup()


async def test_who_does_not_answer_is_not_waited_for() -> None:
    over = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await over.wait()
        return web.Response()

    runner, url = await served(hang)
    assert await HttpPulse(url, deadline=0.05).beat() == "no answer within 0.05 s"
    over.set()
    await runner.cleanup()


async def test_who_is_not_there_is_told_without_the_url(unused_tcp_port: int) -> None:
    said = await HttpPulse(f"http://127.0.0.1:{unused_tcp_port}/secret").beat()
    assert said and "secret" not in said


# ---- as the configuration says


class Staff:
    """Notes which loops are started and ended."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def start(self, loop: Loop, member: str, turn: object) -> None:
        self.done.append(f"start {member}")

    def stop(self, loop: Loop, member: str) -> None:
        self.done.append(f"stop {member}")


def test_a_reload_starts_replaces_and_ends_it() -> None:
    staff = Staff()
    pulse = Pulse(SimpleNamespace(clock=None), None, None)  # type: ignore[arg-type]
    for heartbeat in (None, ("http://a.example", 60.0), ("http://a.example", 60.0),
                      ("http://b.example", 60.0), None):  # fmt: skip
        pulse.follow(SimpleNamespace(heartbeat=heartbeat), staff)  # type: ignore[arg-type]
    assert staff.done == ["start heartbeat", "start heartbeat", "stop heartbeat"]
