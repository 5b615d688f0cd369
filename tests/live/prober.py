"""The prober as its users run it: a process of its own, looked at from outside."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.live.world import LOOPBACK, PASSWORD, Pool, World, wait_until

ROOT = Path(__file__).resolve().parents[2]
RECIPIENT = "probe@corp.test"
SENDER = "probe@shop.test"
KEY = "a key that only tests use"

Labels = dict[str, str]


def configuration(pool: Pool, **changes: object) -> dict[str, object]:
    """A configuration for a pool in clear text; `changes` replaces or adds whole sections."""
    return {
        "instance": "live",
        "tag_key": KEY,
        "defaults": {"interval": "2s", "deadline": "8s", "give_up": "10m"},
        "relays": {"pool": relay(pool)},
        "senders": {"shop": {"address": SENDER}},
        "mailboxes": {"corp": mailbox(pool)},
        **changes,
    }


def relay(pool: Pool, **changes: object) -> dict[str, object]:
    """A relay whose nodes are those of the pool."""
    nodes = [f"{node.address}:{node.port}" for node in pool.nodes]
    return {"host": "pool.test", "tls": "none", "helo": "prober.test", "nodes": nodes, **changes}


def mailbox(pool: Pool, address: str = RECIPIENT, **changes: object) -> dict[str, object]:
    """A mailbox of the pool's Dovecot, read in clear text."""
    imap = {
        "host": LOOPBACK,
        "port": pool.dovecot.imap_port,
        "tls": "none",
        "username": address,
        "password": PASSWORD,
    }
    return {"address": address, "imap": imap, **changes}


class Prober:
    """One prober process with its configuration, journal and log in a directory of its own."""

    command = ("-m", "probe", "run", "--config")

    def __init__(self, world: World, settings: dict[str, object], *, name: str = "prober") -> None:
        self.home = world.folder(name)
        self.log = self.home / "log"
        self.port = world.port()
        self.file = self.home / "mailprobe.yaml"
        self.write(settings)
        self._process: subprocess.Popen[bytes] | None = None

    def write(self, settings: dict[str, object]) -> None:
        """Write the configuration, with the journal and the pages where they belong."""
        own: dict[str, object] = {
            "journal": f"{self.home}/journal.sqlite3",
            "web": {"listen": f"{LOOPBACK}:{self.port}"},
            "resolvers": [f"{LOOPBACK}:9"],  # Nobody: no question leaves this machine.
        }
        self.file.write_text(json.dumps({**own, **settings}, indent=1))

    def start(self) -> None:
        """Start, and return when its pages answer."""
        self.launch()
        self.expect(self._answers, "its pages answer")

    def launch(self) -> None:
        """Start without waiting."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILPROBE_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.command, str(self.file)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> tuple[int, float]:
        """End it as a service manager would: its exit code, and the seconds that it took."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=20)
        self._process = None
        return code, time.monotonic() - began

    def wait(self) -> int:
        """Its exit code, when it ends by itself."""
        assert self._process is not None
        return self._process.wait(timeout=20)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def get(self, path: str) -> str:
        """A page."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())

    def status(self) -> dict[str, object]:
        """What `/api/v1/status` says."""
        return dict(json.loads(self.get("/api/v1/status")))

    def scrape(self) -> Scrape:
        """All metrics at one moment."""
        return Scrape(self.get("/metrics"))

    def evidence(self, node: str) -> str:
        """What the status page says about the routes of a node, in words."""
        lines = [line for line in self.get("/").split("<li>") if f"<b>{node}</b>" in line]
        found = re.findall(r'<p class="evidence">(.*?)</p>', "".join(lines))
        return html.unescape("\n".join(found))

    def expect(self, condition: object, what: str, *, within: float = 30.0) -> None:
        """Return as soon as the condition holds; the error ends with the prober's log."""
        assert callable(condition)
        try:
            wait_until(condition, what, within=within)
        except TimeoutError as late:
            raise AssertionError(f"{late}\n{self.log_end()}") from None

    def log_end(self) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the prober ended by itself\n{self.log_end()}")
        return self._responds()

    def _responds(self) -> bool:
        try:
            return bool(self.get("/-/healthy"))
        except (urllib.error.URLError, OSError):
            return False


class Scrape:
    """The metrics of one moment."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def sum(self, name: str, **labels: str) -> float:
        """The sum of the samples with this name and these labels."""
        return sum(value for _, value in self.samples(name, **labels))

    def samples(self, name: str, **labels: str) -> Iterator[tuple[Labels, float]]:
        """The samples with this name and these labels."""
        for sample in self._samples:
            matching = all(sample.labels.get(key) == value for key, value in labels.items())
            if sample.name == name and matching:
                yield sample.labels, sample.value

    def unbalanced(self) -> list[str]:
        """The routes whose account does not add up."""
        wrong = []
        for labels, scheduled in self.samples("mailprobe_scheduled_total"):
            skipped = self.sum("mailprobe_skipped_total", **labels)
            probes = self.sum("mailprobe_probes_total", **labels)
            unknown = self.sum("mailprobe_probes_unknown_total", **labels)
            undecided = self.sum("mailprobe_undecided", **labels)
            if scheduled - skipped != probes + unknown + undecided:
                wrong.append(
                    f"{labels}: {scheduled} - {skipped} != {probes} + {unknown} + {undecided}"
                )
        return wrong
