"""What is measured: a prober process under a known load, looked at from outside."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.live.prober import ROOT, Prober
from tests.live.world import LOOPBACK, Certificate, World, greets, wait_until

ROUTES = 1000
_NODES, _SENDERS, _MAILBOXES = 10, 10, 5  # Of each of two relays: 1,000 routes.


class Companion:
    """A process of ours that the prober, or a server, talks to."""

    def __init__(self, module: str, *arguments: object, ports: Sequence[int]) -> None:
        self._command = [sys.executable, "-m", module, *map(str, arguments)]
        self._ports = ports
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it listens."""
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.DEVNULL)
        wait_until(lambda: all(greets(LOOPBACK, port, b"") for port in self._ports), "it listens")

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


class Sink(Companion):
    """The relay and its mailboxes."""

    def __init__(self, world: World, certificate: Certificate | None = None) -> None:
        self.smtp_port, self.imap_port = world.port(), world.port()
        ports = self.smtp_port, self.imap_port
        files = (certificate.chain_file, certificate.key_file) if certificate else ()
        super().__init__("tests.bench.sink", *ports, *files, ports=ports)


def configuration(sink: Sink, interval: float, ca_file: str = "") -> dict[str, object]:
    """1,000 routes through the sink, each probed once in `interval`."""
    nodes = [f"n{number}={LOOPBACK}:{sink.smtp_port}" for number in range(_NODES)]
    tls = {"tls": "starttls", "ca_file": ca_file} if ca_file else {"tls": "none"}
    relay = {"host": "relay.test", "helo": "prober.test", "nodes": nodes, **tls}
    return {
        "instance": "bench",
        "tag_key": "a key that only the bench uses",
        "defaults": {"interval": f"{interval:.3f}s"},
        "relays": {f"relay{number}": relay for number in range(2)},
        "senders": {
            f"sender{number}": {"address": f"probe@s{number}.test"} for number in range(_SENDERS)
        },
        "mailboxes": {f"box{number}": _mailbox(sink, number) for number in range(_MAILBOXES)},
    }


def _mailbox(sink: Sink, number: int) -> dict[str, object]:
    address = f"probe@box{number}.test"
    imap = {"host": LOOPBACK, "port": sink.imap_port, "tls": "none"}
    return {"address": address, "imap": {**imap, "username": address, "password": "secret"}}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a prober's life."""

    began: float  # Unix time.
    ended: float
    cpu: float  # What the prober used of it, in user and system mode (s).

    @property
    def seconds(self) -> float:
        """How long it was."""
        return self.ended - self.began


def observe(prober: Prober, seconds: float) -> Stretch:
    """Let the prober work for so long."""
    began, before = time.time(), cpu_time(prober.pid)
    time.sleep(seconds)
    return Stretch(began, time.time(), cpu_time(prober.pid) - before)


def cpu_time(pid: int) -> float:
    """CPU that all threads of a process have used (s)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int, *, peak: bool = False) -> float:
    """Memory of a process that is in RAM, now or at most (MB)."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith(name))
    return int(kilobytes) * 1024 / 1e6


@dataclass(frozen=True, slots=True)
class Entry:
    """A probe as the journal has it; Unix times."""

    token: str
    slot: float
    launched: float
    accepted: float | None
    arrived: float | None
    verdict: str | None


def entries(prober: Prober) -> list[Entry]:
    """Everything in the prober's journal."""
    columns = "token, slot, launched, accepted, arrived, verdict"
    with closing(sqlite3.connect(prober.home / "journal.sqlite3")) as journal:
        return [Entry(*row) for row in journal.execute(f"SELECT {columns} FROM probes")]


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the probes of a stretch."""

    stretch: Stretch
    lags: list[float]  # From the slot to the start, of all that were due (s).
    settled: int  # Probes that arrived and were judged in it.
    bad: int  # Those of all that were launched by its end that failed.

    @property
    def rate(self) -> float:
        """Settled probes in a second."""
        return self.settled / self.stretch.seconds

    @property
    def cpu(self) -> float:
        """CPU that the prober used for a settled probe (ms)."""
        return 1000 * self.stretch.cpu / max(1, self.settled)


def account(prober: Prober, stretch: Stretch) -> Account:
    """The account of a stretch, from the journal."""

    def within(moment: float | None) -> bool:
        return moment is not None and stretch.began <= moment < stretch.ended

    found = entries(prober)
    return Account(
        stretch,
        lags=[one.launched - one.slot for one in found if within(one.slot)],
        settled=sum(within(one.arrived) for one in found),
        bad=sum((one.verdict or "good") != "good" for one in found),
    )
