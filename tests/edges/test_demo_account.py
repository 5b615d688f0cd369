"""The demo says of a prober what the prober says of itself."""

import asyncio
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from probe.core.model import Folder, Reason, Route, RouteKey
from probe.demo.account import Account, RouteAccount, account_of
from probe.demo.scenario import healthy
from probe.demo.screen import Screen
from probe.metrics import Exporter

KEYS = [RouteKey("pool", node, "shop", "corp") for node in ("node1", "node2")]


class Pages:
    """A prober that has sent and seen what a test says, with nothing but its pages."""

    def __init__(self) -> None:
        self.exporter = Exporter()
        for key in KEYS:
            self.exporter.add_route(Route(key, 2, 10, 60))

    def send(self, key: RouteKey, *, delay: float | None = None) -> None:
        self.exporter.sent(key)
        if delay is not None:
            self.exporter.delivered(key, Folder.INBOX, delay, given_up=False)
            self.exporter.judged(key, None)

    async def metrics(self) -> str:
        return (await self.exporter.scrape("text/plain", gzipped=False))[0].decode()

    def status(self) -> dict[str, object]:
        routes = [
            {**{name: getattr(key, name) for name in RouteKey.__slots__}, "state": "ok"}
            for key in KEYS
        ]
        return {"state": "ok", "routes": routes}

    async def run(self, file: Path, stop: asyncio.Event, ready: Callable[[str], None]) -> None:
        """Fulfils the demo's Prober: serves the pages until it is stopped."""
        self.configuration = json.loads(await asyncio.to_thread(file.read_text))
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        ready(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        await stop.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        body = await self.metrics() if path == b"/metrics" else json.dumps(self.status())
        writer.write(b"HTTP/1.0 200 OK\r\n\r\n" + body.encode())
        writer.close()


async def test_the_account_is_what_the_pages_say() -> None:
    pages = Pages()
    pages.send(KEYS[0], delay=0.125)
    pages.send(KEYS[0])
    pages.exporter.judged(KEYS[1], Reason.CONNECT_REFUSED)
    account = account_of(pages.status(), await pages.metrics())
    assert account.routes == (
        RouteAccount("pool/node1/shop/corp", "ok", 2, 1, 0, 0.125),
        RouteAccount("pool/node2/shop/corp", "ok", 0, 0, 1, None),
    )
    assert (account.sent, account.arrived, account.wrong, account.slowest) == (2, 1, 1, 0.125)


GOOD = RouteAccount("r", "ok", 3, 3, 0, 0.1)


@pytest.mark.parametrize(
    ("routes", "well"),
    [
        ((GOOD,), True),
        ((GOOD, replace(GOOD, arrived=2)), False),
        ((GOOD, replace(GOOD, wrong=1)), False),
        ((GOOD, replace(GOOD, sent=0, arrived=0)), False),
        ((), False),
    ],
    ids=["all arrived", "one is missing", "one failed", "one never sent", "no route"],
)
def test_well_is_only_what_is_well_on_every_route(
    routes: tuple[RouteAccount, ...], well: bool
) -> None:
    assert Account(routes).well is well


def shown(*, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with Screen(console, 60) as screen:
        for elapsed in (0.0, 1.0, 5.0):
            screen.show(Account((GOOD,)), elapsed)
    return console.file.getvalue()


def test_without_a_terminal_there_is_a_line_every_few_seconds() -> None:
    assert shown(terminal=False).splitlines() == [
        "   0.0 s: r 3 of 3 arrived (0.100 s, ok)",
        "   5.0 s: r 3 of 3 arrived (0.100 s, ok)",
    ]


def test_on_a_terminal_there_is_a_table() -> None:
    assert "last delay" in shown(terminal=True)


async def test_healthy_ends_well_when_all_that_was_sent_arrives(
    capsys: pytest.CaptureFixture[str],
) -> None:
    pages = Pages()
    for key in KEYS:
        pages.send(key, delay=0.21)
    assert await healthy(pages.run, port=0, duration=0) == 0
    out = capsys.readouterr().out
    assert out.startswith("The prober's pages: http://127.0.0.1:")
    assert out.endswith("HEALTHY 2 of 2 probes arrived, the slowest after 0.21 s.\n")


async def test_healthy_ends_badly_when_a_probe_failed(capsys: pytest.CaptureFixture[str]) -> None:
    pages = Pages()
    for key in KEYS:
        pages.send(key, delay=0.21)
    pages.exporter.judged(KEYS[0], Reason.TEMP_REJECT)
    assert await healthy(pages.run, port=0, duration=0) == 1
    said = "NOT HEALTHY 2 of 2 accepted probes arrived, and something was wrong with 1."
    assert capsys.readouterr().out.splitlines()[-1] == said


async def test_healthy_leaves_no_file_and_probes_the_three_nodes() -> None:
    pages = Pages()
    await asyncio.wait_for(healthy(pages.run, port=0, duration=0), 30)
    configuration = pages.configuration
    nodes = configuration["relays"]["pool"]["nodes"]
    assert [node.partition("=")[0] for node in nodes] == ["node1", "node2", "node3"]
    assert not Path(configuration["journal"]).parent.exists()
