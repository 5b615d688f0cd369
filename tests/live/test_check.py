"""`mailprobe check` on real servers: what it says, what it leaves behind, whom it disturbs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.live.prober import RECIPIENT, ROOT, Prober, configuration
from tests.live.world import LOOPBACK, Dovecot, Pool, World, wait_until

pytestmark = pytest.mark.timeout(120)


class Check:
    """One run of the command, in a process of its own."""

    def __init__(self, world: World, settings: dict[str, object], *arguments: str) -> None:
        home = world.folder("check")
        file = home / "mailprobe.yaml"
        # Neither of these may be touched: the journal's folder cannot even be made.
        own = {
            "journal": "/proc/none/journal.sqlite3",
            "web": {"listen": f"{LOOPBACK}:{world.port()}"},
        }
        file.write_text(json.dumps({**own, **settings}))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAILPROBE_")}
        self._began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "probe", "check", "--config", str(file), *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> Check:
        """Wait for its end."""
        self.out, self.err = self._process.communicate(timeout=60)
        self.seconds = time.monotonic() - self._began
        self.code = self._process.returncode
        return self

    def line(self, node: str) -> str:
        """What it says of a node."""
        return next(line for line in self.out.splitlines() if f"/{node}/" in line)


def instances(dovecot: Dovecot) -> set[str]:
    """Whose messages lie in the mailbox."""
    found = set()
    for message in dovecot.delivered(RECIPIENT):
        match = re.search(rb"instance=([^;\s]+)", message.content())
        found.add(match[1].decode() if match else "")
    return found


def test_all_well_and_nothing_is_left_behind(world: World, pool: Pool) -> None:
    check = Check(world, configuration(pool)).end()

    assert check.code == 0, check.out + check.err
    assert [check.line(node.address).split()[0] for node in pool.nodes] == ["ok"] * 3
    assert check.out.splitlines()[-1] == "All is well."
    assert all(line.startswith("warning: ") for line in check.err.splitlines())
    assert pool.dovecot.delivered(RECIPIENT) == []


def test_json_is_the_object_of_the_api(world: World, pool: Pool) -> None:
    check = Check(world, configuration(pool), "--json").end()
    status = json.loads(check.out)

    assert check.code == 0, check.out + check.err
    assert status.keys() == {"state", "since", "components", "routes", "dns"}
    assert status["state"] == "ok"
    assert [route["node"] for route in status["routes"]] == [node.address for node in pool.nodes]
    assert {route["state"] for route in status["routes"]} == {"ok"}


def test_a_stopped_node_and_one_that_holds_mail_are_named(world: World, pool: Pool) -> None:
    good, stopped, holding = pool.nodes
    holding.pause_queue_manager()
    stopped.stop()
    check = Check(world, configuration(pool), "--timeout", "5s").end()

    assert check.code == 1, check.out + check.err
    assert check.line(good.address).startswith("ok ")
    assert check.line(stopped.address).startswith("connect_refused ")
    assert "connect 0." in check.line(stopped.address)
    assert re.match(r"overdue .*accepted, and not there 4\.\d s later", check.line(holding.address))
    assert "ack 0." in check.line(holding.address)
    assert check.seconds < 5 + 5
    assert pool.dovecot.delivered(RECIPIENT) == [], "what came is removed, whatever did not"
    holding.resume_queue_manager()


def test_a_mailbox_that_cannot_be_read_accuses_nobody(world: World, pool: Pool) -> None:
    settings = configuration(pool)
    mailbox = settings["mailboxes"]["corp"]  # type: ignore[index]
    mailbox["imap"]["password"] = "wrong"
    check = Check(world, settings, "--timeout", "4s").end()

    assert check.code == 3, check.out + check.err
    assert {check.line(node.address).split()[0] for node in pool.nodes} == {"unknown"}
    assert "Mailbox corp could not be read: " in check.out.splitlines()[-1]
    assert check.seconds < 4 + 8


def test_beside_a_running_daemon_neither_sees_to_the_mail_of_the_other(
    world: World, pool: Pool
) -> None:
    settings = configuration(pool, defaults={"interval": "1s", "deadline": "8s", "give_up": "10m"})
    daemon = world.run(Prober(world, settings))
    daemon.expect(lambda: daemon.scrape().sum("mailprobe_delivered_total") >= 6, "it delivers")
    checks = [Check(world, settings).end() for _ in range(2)]
    checks += [check.end() for check in [Check(world, settings), Check(world, settings)]]

    assert [check.code for check in checks] == [0] * 4, [check.out for check in checks]
    seen = 3 * len(checks)
    daemon.expect(
        lambda: daemon.scrape().sum("mailprobe_unmatched_total", cause="foreign") > 0,
        "the daemon has seen some of it, for what it is",
    )
    scrape = daemon.scrape()
    assert 0 < scrape.sum("mailprobe_unmatched_total") <= seen
    assert scrape.sum("mailprobe_unmatched_total", cause="foreign") == scrape.sum(
        "mailprobe_unmatched_total"
    )
    assert scrape.sum("mailprobe_probe_failures_total") == 0, daemon.log_end()
    assert scrape.sum("mailprobe_duplicates_total") == 0
    assert scrape.sum("mailprobe_instance_conflict") == 0
    assert scrape.unbalanced() == []
    assert daemon.stop()[0] == 0
    wait_until(lambda: instances(pool.dovecot) == {"live"}, "only the daemon's mail is there")
    kept = len(pool.dovecot.delivered(RECIPIENT))
    assert kept >= scrape.sum("mailprobe_delivered_total"), "all that the daemon saw is there"


def test_an_interruption_ends_it_in_order(world: World, pool: Pool) -> None:
    for node in pool.nodes:
        node.pause_queue_manager()
    check = Check(world, configuration(pool))
    wait_until(lambda: all(node.queue_length() for node in pool.nodes), "its probes are sent")
    check.interrupt()
    check.end()

    assert check.code == 3, check.out + check.err
    assert "Traceback" not in check.err
    assert check.seconds < 15
    for node in pool.nodes:
        node.resume_queue_manager()
