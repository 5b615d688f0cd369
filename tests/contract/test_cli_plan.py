"""`plan` and `healthcheck` as users meet them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from threading import Thread
from typing import Any

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


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What it says to programs."""
    file = str(tmp_path_factory.mktemp("plan") / "mailprobe.yaml")
    code, out, err = with_dns(file, "--config", file, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_plan_for_programs(found: Any) -> None:
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
    assert found["limits_per_day"] == {"relays": {"pool": 14400}, "mailboxes": {"mail": 2000}}
    assert found["series"] > 6 * len(CATALOGUE)
    assert 0.0005 < found["cpu_cores"] < 0.002
    assert 97e6 < found["memory_bytes"] < 120e6
    assert found["warnings"] == [
        "Relay pool takes 14400 messages a day, and 17280 are planned: its slots are stretched,"
        " to one in 18.2 s on each route.",
        "Mailbox mail (it is at Gmail) takes 2000 messages a day, and 4320 are planned: its slots"
        " are stretched, to one in 131 s on each route.",
        "The limit of relay pool leaves 0 of the 12 messages a minute that a suspicion is"
        " confirmed with: faults are named later.",
        "The limit of mailbox mail leaves 20 messages a day for confirmation probes, and the times"
        " here do not count with that: once they are used up, faults are named later.",
    ]
    assert found["notes"] == [
        "Relay gone counts as one node: gone.test has no addresses.",
    ]


def test_the_plan_says_how_soon_each_fault_of_each_relay_is_named(found: Any) -> None:
    by_fault = {(one["relay"], one["kind"], one["fault"]): one for one in found["detection"]}

    assert ("pool", "node", "holds") in by_fault and ("pool", "relay", "stopped") in by_fault
    assert ("gone", "relay", "refuses_quarter") in by_fault, "a single node is its relay"
    assert ("", "mailbox", "unreadable") in by_fault and ("", "prober", "cut_off") in by_fault
    for one in by_fault.values():
        assert set(one) == {"kind", "relay", "fault", "balancing", "named", "confirmed"}
        assert 0.0 < one["named"]["mean"] <= one["named"]["p95"]
        assert one["named"]["mean"] <= one["confirmed"]["mean"]
    assert any("Assumed: mail takes 0.05 s" in line for line in found["assumptions"])
    assert any("mail, at large providers" in line for line in found["assumptions"])


def test_the_plan_for_people(file: str) -> None:
    code, out, _ = with_dns(file, "--config", file)

    assert code == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines()]
    assert ["relay", "pool", "17280", "14256", "14400"] in rows
    assert ["mailbox", "mail", "4320", "1980", "2000"] in rows
    assert ["provider", "Gmail", "4320", "1980", "2000"] in rows
    assert ["pool", "shop", "corp", "3", "15 s", "18.2 s"] in rows
    assert any(row[:1] == ["gone"] and "the relay" in row[1] for row in rows)
    text = " ".join(out.split())
    assert "series at each scrape; about" in text and "MB of memory" in text
    assert "its slots are stretched, to one in 18.2 s" in text
    assert "Times are from the beginning of a fault" in text
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
