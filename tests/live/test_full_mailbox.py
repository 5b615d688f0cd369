"""A mailbox whose quota is filled to the brim is called full, until it has room again."""

from __future__ import annotations

import math
import smtplib
from email.message import EmailMessage

import pytest

from tests.live.onlooker import incidents
from tests.live.prober import RECIPIENT, Prober, configuration, mailbox, relay
from tests.live.seasoned import season
from tests.live.world import LOOPBACK, Dovecot, Pool, World

pytestmark = pytest.mark.timeout(240)

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


def test_what_relays_keep_for_a_full_mailbox_is_held_against_none_of_them(world: World) -> None:
    """Nobody says why but the quota: the relays accept, and wait for room."""
    dovecot = Dovecot(world, quota=LIMIT, defer_full=True)
    patient = {"minimal_backoff_time": "10s", "maximal_backoff_time": "20s"}
    pool = world.run(Pool(world, dovecot=dovecot, settings=patient))
    nodes = [f"n{n}={one.address}:{one.port}" for n, one in enumerate(pool.nodes, start=1)]
    defaults = {"interval": "5s", "deadline": "20s", "give_up": "10m"}
    settings = configuration(pool, relays={"pool": relay(pool, nodes=nodes)}, defaults=defaults)
    prober = Prober(world, settings)
    season(prober.home / "journal.sqlite3", 2000)
    world.run(prober)
    prober.expect(lambda: delivered(prober) >= 12, "probes arrive through all nodes", within=40)

    fill(dovecot)
    prober.expect(lambda: is_full(prober), "the mailbox is called full", within=15)
    prober.expect(lambda: overdue(prober) >= 20, "the relays keep their mail", within=90)
    empty(dovecot)
    prober.expect(lambda: component(prober)["state"] == "ok", "it has recovered", within=30)
    prober.expect(lambda: overdue(prober) == 0, "the relays have come back", within=90)
    assert named(prober) == {("mailbox", "corp", "full")}, prober.log_end()


def delivered(prober: Prober) -> float:
    return prober.scrape().sum("mailprobe_delivered_total")


def overdue(prober: Prober) -> float:
    return prober.scrape().sum("mailprobe_overdue")


def named(prober: Prober) -> set[tuple[str, str, str]]:
    """All that was ever named, with its leading fault."""
    told = [(one["component"], one["faults"][0]) for one in incidents(prober)]
    return {(one["kind"], one["mailbox"], fault) for one, fault in told}
