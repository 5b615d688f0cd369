"""Limits on real servers: what is in force is shown, and nothing goes beyond it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.live.prober import ROOT, Prober, configuration, relay
from tests.live.world import LOOPBACK, Nsd, Pool, World

pytestmark = pytest.mark.timeout(120)

EVERY_SECOND = {"interval": "1s", "deadline": "8s", "give_up": "10m"}


def healthcheck(url: str) -> int:
    """What a container's health check ends with."""
    command = [sys.executable, "-m", "probe", "healthcheck", "--url", url]
    return subprocess.run(command, cwd=ROOT, timeout=20, stderr=subprocess.DEVNULL).returncode


def intervals(prober: Prober) -> set[float]:
    """The intervals in force."""
    samples = prober.scrape().samples("mailprobe_interval_seconds")
    return {round(value, 1) for _, value in samples}


def skipped(prober: Prober, **labels: str) -> float:
    """Slots that the limits left out."""
    return prober.scrape().sum("mailprobe_skipped_total", cause="rate_limit", **labels)


def sent(prober: Prober) -> float:
    return prober.scrape().sum("mailprobe_sent_total")


def test_slots_are_stretched_and_a_frozen_node_takes_the_only_connection(
    world: World, pool: Pool
) -> None:
    limits = {"per_minute": 60, "connections": 1}
    settings = configuration(
        pool, defaults=EVERY_SECOND, relays={"pool": relay(pool, limits=limits)}
    )
    prober = world.run(Prober(world, settings))
    prober.expect(lambda: intervals(prober) == {3.0}, "three nodes share sixty a minute")
    prober.expect(lambda: sent(prober) >= 6, "the pool delivers")
    assert skipped(prober) == 0, prober.log_end()
    assert healthcheck(f"http://{LOOPBACK}:{prober.port}/-/healthy") == 0
    assert healthcheck(f"http://{LOOPBACK}:{prober.port}/nowhere") == 1
    pool.nodes[0].pause()
    prober.expect(lambda: skipped(prober, node=pool.nodes[1].address) >= 2, "slots are skipped")
    pool.nodes[0].resume()
    before = sent(prober)
    prober.expect(lambda: sent(prober) >= before + 6, "the pool delivers again")
    assert prober.scrape().unbalanced() == []


def test_a_restart_forgets_nothing_that_was_sent(world: World, pool: Pool) -> None:
    settings = configuration(pool, defaults=EVERY_SECOND)
    prober = world.run(Prober(world, settings))
    prober.expect(lambda: sent(prober) >= 15, "much is sent without limits")
    prober.kill()
    relays = {"pool": relay(pool, limits={"per_minute": 15})}
    prober.write({**settings, "relays": relays})
    prober.start()
    prober.expect(lambda: intervals(prober) == {12.1}, "the limit is in force")
    prober.expect(lambda: skipped(prober) >= 2, "the minute is full already", within=40)
    assert sent(prober) == 0


def test_the_mx_of_a_mailbox_limits_it(world: World, pool: Pool) -> None:
    nsd = world.run(Nsd(world, {"corp.test": "@ MX 5 aspmx.l.google.com."}))
    settings = configuration(pool, resolvers=[f"{nsd.address}:{nsd.port}"])
    prober = world.run(Prober(world, settings))
    prober.expect(
        lambda: intervals(prober) == {round(3 * 43.2 / 0.99, 1)}, "2000 a day for three nodes"
    )
    assert "Gmail" in prober.log.read_text()
