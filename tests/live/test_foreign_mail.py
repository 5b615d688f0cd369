"""Mail that is not ours, among ours: counted, never touched, and it makes nothing green."""

from __future__ import annotations

import email
import imaplib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message

import pytest

from probe.core import tag
from probe.core.message import compose
from probe.core.model import RouteKey, Sender
from tests.live.prober import KEY, RECIPIENT, Prober, Scrape, configuration, mailbox
from tests.live.world import LOOPBACK, PASSWORD, Dovecot, Pool, World

pytestmark = pytest.mark.timeout(120)

OTHER = "other@corp.test"
NODE = "127.0.0.11"
ROUTE = RouteKey("pool", NODE, "shop", "corp")
QUICK = {"interval": "1s", "deadline": "3s", "give_up": "10m"}
DAY = 86400.0
ORDINARY = b"From: a@shop.test\r\nTo: probe@corp.test\r\nSubject: Invoice\r\n\r\nPlease pay.\r\n"


@dataclass(frozen=True, slots=True)
class Lying:
    """A message as it lies in a Maildir, and what a reader may have done to it."""

    flags: str
    content: bytes


def lying(dovecot: Dovecot, user: str = RECIPIENT) -> dict[str, Lying]:
    """The messages of an inbox, by the part of their names that never changes."""
    while True:
        found = {}
        try:
            for message in dovecot.delivered(user):
                name, _, flags = message.path.name.partition(":2,")
                found[name] = Lying(flags, message.content())
            return found
        except FileNotFoundError:  # Moved or removed between the listing and the reading.
            continue


def append(dovecot: Dovecot, content: bytes, user: str = RECIPIENT) -> None:
    """Put a message into an inbox with flags of its own, as another mail program would."""
    with imaplib.IMAP4(LOOPBACK, dovecot.imap_port) as client:
        client.login(user, PASSWORD)
        crlf = re.sub(rb"\r?\n", b"\r\n", content)
        answer = client.append("INBOX", r"(\Flagged)", None, crlf)  # type: ignore[arg-type]
        assert answer[0] == "OK"


def tagged(
    journal: str, *, instance: str = "live", key: str = KEY, age: float = 0.0, cut: int = 0
) -> bytes:
    """A message like ours, with a tag that is wrong in one way; `cut` shortens it."""
    made = tag.make(journal, instance, ROUTE, sequence=1_000_000, time=time.time() - age)
    token = tag.sign(made, key.encode())
    sender = Sender("shop", "probe@shop.test")
    content = compose(token, sender, RECIPIENT, instance=instance, route=ROUTE).content
    return content.replace(token.encode(), token[: len(token) - cut].encode())


def tokens(dovecot: Dovecot, user: str = RECIPIENT) -> dict[str, tag.Tag]:
    """The tokens of the messages in an inbox, and what they say."""
    found = {}
    for one in lying(dovecot, user).values():
        token = token_of(email.message_from_bytes(one.content))
        if token is not None and (read := tag.read(token)):
            found[token] = read
    return found


def token_of(message: Message) -> str | None:
    match = re.search(r"token=([a-z2-7]{66})", "".join((message["X-Mailprobe"] or "").split()))
    return match[1] if match else None


def unmatched(scrape: Scrape, mailbox: str = "corp") -> dict[str, float]:
    samples = scrape.samples("mailprobe_unmatched_total", mailbox=mailbox)
    return {labels["cause"]: count for labels, count in samples if count}


def good(scrape: Scrape) -> float:
    return scrape.sum("mailprobe_probes_total") - scrape.sum("mailprobe_probe_failures_total")


def delivered(prober: Prober, least: int) -> Callable[[], bool]:
    return lambda: prober.scrape().sum("mailprobe_delivered_total") >= least


@pytest.fixture
def node(world: World) -> Pool:
    """A pool of one node: what is tested here is in the mailbox."""
    return world.run(Pool(world, addresses=[NODE]))


def settings(pool: Pool, **changes: object) -> dict[str, object]:
    return configuration(
        pool, **{"defaults": QUICK, "mailboxes": {"corp": mailbox(pool, keep="3s")}, **changes}
    )


