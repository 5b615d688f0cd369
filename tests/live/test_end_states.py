"""How a probe that the relay accepted can end, on real servers: one node for each way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.live.prober import RECIPIENT, Prober, Scrape, configuration, mailbox
from tests.live.world import Dovecot, Pool, RefusingSink, World

pytestmark = pytest.mark.timeout(120)

GOOD = "127.0.0.11"  # It rewrites the Message-ID, which harms nobody.
JUNK = "127.0.0.12"
TWICE = "127.0.0.13"
HEADER = "127.0.0.14"
BODY = "127.0.0.15"
SHORT = "127.0.0.16"
BOUNCE = "127.0.0.17"
DELAY = "127.0.0.18"

PLAIN, VERP = "shop", "shop_verp"
BACK, BACK_VERP = "probe@shop.test", "check@shop.test"
FILE_AS_JUNK = """\
require ["fileinto"];
if header :contains "Received" "by node2.test" { fileinto "Junk"; }
"""


def peculiar(lmtp_port: int, *, sink: int, nowhere: int) -> dict[str, dict[str, object]]:
    """What each node does to mail."""

    def by(**settings: str) -> dict[str, object]:
        return {"settings": settings}

    def to_corp(port: int) -> str:
        lmtp = "lmtp:inet:127.0.0.1"
        return f"inline:{{corp.test={lmtp}:{port}, shop.test={lmtp}:{lmtp_port}}}"

    return {
        GOOD: by(header_checks="regexp:{{/^Message-ID:/ REPLACE Message-ID: <new@node1.test>}}"),
        TWICE: by(recipient_bcc_maps="static:probe+copy@corp.test"),
        HEADER: by(header_checks="regexp:{{/^Subject:/ REPLACE Subject: [EXTERNAL]}}"),
        BODY: by(body_checks="regexp:{{/^Line 07 of/ REPLACE Line 07 of 20: nothing}}"),
        SHORT: by(body_checks="regexp:{{/^(Line (0[6-9]|1.|20) of|SHA-256:)/ IGNORE}}"),
        BOUNCE: by(transport_maps=to_corp(sink)),
        DELAY: by(transport_maps=to_corp(nowhere), delay_warning_time="1s"),
    }


@dataclass(frozen=True, slots=True)
class Scene:
    """A pool in which every node is peculiar, and a prober that looks at it."""

    prober: Prober
    pool: Pool
    dovecot: Dovecot

    def expect_each(self, name: str, least: int = 2, **labels: str) -> Scrape:
        """The metrics once both senders' routes have counted so many."""

        def counted() -> bool:
            scrape = self.prober.scrape()
            return all(scrape.sum(name, sender=s, **labels) >= least for s in (PLAIN, VERP))

        self.prober.expect(counted, f"{name} {labels} reaches {least} for both senders")
        return self.prober.scrape()

    def failures(self, scrape: Scrape, node: str) -> dict[str, float]:
        """The reasons for which probes through this node failed, and how many."""
        samples = scrape.samples("mailprobe_probe_failures_total", node=node)
        found: dict[str, float] = {}
        for labels, count in samples:
            if count:
                found[labels["reason"]] = found.get(labels["reason"], 0) + count
        return found


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with World() as world:
        sink = world.run(RefusingSink(world))
        dovecot = Dovecot(world)
        own = peculiar(dovecot.lmtp_port, sink=sink.port, nowhere=world.port())
        addresses = [f"127.0.0.{number}" for number in range(11, 19)]
        pool = world.run(Pool(world, addresses=addresses, dovecot=dovecot, each=own))
        dovecot.filter(FILE_AS_JUNK)
        settings = configuration(
            pool,
            defaults={"interval": "2s", "deadline": "5m", "give_up": "10m"},
            senders={
                PLAIN: {"address": BACK, "bounces": "back"},
                VERP: {"address": BACK_VERP, "envelope": "verp", "bounces": "back_verp"},
            },
            mailboxes={
                "corp": mailbox(pool),
                "back": mailbox(pool, BACK),
                "back_verp": mailbox(pool, BACK_VERP),
            },
            routes=[{"mailbox": "corp"}],
        )
        yield Scene(world.run(Prober(world, settings)), pool, dovecot)


def test_a_rewritten_message_id_is_no_fault(scene: Scene) -> None:
    scrape = scene.expect_each("mailprobe_delivered_total", node=GOOD, folder="inbox")
    assert scene.failures(scrape, GOOD) == {}
    assert scrape.sum("mailprobe_content_mismatches_total", node=GOOD) == 0


