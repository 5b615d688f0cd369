"""The health check says in time what is wrong, whatever answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from probe.edges.healthcheck import trouble_at


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that says this, or nothing; yields its URL and what it was asked."""
    asked: list[bytes] = []
    held = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if answer is None:
            await held.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(play, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/-/healthy?x", asked
    finally:
        held.set()
        server.close()


async def test_a_healthy_prober_is_no_trouble() -> None:
    async with answering(b"HTTP/1.0 200 OK\r\n\r\nok") as (url, asked):
        assert await trouble_at(url, patience=5) == ""
    assert asked[0].startswith(b"GET /-/healthy?x HTTP/1.0\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "503 Service Unavailable"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\n\r\n", "302 Found"),
        (b"220 smtp.example ESMTP\r\n", "this is not HTTP: 220 smtp.example ESMTP"),
        (b"\x1b[2J\xff\r\n", "this is not HTTP: [2Jÿ"),
        (b"", "this is not HTTP: "),
        (b"x" * 200_000, "Separator is not found, and chunk exceed the limit"),
    ],
    ids=["unhealthy", "redirect", "smtp", "garbage", "nothing", "endless"],
)
async def test_anything_else_is_trouble(answer: bytes, trouble: str) -> None:
    async with answering(answer) as (url, _):
        assert await trouble_at(url, patience=5) == trouble


async def test_silence_is_trouble_in_time() -> None:
    async with answering(None) as (url, _):
        began = time.monotonic()
        assert await trouble_at(url, patience=0.2) == "no answer within 0.2 s"
        assert time.monotonic() - began < 20


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:9841", "file:///etc/passwd", "http://", "http://[", "http://h:99999/",
     "http://h/\r\nX: y"],
)  # fmt: skip
async def test_what_is_no_url_is_trouble(url: str) -> None:
    assert "URL" in await trouble_at(url, patience=1)


async def test_nobody_there_is_trouble() -> None:
    assert await trouble_at("http://127.0.0.1:1/", patience=5)
