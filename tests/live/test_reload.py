"""The configuration changes while everything runs, and nothing is lost or counted twice."""

from __future__ import annotations

import copy
import hashlib
import os
import re
import signal
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.certificates import CertificateAuthority
from tests.live.prober import KEY, Prober, Scrape, configuration, relay
from tests.live.world import LOOPBACK, Pool, World

pytestmark = pytest.mark.timeout(180)

OTHER_KEY = "another key that only tests use"
QUICK = {"interval": "1s", "deadline": "8s", "give_up": "10m"}
RELOADED = "mailprobe_config_last_reload_successful"


def settings(pool: Pool, **changes: Any) -> dict[str, Any]:
    boxes = {"corp": mailbox(pool, "corp")}
    return copy.deepcopy(configuration(pool, **{"defaults": QUICK, "mailboxes": boxes, **changes}))


def mailbox(pool: Pool, name: str, **changes: Any) -> dict[str, Any]:
    """A mailbox of this test's own: the world's Dovecot takes any name."""
    test = hashlib.sha256(os.environ["PYTEST_CURRENT_TEST"].split(" ")[0].encode()).hexdigest()
    address = f"{name}-{test[:8]}@corp.test"
    imap = {
        "host": LOOPBACK,
        "port": pool.dovecot.imap_port,
        "tls": "none",
        "username": address,
        "password": "secret",
    }
    return {"address": address, "imap": imap, **changes}


def post(prober: Prober) -> tuple[int, str]:
    """What `POST /-/reload` answers."""
    url = f"http://{LOOPBACK}:{prober.port}/-/reload"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=20) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def reload(prober: Prober, changed: dict[str, Any]) -> None:
    prober.write(changed)
    assert post(prober) == (200, "reloaded\n"), prober.log_end()


def hang_up(prober: Prober, *, well: bool) -> None:
    """SIGHUP, and wait until it has been followed."""
    before = prober.log.read_text().count("configuration")
    os.kill(prober.pid, signal.SIGHUP)
    prober.expect(lambda: prober.log.read_text().count("configuration") > before, "it is told")
    assert prober.scrape().sum(RELOADED) == float(well)


def counters(scrape: Scrape) -> dict[str, float]:
    """Every counter of ours that is shown, by its name and labels."""
    lines = (line.rpartition(" ") for line in scrape.text.splitlines())
    return {
        series: float(value)
        for series, _, value in lines
        if series.startswith("mailprobe_") and "_total{" in series
    }


def memory(prober: Prober) -> int:
    """Resident memory (KiB)."""
    status = Path(f"/proc/{prober.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.M)
    assert found
    return int(found[1])


def delivered(scrape: Scrape, **labels: str) -> float:
    return scrape.sum("mailprobe_delivered_total", **labels)


def readers(prober: Prober, pool: Pool) -> int:
    """Connections from the prober to the IMAP server."""
    sockets = {os.fspath(each.readlink()) for each in Path(f"/proc/{prober.pid}/fd").iterdir()}
    port = f":{pool.dovecot.imap_port:04X}"
    connections = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        fields[2].endswith(port) and f"socket:[{fields[9]}]" in sockets for fields in connections
    )


@pytest.fixture
def prober(world: World, calm_pool: Pool) -> Prober:
    return world.run(Prober(world, settings(calm_pool)))