def test_what_is_not_ours_is_counted_and_left_alone(world: World, node: Pool) -> None:
    boxes = {"corp": mailbox(node, keep="3s"), "other": mailbox(node, OTHER)}
    prober = world.run(Prober(world, settings(node, mailboxes=boxes, routes=[{"mailbox": "corp"}])))
    append(node.dovecot, ORDINARY)
    prober.expect(delivered(prober, 1), "a probe is delivered")
    node.nodes[0].stop()
    original = next(one.content for one in lying(node.dovecot).values() if not one.flags)
    ours = next(iter(tokens(node.dovecot).values())).journal

    def quiet() -> bool:
        scrape = prober.scrape()
        return not scrape.sum("mailprobe_in_flight") and good(scrape) >= 1

    prober.expect(quiet, "nothing is in flight")
    before = prober.scrape()
    for content in (
        tagged(ours, key="not the key of the tests"),
        tagged(ours, instance="elsewhere"),
        tagged("0123456789ab"),
        tagged(ours, cut=3),
        tagged(ours, age=8 * DAY),
        original,
    ):
        append(node.dovecot, content)
    append(node.dovecot, original, OTHER)
    expected = {"bad_mac": 1.0, "foreign": 2.0, "malformed": 1.0, "expired": 1.0}

    def counted() -> bool:
        scrape = prober.scrape()
        copies = scrape.sum("mailprobe_duplicates_total")
        return bool(unmatched(scrape) == expected and unmatched(scrape, "other") and copies)

    prober.expect(counted, "each is counted for what it is")
    after = prober.scrape()
    assert unmatched(after, "other") == {"foreign": 1.0}
    assert after.sum("mailprobe_duplicates_total") == 1, "a replay is a second copy"
    assert after.sum("mailprobe_instance_conflict") == 1, "another journal has our name"
    assert after.sum("mailprobe_delivered_total") == before.sum("mailprobe_delivered_total")
    success = "mailprobe_last_success_timestamp_seconds"
    assert after.sum(success) == pytest.approx(before.sum(success), abs=0.01)
    assert good(after) == good(before)
    assert after.unbalanced() == []
    everything = lying(node.dovecot)
    strangers = {name: one for name, one in everything.items() if "F" in one.flags}
    assert len(strangers) == 7
    node.nodes[0].start()

    def cleaned() -> bool:
        left = lying(node.dovecot)
        return {name: one for name, one in left.items() if name in everything} == strangers

    prober.expect(cleaned, "ours are removed, and the rest is as it was")
    assert [one.flags for one in lying(node.dovecot, OTHER).values()] == ["F"]


def test_several_probers_share_a_mailbox(world: World, node: Pool) -> None:
    """Two of different names, and later a third that has the name of the first."""
    append(node.dovecot, ORDINARY)
    patient = {"corp": mailbox(node, keep="1h")}
    one = world.run(Prober(world, settings(node, instance="one", mailboxes=patient), name="one"))
    two = world.run(Prober(world, settings(node, instance="two"), name="two"))

    def lie(instance: str) -> dict[str, str]:
        """The tokens of an instance's messages, and their journals."""
        digest = tag.digest_of_instance(instance)
        found = tokens(node.dovecot).items()
        return {token: said.journal for token, said in found if said.instance == digest}

    def removed(instance: str, journal: str = "") -> Callable[[], bool]:
        seen: set[str] = set()

        def some_are_gone() -> bool:
            there = {token for token, of in lie(instance).items() if journal in ("", of)}
            seen.update(there)
            return bool(seen - there)

        return some_are_gone

    two.expect(removed("two"), "the second removes its own mail")
    one.expect(delivered(one, 3), "the first delivers too")
    for prober in (one, two):
        prober.expect(lambda p=prober: bool(unmatched(p.scrape())), "it sees mail of the other")
        scrape = prober.scrape()
        assert set(unmatched(scrape)) == {"foreign"}
        assert scrape.sum("mailprobe_instance_conflict") == 0
        assert scrape.sum("mailprobe_duplicates_total") == 0
        assert scrape.sum("mailprobe_probe_failures_total") == 0, prober.log_end()
        assert scrape.unbalanced() == []
    arrived = one.scrape().sum("mailprobe_delivered_total")
    firsts = lie("one")
    assert len(firsts) >= arrived, "all are there"

    rival = world.run(Prober(world, settings(node, instance="one"), name="rival"))

    def journal_of_rival() -> str:
        return next((of for of in lie("one").values() if of not in firsts.values()), "")

    rival.expect(lambda: bool(journal_of_rival()), "the rival delivers")
    rival.expect(removed("one", journal_of_rival()), "the rival removes its own mail")
    assert set(firsts) <= set(lie("one")), "and leaves that of the first, older than itself"
    conflicts = [p.scrape().sum("mailprobe_instance_conflict") for p in (one, two, rival)]
    assert conflicts == [1, 0, 1]
    assert "Another prober runs as instance 'one'" in one.log.read_text()
    assert "Another prober uses our instance name" in one.get("/")
    assert sum(one.content.count(b"Invoice") for one in lying(node.dovecot).values()) == 1


