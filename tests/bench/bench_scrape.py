"""What a scrape costs with many routes: time, event-loop stall, size, memory.

Run as `python -m tests.bench.bench_scrape [ROUTES]`.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time

from probe.core.model import Folder, Node, Phase, Reason, Relay, Route, RouteKey
from probe.metrics import Exporter
from probe.ports import Level

ROUNDS = 9


def busy_exporter(routes: int) -> Exporter:
    """An exporter whose routes have all seen something."""
    exporter = Exporter()
    for relay in range(5):
        exporter.add_relay(Relay(name=f"relay{relay}", host="smtp.example", port=587))
    for number in range(routes):
        key = RouteKey(f"relay{number % 5}", f"192.0.2.{number // 5 % 10}", f"s{number // 50}", "m")
        node = Node(key.relay, key.node, key.node, 587)
        exporter.add_node(node)
        exporter.add_route(Route(key, interval=15.0, deadline=60.0, give_up=86400.0))
        for phase in Phase:
            exporter.timed(node, phase, 0.0123)
        exporter.scheduled(key)
        exporter.judged(key, Reason.OVERDUE)
        exporter.delivered(key, Folder.INBOX, 0.1234567, given_up=False)
        exporter.bounced(key, "5.1.1")
        exporter.level(key, Level(1, 1, 0, time.time(), time.time()))
    return exporter


async def longest_stall(until: asyncio.Event) -> float:
    """The longest that the event loop was late for a sleep of 1 ms (s)."""
    worst = 0.0
    while not until.is_set():
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        worst = max(worst, time.perf_counter() - began - 0.001)
    return worst


async def scrape(exporter: Exporter, *, gzipped: bool) -> tuple[float, float, int]:
    """Seconds, stall, bytes of one scrape."""
    done = asyncio.Event()
    stall = asyncio.create_task(longest_stall(done))
    await asyncio.sleep(0.01)
    began = time.perf_counter()
    body, _ = await exporter.scrape("", gzipped=gzipped)
    seconds = time.perf_counter() - began
    done.set()
    return seconds, await stall, len(body)


async def measure(routes: int) -> None:
    """Print the figures."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    exporter = busy_exporter(routes)
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    for gzipped in (False, True):
        rounds = [await scrape(exporter, gzipped=gzipped) for _ in range(ROUNDS)]
        print(
            f"scrape, {routes} routes, {'gzip' if gzipped else 'plain'}:"
            f" median {statistics.median(r[0] for r in rounds) * 1e3:.0f} ms,"
            f" worst {max(r[0] for r in rounds) * 1e3:.0f} ms;"
            f" stall median {statistics.median(r[1] for r in rounds) * 1e3:.1f} ms,"
            f" worst {max(r[1] for r in rounds) * 1e3:.1f} ms; {rounds[0][2] / 1e6:.2f} MB"
        )
    text, _ = await exporter.scrape("", gzipped=False)
    total = sum(1 for line in text.splitlines() if not line.startswith(b"#"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{total} series; memory: {held / 1024:.1f} MB held, {peak / 1024:.1f} MB at the peak")


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