def test_a_hundred_reloads_under_load_lose_nothing(prober: Prober, calm_pool: Pool) -> None:
    prober.expect(lambda: delivered(prober.scrape()) >= 6, "the pool delivers")
    began = memory(prober)
    scrapes = [prober.scrape()]
    for number, changed in enumerate(_changes(calm_pool, 100)):
        prober.write(changed)
        code, said = post(prober)
        good = number % 2 == 0
        assert code == (200 if good else 400), said
        scrapes.append(prober.scrape())
        assert scrapes[-1].sum(RELOADED) == float(good)
        assert scrapes[-1].unbalanced() == []
    for before, after in pairwise(scrapes):
        later = counters(after)
        for series, value in counters(before).items():
            assert later.get(series, value) >= value, series
    reload(prober, settings(calm_pool))
    sent = prober.scrape().sum("mailprobe_sent_total")
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_sent_total") >= sent + 6, "it sends as before"
    )

    def quiet() -> bool:
        scrape = prober.scrape()
        return scrape.sum("mailprobe_in_flight") <= 3 and not scrape.sum("mailprobe_overdue")

    prober.expect(quiet, "what was in flight has arrived")
    scrape = prober.scrape()
    assert scrape.unbalanced() == []
    assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
    assert scrape.sum("mailprobe_lost_total") == 0
    assert scrape.sum("mailprobe_duplicates_total") == 0
    assert scrape.sum("mailprobe_unmatched_total") == 0
    broken = [line for line in prober.log.read_text().splitlines() if "Traceback" in line]
    assert scrape.sum("mailprobe_loop_errors_total") == len(broken) == 0, broken
    assert memory(prober) - began < 15_000, "KiB in a hundred reloads"
    assert prober.stop()[1] < 5


def _changes(pool: Pool, count: int) -> Iterator[dict[str, Any]]:
    """Good and bad configurations in turn, each good one other than the one before."""
    for number in range(count):
        changed = settings(pool)
        match number % 8:
            case 0:
                changed["defaults"]["interval"] = "2s"
            case 2:
                changed["mailboxes"]["more"] = mailbox(pool, "more")
            case 4:
                changed["relays"]["single"] = relay(
                    pool, nodes=changed["relays"]["pool"]["nodes"][:1]
                )
            case 6:
                changed["senders"]["shop"]["address"] = "other@shop.test"
                changed["log"] = {"level": "debug", "format": "json"}
                changed["mailboxes"]["corp"]["keep"] = "2h"
            case 1:
                changed["relays"] = {}
            case 3:
                changed["journal"] = "/tmp/elsewhere.sqlite3"
            case 5:
                changed["surprise"] = True
            case _:
                changed["mailboxes"]["corp"]["imap"]["password"] = {"file": "/nowhere"}
        yield changed


def test_a_key_is_rotated_without_one_bad_mac(prober: Prober, calm_pool: Pool) -> None:
    prober.expect(lambda: delivered(prober.scrape()) >= 6, "the pool delivers")
    for keys in ([OTHER_KEY, KEY], [OTHER_KEY]):
        reload(prober, settings(calm_pool, tag_key=keys))
        arrived = delivered(prober.scrape())
        prober.expect(
            lambda least=arrived + 9: delivered(prober.scrape()) >= least,
            "everything signed before has arrived",
        )
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_unmatched_total") == 0
    assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
    assert scrape.unbalanced() == []


def test_a_relay_comes_and_goes(world: World, pool: Pool) -> None:
    prober = world.run(Prober(world, settings(pool)))
    prober.expect(lambda: delivered(prober.scrape()) >= 6, "the pool delivers")
    relays = {
        "pool": relay(pool),
        "single": relay(pool, nodes=[f"one={pool.nodes[0].address}:{pool.nodes[0].port}"]),
    }
    reload(prober, settings(pool, relays=relays))
    prober.expect(lambda: delivered(prober.scrape(), relay="single") >= 3, "it delivers")
    pool.nodes[0].pause_queue_manager()
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_undecided", relay="single") >= 2, "it holds"
    )
    reload(prober, settings(pool))
    scrape = prober.scrape()
    assert scrape.unbalanced() == []
    assert scrape.sum("mailprobe_undecided", relay="single") == 0
    assert scrape.sum("mailprobe_in_flight", relay="single") == 0
    assert not [*scrape.samples("mailprobe_interval_seconds", relay="single")]
    assert not [*scrape.samples("mailprobe_relay_info", relay="single")]
    assert prober.log.read_text().count("unknown(config)") >= 2
    pool.nodes[0].resume_queue_manager()
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_overdue") == 0, "what was held has arrived"
    )
    reload(prober, settings(pool, relays=relays))

    def all_have_arrived() -> bool:
        scrape = prober.scrape()
        sent = scrape.sum("mailprobe_sent_total", relay="single")
        in_flight = scrape.sum("mailprobe_in_flight", relay="single")
        return sent > in_flight and sent - in_flight == delivered(scrape, relay="single")

    prober.expect(all_have_arrived, "those of the relay that was gone have been counted too")
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_unmatched_total") == 0
    assert scrape.sum("mailprobe_probe_failures_total", relay="single") == 0
    assert scrape.unbalanced() == []


