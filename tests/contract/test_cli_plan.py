"""`plan` and `healthcheck` as users meet them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from threading import Thread

import pytest

from probe.metrics import CATALOGUE
from tests.contract.test_cli import mailprobe
from tests.dns_server import records, scripted_dns

FILE = """\
tag_key: 0123456789abcdef
resolvers: [127.0.0.1:{dns}]
relays:
  pool: {{host: pool.test, nodes: a, limits: {{per_minute: 10}}}}
  spare: {{host: spare.test, nodes: [a=192.0.2.1, b=192.0.2.2]}}
  gone: {{host: gone.test, nodes: a}}
senders: {{shop: {{address: probe@shop.example}}}}
mailboxes:
  corp: {{address: probe@corp.test, imap: {{host: imap.test, username: u, password: hunter2}}}}
  mail: {{address: probe@own.test, imap: {{host: imap.test, username: u, password: hunter2}}}}
routes:
  - {{relay: pool, mailbox: corp}}
  - {{relay: spare, mailbox: mail, interval: 60s}}
  - {{relay: gone, mailbox: mail, interval: 60s}}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "mailprobe.yaml")


def with_dns(file: str, *arguments: str) -> tuple[int, str, str]:
    """The program's end, while a DNS server answers."""

    async def serve() -> tuple[int, str, str]:
        async with scripted_dns() as server:
            addresses = [f"pool.test 60 A 192.0.2.{number}" for number in (11, 12, 13)]
            server.script("pool.test", a=records(*addresses), aaaa=records())
            server.scripts["own.test", "MX"] = records("own.test 60 MX 1 aspmx.l.google.com.")
            ends = []

            def play() -> None:
                Path(file).write_text(FILE.format(dns=server.port))
                ends.append(mailprobe("plan", *arguments))

            thread = Thread(target=play)
            thread.start()
            while thread.is_alive():  # noqa: ASYNC110 - a thread has no event for its end.
                await asyncio.sleep(0.01)
            return ends[0].returncode, ends[0].stdout, ends[0].stderr

    return asyncio.run(serve())


def test_the_plan_for_programs(file: str) -> None:
    code, out, err = with_dns(file, "--config", file, "--json")
    found = json.loads(out)

    assert (code, err) == (0, "")
    assert found["messages_per_day"]["relays"] == {"pool": 14256, "spare": 1320, "gone": 660}
    assert found["messages_per_day"]["senders"] == {"shop": 16236}
    assert found["messages_per_day"]["mailboxes"] == {"corp": 14256, "mail": 1980}
    assert found["messages_per_day"]["providers"] == {"Gmail": 1980}
    assert found["messages_per_day"]["total"] == 16236
    assert [(route["relay"], route["node"]) for route in found["routes"]] == [
        *(("pool", f"192.0.2.{number}") for number in (11, 12, 13)),
        *(("spare", name) for name in "ab"),
        ("gone", "gone.test"),
    ]
    pool = found["routes"][0]
    assert (pool["interval"], pool["interval_planned"]) == (18.182, 15.0)
    assert pool["detection"] == {"mean": 15.5, "p95": 24.2}
    assert found["series"] > 6 * len(CATALOGUE)
    assert found["notes"] == [
        "Relay gone counts as one node: gone.test has no addresses.",
    ]


def test_the_plan_for_people(file: str) -> None:
    code, out, _ = with_dns(file, "--config", file)

    assert code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    assert ["relay", "pool", "14256", ""] in rows
    assert ["mailbox", "mail", "1980", "2000"] in rows
    assert ["pool", "shop", "corp", "3", "15 s", "18.2 s", "16 s", "24 s"] in rows
    assert "estimates" in out and "series at each scrape" in out
    assert "gone.test has no addresses" in out
    assert "hunter2" not in out


def test_a_bad_file_has_no_plan(file: str) -> None:
    Path(file).write_text("relays: {}\n")
    end = mailprobe("plan", "--config", file)

    assert (end.returncode, end.stdout) == (2, "")


def test_a_health_check_of_nobody_fails_with_the_reason() -> None:
    for end in (
        mailprobe("healthcheck", "--url", "http://127.0.0.1:1/"),
        mailprobe("healthcheck", MAILPROBE_HEALTHCHECK_URL="http://127.0.0.1:1/"),
    ):
        assert (end.returncode, end.stdout) == (1, "")
        assert end.stderr.startswith("mailprobe: http://127.0.0.1:1/: ")
