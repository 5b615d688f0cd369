"""A mailbox whose quota is filled to the brim is called full, until it has room again."""

from __future__ import annotations

import math
import smtplib
from email.message import EmailMessage

import pytest

from tests.live.prober import RECIPIENT, Prober, configuration, mailbox
from tests.live.world import LOOPBACK, Dovecot, Pool, World

pytestmark = pytest.mark.timeout(120)

LIMIT = 400  # KiB
BACK = "probe@shop.test"
LABELS = {"kind": "mailbox", "mailbox": "corp"}


def fill(dovecot: Dovecot) -> None:
    """Deliver mail of others until nothing fits any more, big ones first."""
    for size in (64_000, 8_000, 1_500, 300):
        while _take(dovecot, size):
            pass


def _take(dovecot: Dovecot, size: int) -> bool:
    """Whether the mailbox takes a message of this size."""
    message = EmailMessage()
    message["Subject"] = "Something that somebody wants to keep"
    message.set_content("\n".join(["." * 70] * (size // 71)))
    with smtplib.LMTP(LOOPBACK, dovecot.lmtp_port) as lmtp:
        try:
            lmtp.sendmail("somebody@else.test", [RECIPIENT], message.as_bytes())
        except smtplib.SMTPResponseException:
            return False
        except smtplib.SMTPRecipientsRefused:
            return False
    return True


def empty(dovecot: Dovecot) -> None:
    """Remove the mail of others."""
    for message in dovecot.delivered(RECIPIENT):
        if b"somebody wants to keep" in message.content():
            message.path.unlink()
    for cache in dovecot.maildir(RECIPIENT).glob("maildirsize"):
        cache.unlink()


def component(prober: Prober, name: str = "corp") -> dict[str, object]:
    """What the status says of a mailbox."""
    return next(one for one in prober.status()["components"] if one["mailbox"] == name)


def is_full(prober: Prober) -> bool:
    return component(prober)["faults"] == ["full"]


@pytest.mark.parametrize("reply", ["552 5.2.2", "452 4.2.2"])
def test_a_mailbox_that_is_filled_to_the_brim_is_named_and_recovers(
    world: World, reply: str
) -> None:
    later = {"delay_warning_time": "1s"} if reply.startswith("4") else {}
    dovecot = Dovecot(world, quota=LIMIT, defer_full=reply.startswith("4"))
    pool = world.run(Pool(world, addresses=("127.0.0.11",), dovecot=dovecot, settings=later))
    mailboxes = {"corp": mailbox(pool), "back": mailbox(pool, BACK)}
    senders = {"shop": {"address": BACK, "bounces": "back"}}
    routes = [{"relay": "pool", "sender": "shop", "mailbox": "corp"}]
    prober = world.run(
        Prober(
            world,
            configuration(pool, mailboxes=mailboxes, senders=senders, routes=routes),
        )
    )
    prober.expect(lambda: component(prober)["state"] == "ok", "all is well")
    since = "mailprobe_fault_since_timestamp_seconds"
    assert math.isnan(prober.scrape().sum(since, **LABELS, fault="full"))

    fill(dovecot)
    prober.expect(lambda: is_full(prober), "the mailbox is called full", within=15)
    used = "% of its quota is used"
    prober.expect(lambda: used in str(component(prober)["evidence"]), "the quota agrees", within=15)
    found = component(prober)
    assert found["state"] in ("degraded", "down"), "down where so many probes have failed"
    assert reply.partition(" ")[2] in str(found["evidence"])
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_fault", **LABELS, fault="full") == 1
    assert scrape.sum("mailprobe_component_state", **LABELS, state="ok") == 0
    assert scrape.sum(since, **LABELS, fault="full") > 0
    assert "Mailbox corp is full." in prober.get("/")
    assert component(prober, "back")["state"] == "ok"

    empty(dovecot)
    prober.expect(lambda: component(prober)["state"] == "ok", "it has recovered", within=30)
    assert prober.scrape().sum("mailprobe_fault", **LABELS) == 0
    log = prober.log.read_text()
    assert "Mailbox corp is full. " in log
    assert "Mailbox corp is well again" in log