def test_a_mailbox_comes_and_goes(prober: Prober, calm_pool: Pool) -> None:
    prober.expect(lambda: delivered(prober.scrape()) >= 6, "the pool delivers")
    before = readers(prober, calm_pool)
    both = settings(calm_pool)
    both["mailboxes"]["more"] = mailbox(calm_pool, "more")
    reload(prober, both)
    prober.expect(lambda: delivered(prober.scrape(), mailbox="more") >= 6, "it is read")
    reload(prober, settings(calm_pool))
    scrape = prober.scrape()
    assert not [*scrape.samples("mailprobe_imap_up", mailbox="more")]
    assert scrape.sum("mailprobe_in_flight", mailbox="more") == 0
    prober.expect(lambda: readers(prober, calm_pool) == before, "nobody reads there")
    last = delivered(prober.scrape(), mailbox="more")
    assert last >= 6, "its last numbers can still be scraped"
    reload(prober, both)
    arrived = delivered(prober.scrape(), mailbox="more")
    assert arrived >= last, "its counters go on"
    prober.expect(
        lambda: delivered(prober.scrape(), mailbox="more") >= arrived + 6, "it is read again"
    )
    assert prober.scrape().sum("mailprobe_probe_failures_total") == 0, prober.log_end()


def test_a_bad_file_on_sighup_changes_nothing(prober: Prober, calm_pool: Pool) -> None:
    prober.expect(lambda: delivered(prober.scrape()) >= 3, "the pool delivers")
    prober.write(settings(calm_pool, relays={}, surprise=1))
    hang_up(prober, well=False)
    assert "relays: is missing" in prober.log_end()
    assert "surprise: unknown key" in prober.log_end()
    arrived = delivered(prober.scrape())
    prober.expect(lambda: delivered(prober.scrape()) >= arrived + 6, "it goes on")
    prober.write(settings(calm_pool))
    hang_up(prober, well=True)
    assert prober.scrape().sum("mailprobe_probe_failures_total") == 0


def test_what_needs_a_restart_is_said(prober: Prober, calm_pool: Pool) -> None:
    web = {"listen": f"{LOOPBACK}:1"}
    prober.write(settings(calm_pool, journal="/tmp/other.sqlite3", instance="other", web=web))
    code, said = post(prober)
    assert code == 400
    wrong = "cannot change while mailprobe runs: it needs a restart"
    assert [line.removeprefix(f"{prober.file}: ") for line in said.splitlines()] == [
        f"{key}: {wrong}" for key in ("instance", "journal", "web.listen")
    ]
    assert prober.scrape().sum(RELOADED) == 0


def test_a_login_and_tls_can_be_switched_on(
    prober: Prober, calm_pool: Pool, tmp_path: Path
) -> None:
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue(LOOPBACK)
    listening = {"listen": f"{LOOPBACK}:{prober.port}"}
    guarded = {**listening, "basic_auth": {"username": "ops", "password": "hunter2"}}
    reload(prober, settings(calm_pool, web=guarded))
    with pytest.raises(urllib.error.HTTPError, match="401"):
        prober.get("/metrics")
    assert prober.get("/-/healthy") == "healthy\n"
    assert post(prober)[0] == 401

    files = {"cert_file": str(issued.chain_file), "key_file": str(issued.key_file)}
    prober.write(settings(calm_pool, web={**listening, "tls": files}))
    os.kill(prober.pid, signal.SIGHUP)
    trusting = ssl.create_default_context(cafile=authority.ca_file)

    def answers() -> bool:
        try:
            url = f"https://{LOOPBACK}:{prober.port}/metrics"
            with urllib.request.urlopen(url, timeout=10, context=trusting) as answer:
                return bool(Scrape(answer.read().decode()).sum(RELOADED))
        except OSError:
            return False

    prober.expect(answers, "the metrics are there over TLS, without a login")