def test_junk_is_delivered_and_judged_bad(scene: Scene) -> None:
    scrape = scene.expect_each("mailprobe_delivered_total", node=JUNK, folder="junk")
    arrived = scrape.sum("mailprobe_delivered_total", node=JUNK)
    assert scrape.sum("mailprobe_delivered_total", node=JUNK, folder="junk") == arrived
    assert scene.failures(scrape, JUNK) == {"junk": arrived}
    assert "junk" in scene.prober.evidence(JUNK)


def test_a_copy_is_counted_and_changes_no_verdict(scene: Scene) -> None:
    scrape = scene.expect_each("mailprobe_duplicates_total", node=TWICE)
    arrived = originals(scrape, TWICE)

    def copies(scrape: Scrape) -> float:
        return scrape.sum("mailprobe_duplicates_total", node=TWICE)

    scene.prober.expect(
        lambda: copies(scene.prober.scrape()) >= arrived, "a copy of each has come as well"
    )
    scrape = scene.prober.scrape()
    assert scene.failures(scrape, TWICE) == {}
    assert copies(scrape) <= originals(scrape, TWICE), "one copy of each"
    assert scrape.sum("mailprobe_duplicates_total") == copies(scrape), "there are no others"


def originals(scrape: Scrape, node: str) -> float:
    """How many messages have come; those that confirm a fault are in no counter of the schedule."""
    confirming = scrape.sum("mailprobe_confirmations_total", node=node, outcome="ok")
    return scrape.sum("mailprobe_delivered_total", node=node) + confirming


@pytest.mark.parametrize(
    ("node", "part"), [(HEADER, "header"), (BODY, "body"), (SHORT, "truncated")]
)
def test_what_came_back_different_is_told_by_its_part(scene: Scene, node: str, part: str) -> None:
    scrape = scene.expect_each("mailprobe_content_mismatches_total", node=node, part=part)
    arrived = scrape.sum("mailprobe_delivered_total", node=node, folder="inbox")
    assert scrape.sum("mailprobe_content_mismatches_total", node=node) == arrived
    assert scrape.sum("mailprobe_content_mismatches_total", node=node, part=part) == arrived
    assert scene.failures(scrape, node) == {"content": arrived}


def test_a_bounce_ends_a_probe_whatever_the_envelope(scene: Scene) -> None:
    scrape = scene.expect_each("mailprobe_bounces_total", node=BOUNCE, status="5.1")
    bounces = scrape.sum("mailprobe_bounces_total")
    assert scrape.sum("mailprobe_bounces_total", node=BOUNCE, status="5.1") == bounces
    scheduled = bounces - scrape.sum("mailprobe_confirmations_total", node=BOUNCE)
    assert scene.failures(scrape, BOUNCE) == {"bounced": scheduled}
    assert scrape.sum("mailprobe_delivered_total", node=BOUNCE) == 0
    assert scrape.sum("mailprobe_sent_total", node=BOUNCE) >= scheduled, "it was accepted"
    assert "5.1.1" in scene.prober.evidence(BOUNCE)


def test_each_kind_of_envelope_gets_its_bounces_back(scene: Scene) -> None:
    """So that both ways of matching them were at work, or the test before proved nothing."""
    scene.expect_each("mailprobe_bounces_total", node=BOUNCE)
    plain, verp = (scene.dovecot.delivered(user) for user in (BACK, BACK_VERP))
    assert any(b"\nTo: probe@shop.test" in one.content() for one in plain)
    assert any(b"\nTo: check+" in one.content() for one in verp)


def test_a_notice_of_delay_is_no_verdict(scene: Scene) -> None:
    def noticed() -> bool:
        return "DSN delayed" in scene.prober.evidence(DELAY)

    scene.prober.expect(noticed, "the notices came")
    scrape = scene.prober.scrape()
    assert scrape.sum("mailprobe_probes_total", node=DELAY) == 0
    assert scrape.sum("mailprobe_bounces_total", node=DELAY) == 0
    waiting = scrape.sum("mailprobe_in_flight", node=DELAY)
    assert waiting >= 2
    delaying = scene.pool.nodes[-1]
    everywhere = f"lmtp:inet:127.0.0.1:{scene.dovecot.lmtp_port}"
    delaying.reload(transport_maps=f"static:{everywhere}")
    delaying.flush()
    scrape = scene.expect_each("mailprobe_delivered_total", node=DELAY, folder="inbox")
    assert scene.failures(scrape, DELAY) == {}


def test_every_account_adds_up(scene: Scene) -> None:
    scrape = scene.expect_each("mailprobe_delivered_total", node=GOOD)
    assert scrape.unbalanced() == []
    assert scrape.sum("mailprobe_unmatched_total") == 0, scene.prober.log_end()
    assert scrape.sum("mailprobe_probes_unknown_total") == 0
    assert len(scene.dovecot.delivered(RECIPIENT, "Junk")) >= 2
