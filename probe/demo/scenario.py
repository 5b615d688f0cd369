"""What `mailprobe demo` plays: a real prober at work in the demo's mail world."""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from probe.demo.account import Account, read_account
from probe.demo.screen import Screen
from probe.demo.world import HOST, RECIPIENT, RELAY_HOST, SENDER, USERNAME, World, demo_world

Prober = Callable[[Path, asyncio.Event, Callable[[str], None]], Coroutine[None, None, None]]
"""Runs a prober by a configuration file until the event is set; calls with its pages' address."""

_INTERVAL, _DEADLINE = 2, 10  # s
_TURN = 0.5  # Between two looks at the prober's pages (s).
_START = 30.0  # For the prober to come up (s).


async def healthy(prober: Prober, *, port: int, duration: float | None) -> int:
    """Nothing is wrong; 0 if the prober says so too, else 1. `duration` None: until Ctrl-C."""
    console = Console()
    over = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, over.set)
    with TemporaryDirectory(prefix="mailprobe-demo-") as name:
        folder = Path(name)
        async with demo_world(folder) as world, asyncio.TaskGroup() as group:
            stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
            file = _configuration(world, folder, port)
            group.create_task(prober(file, stop, ready.set_result))
            try:
                async with asyncio.timeout(_START):
                    url: str = await ready
                _announce(console, url)
                account, slowest = await _watch(url, console, over, duration)
            finally:
                stop.set()
    console.print(_verdict(account, slowest), soft_wrap=True, highlight=False)
    return 0 if account.well else 1


async def _watch(
    url: str, console: Console, over: asyncio.Event, duration: float | None
) -> tuple[Account, float]:
    """Show what arrives until it is over; the last account, and the slowest arrival (s)."""
    started, slowest = time.monotonic(), 0.0
    with Screen(console, duration) as screen:
        while True:
            account = await asyncio.to_thread(read_account, url)
            slowest = max(slowest, account.slowest)
            elapsed = time.monotonic() - started
            screen.show(account, elapsed)
            if over.is_set() or (duration is not None and elapsed >= duration):
                break
            await _pause(over)
    return await _settled(url, account), slowest


async def _settled(url: str, account: Account) -> Account:
    """The account at a moment when nothing is on its way, if there is one before the deadline."""
    until = time.monotonic() + _DEADLINE
    while account.sent != account.arrived and time.monotonic() < until:
        await asyncio.sleep(_TURN / 5)
        account = await asyncio.to_thread(read_account, url)
    return account


async def _pause(over: asyncio.Event) -> None:
    """Wait a turn, or less if it is over."""
    try:
        async with asyncio.timeout(_TURN):
            await over.wait()
    except TimeoutError:
        pass


def _announce(console: Console, url: str) -> None:
    base = url.rstrip("/")
    pages = f"The prober's pages: {base}/ {base}/metrics {base}/api/v1/status"
    console.print(pages, soft_wrap=True, highlight=False)


def _verdict(account: Account, slowest: float) -> str:
    """How it went, in one sentence."""
    if account.well:
        probes = f"{account.arrived} of {account.sent} probes arrived"
        return f"HEALTHY {probes}, the slowest after {slowest:.2f} s."
    probes = f"{account.arrived} of {account.sent} accepted probes arrived"
    return f"NOT HEALTHY {probes}, and something was wrong with {account.wrong}."


def _configuration(world: World, folder: Path, port: int) -> Path:
    """A file as an operator would write it; JSON is YAML."""
    login = {"username": USERNAME, "password": world.password, "ca_file": str(world.ca_file)}
    nodes = [f"{node.name}={HOST}:{node.port}" for node in world.nodes]
    imap = {"host": HOST, "port": world.inbox.port, "tls": "implicit", **login}
    file = folder / "mailprobe.yaml"
    file.write_text(
        json.dumps(
            {
                "instance": "demo",
                "tag_key": secrets.token_hex(16),
                "journal": str(folder / "journal.sqlite3"),
                "web": {"listen": f"{HOST}:{port}"},
                "defaults": {"interval": f"{_INTERVAL}s", "deadline": f"{_DEADLINE}s"},
                "relays": {
                    "pool": {
                        "host": RELAY_HOST,
                        "nodes": nodes,
                        "helo": "prober.demo.test",
                        **login,
                    }
                },
                "senders": {"shop": {"address": SENDER}},
                "mailboxes": {"corp": {"address": RECIPIENT, "imap": imap, "keep": "1m"}},
            }
        )
    )
    return file
