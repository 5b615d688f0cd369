"""A relay's nodes follow its name, through the whole prober and a real name server."""

from __future__ import annotations

import pytest

from tests.live.prober import Prober, configuration, relay
from tests.live.world import Nsd, Pool, World

pytestmark = pytest.mark.timeout(180)

STAYS, GOES, COMES = "127.0.0.11", "127.0.0.12", "127.0.0.13"
PATIENCE = 30.0  # The least time that an address must be gone before it is retired (s).
IN_FORCE = (
    "mailprobe_interval_seconds",
    "mailprobe_deadline_seconds",
    "mailprobe_last_success_timestamp_seconds",
    "mailprobe_oldest_unanswered_timestamp_seconds",
)


def records(*addresses: str) -> str:
    return "\n".join(f"smtp 1 A {address}" for address in addresses)


def nodes(prober: Prober, metric: str) -> set[str]:
    return {labels["node"] for labels, _ in prober.scrape().samples(metric)}


def test_nodes_join_and_retire_as_the_name_says(world: World, pool: Pool) -> None:
    nsd = world.run(Nsd(world, {"pool.test": records(STAYS, GOES)}))
    by_name = relay(pool, host="smtp.pool.test", port=pool.port, nodes="a")
    settings = configuration(
        pool,
        resolvers=[f"{nsd.address}:{nsd.port}"],
        defaults={"interval": "2s", "deadline": "4s", "give_up": "10m"},
        relays={"pool": by_name},
    )
    prober = world.run(Prober(world, settings))

    def deliver(*wanted: str) -> bool:
        scrape = prober.scrape()
        return all(scrape.sum("mailprobe_delivered_total", node=node) >= 2 for node in wanted)

    prober.expect(lambda: deliver(STAYS, GOES), "both addresses deliver")
    going = pool.nodes[1]
    going.pause_queue_manager()
    nsd.publish("pool.test", records(STAYS, COMES))
    prober.expect(lambda: deliver(COMES), "the new address joins and delivers")
    assert nodes(prober, "mailprobe_interval_seconds") == {STAYS, GOES, COMES}, "it may come back"

    prober.expect(
        lambda: GOES not in nodes(prober, "mailprobe_interval_seconds"),
        "the old address is retired",
        within=PATIENCE + 15,
    )
    scrape = prober.scrape()
    for metric in (*IN_FORCE, "mailprobe_last_smtp_phase_duration_seconds"):
        assert not list(scrape.samples(metric, node=GOES)), f"{metric} goes at once"
    assert scrape.sum("mailprobe_in_flight", node=GOES) >= 10, "what it holds is waited for"
    assert scrape.sum("mailprobe_probe_failures_total", node=GOES, reason="overdue") >= 10
    assert scrape.unbalanced() == []
    status = prober.status()
    assert [route["node"] for route in status["routes"]] == [STAYS, COMES]
    assert status["state"] == "ok", "taking the node out of the name ended the trouble"

    going.resume_queue_manager()
    prober.expect(
        lambda: not prober.scrape().sum("mailprobe_in_flight", node=GOES), "everything has come"
    )
    late = prober.scrape().sum("mailprobe_late_total", node=GOES)
    assert late >= 10, "its last numbers can still be scraped"
    assert going.queue_length() == 0
    assert prober.scrape().sum("mailprobe_unmatched_total") == 0

    nsd.stop()
    prober.expect(lambda: "the nodes stay as they are" in prober.log.read_text(), "it is noticed")
    assert nodes(prober, "mailprobe_interval_seconds") == {STAYS, COMES}
    sent = prober.scrape().sum("mailprobe_delivered_total")
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_delivered_total") >= sent + 3,
        "they are probed on",
    )
    assert prober.scrape().unbalanced() == []
