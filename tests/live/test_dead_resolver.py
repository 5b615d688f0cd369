"""While no DNS server answers nobody knows where a relay is, which is not the relay's fault."""

from __future__ import annotations

import pytest

from tests.live.onlooker import incidents
from tests.live.prober import Prober, configuration, relay
from tests.live.seasoned import season
from tests.live.world import Nsd, Pool, World

pytestmark = pytest.mark.timeout(240)

ADDRESS = "127.0.0.11"


def named(prober: Prober) -> set[tuple[str, str]]:
    """All that was ever named, with its leading fault."""
    return {(one["component"]["kind"], one["faults"][0]) for one in incidents(prober)}


def is_confirmed(prober: Prober) -> bool:
    """Whether the prober's own fault may page."""
    labels = {"kind": "prober", "fault": "unreachable"}
    return prober.scrape().sum("mailprobe_fault_confirmed", **labels) == 1


def test_the_prober_is_named_and_no_relay_though_the_mailbox_can_be_read(world: World) -> None:
    pool = world.run(Pool(world, addresses=(ADDRESS,)))
    nsd = world.run(Nsd(world, {"pool.test": f"@ A {ADDRESS}"}))
    settings = configuration(
        pool,
        relays={"pool": relay(pool, nodes="none", port=pool.port)},
        resolvers=[f"{nsd.address}:{nsd.port}"],
    )
    prober = Prober(world, settings)
    season(prober.home / "journal.sqlite3", 2000, nodes=("pool.test",))
    world.run(prober)
    delivered = "mailprobe_delivered_total"
    prober.expect(lambda: prober.scrape().sum(delivered) >= 5, "probes arrive")

    nsd.stop()
    prober.expect(lambda: is_confirmed(prober), "it is the prober", within=120)
    assert named(prober) == {("prober", "unreachable")}
    assert prober.scrape().sum("mailprobe_imap_up") == 1

    nsd.start()
    prober.expect(lambda: all(one["closed"] for one in incidents(prober)), "it is over", within=60)
    assert named(prober) == {("prober", "unreachable")}