def test_what_an_earlier_journal_sent_is_an_orphan(world: World, node: Pool) -> None:
    prober = world.run(Prober(world, settings(node)))
    prober.expect(delivered(prober, 2), "probes are delivered")
    earlier = next(iter(tokens(node.dovecot).values())).journal
    node.nodes[0].pause_queue_manager()
    sent = prober.scrape().sum("mailprobe_sent_total")
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_sent_total") >= sent + 3, "some are in flight"
    )
    prober.kill()
    for file in prober.home.glob("journal.sqlite3*"):
        file.unlink()
    seen: set[str] = set()

    def look() -> bool:
        found = tokens(node.dovecot)
        seen.update(token for token, said in found.items() if said.journal == earlier)
        return bool(found)

    look()
    prober.start()
    node.nodes[0].resume_queue_manager()

    def cleaned() -> bool:
        look()
        there = any(said.journal == earlier for said in tokens(node.dovecot).values())
        return not there and not node.nodes[0].queue_length() and delivered(prober, 3)()

    prober.expect(cleaned, "the orphans came, and are removed")
    scrape = prober.scrape()
    assert unmatched(scrape) == {"orphan": len(seen)}, "each is counted once"
    assert len(seen) >= 3
    assert scrape.sum("mailprobe_delivered_total") <= scrape.sum("mailprobe_sent_total")
    assert scrape.sum("mailprobe_instance_conflict") == 0
    assert scrape.unbalanced() == []


def test_what_came_before_the_mailbox_was_first_opened_is_good(world: World, node: Pool) -> None:
    secret = world.folder("secrets") / "imap"
    secret.write_text("not yet right")
    corp = mailbox(node)
    corp["imap"] = {**corp["imap"], "password": {"file": str(secret)}}
    slow = {"interval": "1s", "deadline": "30s", "give_up": "10m"}
    prober = world.run(Prober(world, settings(node, defaults=slow, mailboxes={"corp": corp})))
    prober.expect(lambda: len(tokens(node.dovecot)) >= 3, "probes lie in the mailbox")
    assert prober.scrape().sum("mailprobe_imap_up") == 0
    early = tokens(node.dovecot)
    secret.write_text(PASSWORD)
    prober.expect(delivered(prober, len(early) + 1), "they are found, and go on to be")
    scrape = prober.scrape()
    assert good(scrape) == scrape.sum("mailprobe_delivered_total", folder="inbox")
    assert scrape.sum("mailprobe_probe_failures_total") == 0
    assert scrape.sum("mailprobe_probes_unknown_total") == 0
    assert unmatched(scrape) == {}
    assert scrape.unbalanced() == []


def test_mail_of_a_route_that_is_no_more_accuses_nobody(world: World, node: Pool) -> None:
    """Its sender left the configuration while messages of it were in flight."""
    prober = world.run(Prober(world, settings(node)))
    prober.expect(delivered(prober, 1), "a probe is delivered")
    node.nodes[0].pause_queue_manager()
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_in_flight") >= 2, "some messages are in flight"
    )
    prober.kill()
    prober.write(settings(node, senders={"news": {"address": "news@shop.test"}}))
    prober.start()
    node.nodes[0].resume_queue_manager()

    def arrived(sender: str, least: int) -> bool:
        return prober.scrape().sum("mailprobe_delivered_total", sender=sender) >= least

    prober.expect(lambda: arrived("shop", 2) and arrived("news", 2), "both arrive")
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_loop_errors_total") == 0, prober.log_end()
    assert scrape.sum("mailprobe_probe_failures_total") == 0
    assert not list(scrape.samples("mailprobe_interval_seconds", sender="shop"))
    assert unmatched(scrape) == {}
    assert scrape.unbalanced() == []
