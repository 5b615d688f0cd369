"""`mailprobe check` on real servers: what it says, what it leaves behind, whom it disturbs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.live.dns_world import txt
from tests.live.prober import RECIPIENT, ROOT, SENDER, Prober, configuration, relay
from tests.live.world import LOOPBACK, Dovecot, Nsd, Pool, World, wait_until

pytestmark = pytest.mark.timeout(120)

STARTING = 30.0  # s that a busy machine may take to start a process and to end it.


class Check:
    """One run of the command, in a process of its own."""

    def __init__(self, world: World, settings: dict[str, object], *arguments: str) -> None:
        home = world.folder("check")
        file = home / "mailprobe.yaml"
        # Neither of these may be touched: the journal's folder cannot even be made.
        own = {
            "resolvers": [f"{LOOPBACK}:9"],  # Nobody: no question leaves this machine.
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
    senders = {"shop": {"address": SENDER, "dns": "false"}}
    check = Check(world, configuration(pool, senders=senders)).end()

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
    kinds = Counter(component["kind"] for component in status["components"])
    assert kinds == {"prober": 1, "relay": 1, "node": 3, "sender": 1, "mailbox": 1}
    assert {component["state"] for component in status["components"]} == {"ok"}


def test_a_stopped_node_and_one_that_holds_mail_are_named(world: World, pool: Pool) -> None:
    good, stopped, holding = pool.nodes
    holding.pause_queue_manager()
    stopped.stop()
    check = Check(world, configuration(pool), "--timeout", "5s").end()

    assert check.code == 1, check.out + check.err
    assert check.line(good.address).startswith("ok ")
    assert check.line(stopped.address).startswith("connect_refused ")
    assert "connect 0." in check.line(stopped.address)
    assert re.match(
        r"overdue .*accepted, and not there \d\.\d s later", check.line(holding.address)
    )
    assert "ack 0." in check.line(holding.address)
    for node, fault in ((stopped, "unreachable"), (holding, "holding")):
        assert f"This points at node pool/{node.address} ({fault})." in check.out.splitlines()[-1]
    assert check.seconds < 5 + STARTING
    assert pool.dovecot.delivered(RECIPIENT) == [], "what came is removed, whatever did not"
    holding.resume_queue_manager()


def test_all_nodes_of_a_name_are_known_before_the_probes_go_out(world: World, pool: Pool) -> None:
    records = "\n".join(f"smtp A {node.address}" for node in pool.nodes)
    nsd = world.run(Nsd(world, {"pool.test": records}))
    named = relay(pool, host="smtp.pool.test", port=pool.port, nodes="a")
    nameless = relay(pool, host="nobody.pool.test", port=pool.port, nodes="a")
    check = Check(
        world,
        configuration(
            pool,
            relays={"pool": named, "other": nameless},
            resolvers=[f"{nsd.address}:{nsd.port}"],
        ),
    ).end()

    assert check.code == 1, check.out + check.err
    assert [check.line(node.address).split()[0] for node in pool.nodes] == ["ok"] * 3
    assert check.line("nobody.pool.test").startswith("dns_error ")


def test_a_mailbox_that_cannot_be_read_accuses_nobody(world: World, pool: Pool) -> None:
    settings = configuration(pool)
    mailbox = settings["mailboxes"]["corp"]  # type: ignore[index]
    mailbox["imap"]["password"] = "wrong"
    check = Check(world, settings, "--timeout", "4s").end()

    assert check.code == 3, check.out + check.err
    assert {check.line(node.address).split()[0] for node in pool.nodes} == {"unknown"}
    assert "Mailbox corp could not be read: " in check.out.splitlines()[-1]
    assert check.seconds < 4 + STARTING


def test_beside_a_running_daemon_neither_sees_to_the_mail_of_the_other(
    world: World, pool: Pool
) -> None:
    settings = configuration(pool, defaults={"interval": "1s", "deadline": "40s", "give_up": "10m"})
    daemon = world.run(Prober(world, settings))
    daemon.expect(lambda: daemon.scrape().sum("mailprobe_delivered_total") >= 6, "it delivers")
    checks = [Check(world, settings).end()]
    checks += [check.end() for check in [Check(world, settings), Check(world, settings)]]

    assert [check.code for check in checks] == [0] * 3, [check.out for check in checks]
    assert instances(pool.dovecot) == {"live"}, "only the daemon's mail is there"
    pool.nodes[2].pause_queue_manager()
    held = Check(world, settings, "--timeout", "4s").end()
    assert held.code == 1, held.out
    pool.nodes[2].resume_queue_manager()

    def foreign() -> float:
        return daemon.scrape().sum("mailprobe_unmatched_total", cause="foreign")

    daemon.expect(lambda: foreign() >= 1, "what came when the check was over is seen as foreign")
    scrape = daemon.scrape()
    assert scrape.sum("mailprobe_unmatched_total") == scrape.sum(
        "mailprobe_unmatched_total", cause="foreign"
    )
    for count in ("probe_failures", "probes_unknown", "duplicates", "lost"):
        assert scrape.sum(f"mailprobe_{count}_total") == 0, f"{count}\n{daemon.log_end()}"
    assert scrape.sum("mailprobe_instance_conflict") == 0
    assert scrape.unbalanced() == []
    assert daemon.stop()[0] == 0
    left = {instance.partition("-")[0] for instance in instances(pool.dovecot)}
    assert left == {"live", "live/check"}, "the daemon does not touch what is not its own"
    kept = len(pool.dovecot.delivered(RECIPIENT))
    assert kept > scrape.sum("mailprobe_delivered_total"), "all that the daemon saw is there"


def test_an_interruption_ends_it_in_order(world: World, pool: Pool) -> None:
    for node in pool.nodes:
        node.pause_queue_manager()
    check = Check(world, configuration(pool))
    wait_until(
        lambda: all(node.queue_length() for node in pool.nodes), "its probes are sent", within=30
    )
    check.interrupt()
    check.end()

    assert check.code == 3, check.out + check.err
    assert "Traceback" not in check.err
    assert check.seconds < STARTING
    for node in pool.nodes:
        node.resume_queue_manager()


def test_the_dns_of_the_senders_is_checked_too(world: World, pool: Pool) -> None:
    spf = txt("@", "v=spf1 +all")
    nsd = world.run(Nsd(world, {"shop.test": f"@ MX 10 mail\nmail A 127.0.0.1\n{spf}"}))
    settings = configuration(pool, resolvers=[f"{LOOPBACK}:{nsd.port}"])
    check = Check(world, settings).end()

    assert check.code == 0, check.out + check.err  # It was never well: a finding, and no fault.
    assert re.search(r"^ok +mx +shop\.test", check.out, re.MULTILINE)
    assert re.search(r"^fail +spf +shop\.test", check.out, re.MULTILINE)
    assert check.out.splitlines()[-1].startswith("All routes are well. The DNS of shop.test is not")
    [domain] = json.loads(Check(world, settings, "--json").end().out)["dns"]
    assert (domain["domain"], domain["state"]) == ("shop.test", "fail")
    assert {one["check"] for one in domain["checks"]} >= {"mx", "spf", "dmarc", "ns"}
