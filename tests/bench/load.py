"""What 1,000 routes cost: CPU, lag of the schedule, scrapes, memory, and how much one can do."""

from __future__ import annotations

import os
import signal
import statistics
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.figure import Figure, at_most, quantile, spelled
from tests.bench.rig import (
    ROUTES,
    Account,
    Sink,
    account,
    configuration,
    observe,
    resident,
)
from tests.live.prober import Prober
from tests.live.world import CertificateAuthority, World

INTERVAL = 15.0  # s; with 1,000 routes these are 67 probes a second.
CPU_AIM = 2.2  # ms
SCRAPES = 15
# As Prometheus asks.
ACCEPT = {
    "Accept": "application/openmetrics-text;version=1.0.0,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}
RATES = range(100, 900, 50)  # Probes a second that are tried.


class Watched(Prober):
    """A prober whose event loop can be watched."""

    command = ("-m", "tests.bench.watched")

    def watch(self) -> None:
        """From now on its stalls are written down."""
        os.kill(self.pid, signal.SIGUSR1)
        self.expect((self.home / "stalls").exists, "its event loop is watched")

    def stall(self, began: float, ended: float) -> float:
        """The longest stall between two moments of the monotonic clock (s)."""
        lines = (self.home / "stalls").read_text().splitlines()
        stalls = [(float(when), float(late)) for when, late in map(str.split, lines)]
        return max(
            (late for when, late in stalls if began <= when + late and when <= ended), default=0.0
        )


@dataclass(frozen=True, slots=True)
class Scrape:
    """A scrape, seen from outside."""

    seconds: float
    stall: float
    size: int  # Bytes, compressed.


def thousand_routes(world: World) -> Iterator[Figure]:
    """1,000 routes at 15 s."""
    prober = world.run(Watched(world, configuration(world.run(Sink(world)), INTERVAL)))
    time.sleep(INTERVAL)
    stretch = observe(prober, 30.0)
    scrapes = list(_scrapes(prober))
    memory, peak = resident(prober.pid), resident(prober.pid, peak=True)
    prober.stop()
    found = account(prober, stretch)
    yield _cpu(f"CPU for a probe, {found.rate:.0f} a second", found)
    yield _lag(f"lag of the schedule, {ROUTES:,} routes at 15 s", found)
    yield from _of_scrapes(scrapes)
    yield at_most(f"resident memory, {ROUTES:,} routes", memory, 180, "MB", f"peak {peak:.0f} MB")


def starttls(world: World) -> Iterator[Figure]:
    """The same load with STARTTLS, a new handshake for each probe."""
    authority = CertificateAuthority(world.folder("authority"))
    sink = world.run(Sink(world, authority.issue("relay.test")))
    settings = configuration(sink, INTERVAL, str(authority.ca_file))
    found = _loaded(world, settings, warm_up=5.0, seconds=15.0)
    yield _cpu(f"CPU for a probe with STARTTLS, {found.rate:.0f} a second", found)


def sustained(world: World) -> Iterator[Figure]:
    """The highest rate at which nothing is skipped or late, by bisection."""
    low, high, best = 0, len(RATES), None
    while low < high:
        middle = (low + high) // 2
        with World() as ground:
            sink = ground.run(Sink(ground))
            settings = configuration(sink, ROUTES / RATES[middle])
            found = _loaded(ground, settings, warm_up=4.0, seconds=6.0)
        if _is_sustained(found, RATES[middle]):
            low, best = middle + 1, found
        else:
            high = middle
    if best is None:
        yield Figure("probes a second that one process sustains", f"less than {RATES[0]}")
        return
    note = f"lag p99 {spelled(1000 * quantile(best.lags, 0.99))} ms"
    yield Figure("probes a second that one process sustains", f"{best.rate:.0f} ({note})")
    yield at_most("CPU for a probe at that rate", best.cpu, CPU_AIM, "ms")


def _loaded(
    world: World, settings: dict[str, object], *, warm_up: float, seconds: float
) -> Account:
    prober = world.run(Prober(world, settings))
    time.sleep(warm_up)
    stretch = observe(prober, seconds)
    prober.stop()
    return account(prober, stretch)


def _is_sustained(found: Account, rate: int) -> bool:
    on_time = quantile(found.lags, 0.99) < 0.05
    return on_time and not found.bad and found.rate > 0.98 * rate


def _cpu(what: str, found: Account) -> Figure:
    # No aim: between probes that come one by one the process falls asleep, and waking costs most.
    if found.bad:
        return Figure(what, f"{found.bad} probes were not good", failed=True)
    return Figure(what, f"{spelled(found.cpu)} ms")


def _lag(what: str, found: Account) -> Figure:
    p50, p99 = (1000 * quantile(found.lags, share) for share in (0.5, 0.99))
    worst = 1000 * max(found.lags)
    note = f"p50 {spelled(p50)} ms, worst {worst:.0f} ms of {len(found.lags):,}"
    return at_most(f"{what}: p99", p99, 50, "ms", note)


def _scrapes(prober: Watched) -> Iterator[Scrape]:
    prober.watch()
    for _ in range(SCRAPES):
        time.sleep(0.5)
        request = urllib.request.Request(f"http://127.0.0.1:{prober.port}/metrics", headers=ACCEPT)
        began = time.monotonic()
        with urllib.request.urlopen(request, timeout=10) as answer:
            size = len(answer.read())
        ended = time.monotonic()
        time.sleep(0.1)
        yield Scrape(ended - began, prober.stall(began, ended), size)


def _of_scrapes(scrapes: list[Scrape]) -> Iterator[Figure]:
    for what, aim, took in (
        (f"scrape, {ROUTES:,} routes", 100, [one.seconds for one in scrapes]),
        ("stall of the event loop by it", 25, [one.stall for one in scrapes]),
    ):
        note = f"worst of {len(took)}: {1000 * max(took):.0f} ms"
        yield at_most(f"{what}: median", 1000 * statistics.median(took), aim, "ms", note)
