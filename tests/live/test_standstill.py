"""A prober that stood still for a while, as when its machine is moved, accuses nobody of it."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.onlooker import incidents
from tests.live.prober import Prober, configuration, relay
from tests.live.seasoned import season
from tests.live.world import Network, Pool, World

pytestmark = pytest.mark.timeout(240)

STANDS = 20.0  # s
TIMES = 2
HANDSHAKE = 1.0  # s until a node greets, so that a submission is under way at any moment.


def stand_still(prober: Prober) -> None:
    """Stop the process, and let it go on after a while."""
    os.kill(prober.pid, signal.SIGSTOP)
    try:
        time.sleep(STANDS)
    finally:
        os.kill(prober.pid, signal.SIGCONT)


def newest(prober: Prober) -> dict[str, float]:
    """How many probes have arrived, by node."""
    found: dict[str, float] = {}
    for labels, value in prober.scrape().samples("mailprobe_delivered_total", folder="inbox"):
        found[labels["node"]] = value
    return found


def come_round(prober: Prober) -> None:
    """Return when two more probes have arrived through each node."""
    before = newest(prober)

    def all_came() -> bool:
        now = newest(prober)
        return len(before) == 3 and all(now[node] >= count + 2 for node, count in before.items())

    prober.expect(all_came, "two more have arrived through each node", within=60)


def show(prober: Prober) -> None:
    """It goes on as if nothing had been, and has named nothing."""
    come_round(prober)
    for _ in range(TIMES):
        stand_still(prober)
        come_round(prober)
    assert incidents(prober) == [], prober.log_end()
    scrape = prober.scrape()
    assert scrape.unbalanced() == []
    assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
    assert scrape.sum("mailprobe_imap_up") == 1
    assert "stood still for" in prober.log.read_text()


def test_nobody_is_accused_of_what_a_prober_that_stood_still_did_not_see(world: World) -> None:
    """The relays hang up on it meanwhile, in the middle of a submission."""
    pool = world.run(Pool(world, settings={"smtpd_timeout": "5s"}))
    network = world.run(Network(world))
    proxies = [network.before(node.address, node.port) for node in pool.nodes]
    for proxy in proxies:
        proxy.greet_after(HANDSHAKE)
    nodes = [f"n{n}={one.address}:{one.port}" for n, one in enumerate(proxies, start=1)]
    probers = []
    for interval in ("2s", "15s"):
        defaults = {"interval": interval, "deadline": "60s", "give_up": "10m"}
        settings = configuration(
            pool, instance=f"each{interval}", defaults=defaults,
            relays={"pool": relay(pool, nodes=nodes)},
        )  # fmt: skip
        prober = Prober(world, settings, name=f"each{interval}")
        season(prober.home / "journal.sqlite3", 2000)
        probers.append(world.run(prober))
    with ThreadPoolExecutor() as executor:
        for _ in executor.map(show, probers):
            pass
