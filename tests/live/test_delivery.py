"""The main job on real servers: three Postfix nodes, one Dovecot, and every probe accounted for."""

from __future__ import annotations

import email
import re
import sqlite3
import statistics
from contextlib import closing

import pytest

from tests.live.prober import RECIPIENT, Prober, Scrape, configuration
from tests.live.world import Pool, World

pytestmark = pytest.mark.timeout(180)


def tokens(pool: Pool) -> dict[str, float]:
    """The token of every probe in the Maildir, with the moment it was written there."""
    found = {}
    for message in pool.dovecot.delivered(RECIPIENT):
        header = email.message_from_bytes(message.content())["X-Mailprobe"] or ""
        match = re.search(r"token=([a-z2-7]+)", "".join(header.split()))
        if match:
            assert match[1] not in found, f"the relay was given {match[1]} twice"
            found[match[1]] = message.when
    return found


def delivered(scrape: Scrape, **labels: str) -> float:
    return scrape.sum("mailprobe_delivered_total", **labels)


@pytest.fixture
def prober(world: World, pool: Pool) -> Prober:
    settings = configuration(pool, defaults={"interval": "1s", "deadline": "8s", "give_up": "10m"})
    return world.run(Prober(world, settings))


def test_every_node_delivers_and_the_account_adds_up(prober: Prober, pool: Pool) -> None:
    nodes = [f"{node.address}" for node in pool.nodes]

    def all_deliver() -> bool:
        scrape = prober.scrape()
        return all(delivered(scrape, node=node, folder="inbox") >= 3 for node in nodes)

    prober.expect(all_deliver, "three probes through each node have arrived")
    scrape = prober.scrape()
    assert scrape.unbalanced() == []
    assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
    assert scrape.sum("mailprobe_imap_up") == 1
    states = {route["node"]: route["state"] for route in prober.status()["routes"]}
    assert states == dict.fromkeys(nodes, "ok")


def test_the_measured_delay_is_that_of_the_maildir(prober: Prober, pool: Pool) -> None:
    prober.expect(lambda: delivered(prober.scrape()) >= 32, "32 probes have arrived")
    seen = sightings(prober)
    truth = tokens(pool)
    errors = [abs(seen[tag] - when) for tag, when in truth.items() if tag in seen]
    assert len(errors) >= 30
    assert statistics.median(errors) < 0.050, f"median error {statistics.median(errors):.3f} s"


def sightings(prober: Prober) -> dict[str, float]:
    """The token of each probe that the journal has seen, and when."""
    with closing(sqlite3.connect(prober.home / "journal.sqlite3")) as journal:
        rows = journal.execute("SELECT token, arrived FROM probes WHERE arrived IS NOT NULL")
        return dict(rows.fetchall())


def undecided(prober: Prober) -> set[str]:
    """The tokens of the probes that the journal still waits for."""
    with closing(sqlite3.connect(prober.home / "journal.sqlite3")) as journal:
        rows = journal.execute("SELECT token FROM probes WHERE verdict IS NULL")
        return {token for (token,) in rows}


def test_a_frozen_queue_and_a_killed_prober_lose_nothing(world: World, pool: Pool) -> None:
    settings = configuration(pool, defaults={"interval": "2s", "deadline": "6s", "give_up": "10m"})
    prober = world.run(Prober(world, settings))
    frozen = pool.nodes[1]
    prober.expect(lambda: delivered(prober.scrape()) >= 6, "the pool delivers")
    frozen.pause_queue_manager()

    def overdue() -> bool:
        scrape = prober.scrape()
        return scrape.sum("mailprobe_probe_failures_total", reason="overdue") >= 3

    prober.expect(overdue, "the frozen node's probes are overdue")
    assert {
        labels["node"]
        for labels, count in prober.scrape().samples("mailprobe_probe_failures_total")
        if count
    } == {frozen.address}
    prober.kill()
    prober.start()
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_in_flight", node=frozen.address) >= 3, prober.log_end()
    prober.expect(overdue, "the frozen node's probes are overdue again")
    frozen.resume_queue_manager()

    def drained() -> bool:
        scrape = prober.scrape()
        return not scrape.sum("mailprobe_overdue") and scrape.sum("mailprobe_late_total") >= 3

    prober.expect(drained, "what was held has arrived")
    scrape = prober.scrape()
    assert scrape.unbalanced() == []
    assert scrape.sum("mailprobe_lost_total") == 0
    assert scrape.sum("mailprobe_duplicates_total") == 0
    assert scrape.sum("mailprobe_unmatched_total") == 0
    assert prober.stop()[0] == 0
    unseen = set(tokens(pool)) - set(sightings(prober))
    assert unseen <= undecided(prober), "every message is seen, or came as the prober ended"


def test_a_dead_mailbox_fails_nobody(prober: Prober, pool: Pool) -> None:
    prober.expect(lambda: delivered(prober.scrape()) >= 6, "the pool delivers")
    pool.dovecot.stop()
    prober.expect(lambda: prober.scrape().sum("mailprobe_imap_up") == 0, "blindness is noticed")
    sent = prober.scrape().sum("mailprobe_sent_total")
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_sent_total") >= sent + 12, "the relay accepts"
    )
    assert prober.scrape().sum("mailprobe_probes_unknown_total") == 0, "nothing is judged blind"
    pool.dovecot.start()

    def settled() -> bool:
        scrape = prober.scrape()
        return scrape.sum("mailprobe_imap_up") == 1 and delivered(scrape) >= sent + 12

    prober.expect(settled, "everything has been read after all")
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
    assert scrape.unbalanced() == []


def test_sigterm_ends_within_five_seconds_and_closes_the_journal(prober: Prober) -> None:
    prober.expect(lambda: delivered(prober.scrape()) >= 3, "the pool delivers")
    code, seconds = prober.stop()
    assert code == 0 and seconds < 5.0
    assert not (prober.home / "journal.sqlite3-wal").exists(), "the journal was closed"
