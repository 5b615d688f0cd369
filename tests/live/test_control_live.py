"""Control messages in real mailboxes: those that take them, and those that do not."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import closing

import pytest

from probe.core.control import Seal, compose
from probe.core.model import ImapServer, Mailbox, TlsMode
from probe.edges.imap import ImapReader
from tests.live.prober import KEY, RECIPIENT, Prober, configuration
from tests.live.world import LOOPBACK, PASSWORD, Dovecot, Pool, World, wait_until
from tests.secret import FixedSecret

pytestmark = pytest.mark.timeout(120)

FIELD = b"X-Mailprobe-Control:"
ACL = """
protocol imap {{
  mail_plugins = $mail_plugins acl
}}
plugin {{
  acl = vfile:{file}
}}
"""


def mailbox_of(dovecot: Dovecot) -> Mailbox:
    server = ImapServer(LOOPBACK, dovecot.imap_port, RECIPIENT, TlsMode.NONE)
    return Mailbox("corp", RECIPIENT, server)


def pool_of(world: World, *, rights: str = "") -> Pool:
    """One node and its mailbox, in which IMAP allows no more than these rights (RFC 4314)."""
    rules = world.directory / "acl"
    rules.write_text(f"INBOX owner {rights}\n")
    dovecot = Dovecot(world, more=ACL.format(file=rules) if rights else "")
    return world.run(Pool(world, addresses=["127.0.0.11"], dovecot=dovecot))


def settings_of(pool: Pool, **changes: object) -> dict[str, object]:
    """Probes once a second."""
    defaults = {"interval": "1s", "deadline": "8s", "give_up": "10m"}
    return configuration(pool, defaults=defaults, **changes)


def controls(pool: Pool) -> list[bytes]:
    """The control messages that lie in the mailbox."""
    contents = [message.content() for message in pool.dovecot.delivered(RECIPIENT)]
    return [content for content in contents if FIELD in content]


def arrived(prober: Prober) -> float:
    return prober.scrape().sum("mailprobe_delivered_total", folder="inbox")


def next_uid(pool: Pool) -> int:
    """What the mailbox will give to the next message: it tells how many there have been."""

    async def ask() -> int:
        async with ImapReader(mailbox_of(pool.dovecot), FixedSecret(PASSWORD)).open(
            "INBOX"
        ) as session:
            return session.uidnext

    return asyncio.run(ask())


def test_one_is_put_in_is_seen_and_is_gone(world: World) -> None:
    pool = pool_of(world)
    prober = world.run(Prober(world, settings_of(pool)))
    prober.expect(lambda: arrived(prober) >= 2, "probes arrive")
    assert prober.stop()[0] == 0
    probes = len(pool.dovecot.delivered(RECIPIENT))
    assert controls(pool) == []
    assert next_uid(pool) == probes + 2, "one message has been there, and is gone"
    assert "cannot be read" not in prober.log.read_text()
    assert "control message" not in prober.log.read_text()


@pytest.mark.parametrize(
    ("rights", "left", "told"),
    [
        ("lrwstek", 0, "takes no control message (APPEND: NO [NOPERM]"),
        ("lrwsik", 1, "gets no more control messages: they cannot be removed"),
    ],
    ids=["nothing may be put in", "nothing may be removed"],
)
def test_a_mailbox_that_does_not_play_along_is_read_by_searches_alone(
    world: World, rights: str, left: int, told: str
) -> None:
    pool = pool_of(world, rights=rights)
    prober = world.run(Prober(world, settings_of(pool)))
    prober.expect(lambda: arrived(prober) >= 2, "probes arrive")
    assert prober.scrape().sum("mailprobe_imap_up") == 1
    assert len(controls(pool)) == left
    assert prober.log.read_text().count(told) == 1, prober.log_end()
    assert prober.scrape().sum("mailprobe_probe_failures_total") == 0


def test_what_a_killed_run_left_is_removed(world: World) -> None:
    pool = pool_of(world)
    prober = world.run(Prober(world, settings_of(pool)))
    prober.expect(lambda: arrived(prober) >= 2, "probes arrive")
    prober.kill()
    with closing(sqlite3.connect(prober.home / "journal.sqlite3")) as journal:
        ((identity,),) = journal.execute("SELECT value FROM meta WHERE name = 'id'").fetchall()
    put_in(pool, Seal("live", identity, since=0.0, keys=[KEY.encode()]))
    put_in(pool, Seal("other", identity, since=0.0, keys=[KEY.encode()]))
    assert len(controls(pool)) == 2
    prober.start()
    wait_until(lambda: len(controls(pool)) == 1, "ours is removed")
    prober.expect(lambda: arrived(prober) >= 2, "probes arrive")
    (theirs,) = controls(pool)
    assert b"instance=other" in theirs
    assert prober.scrape().sum("mailprobe_unmatched_total") == 0, "it is nobody's probe"


def put_in(pool: Pool, seal: Seal) -> None:
    """Leave a control message behind."""
    mailbox = mailbox_of(pool.dovecot)
    token = seal.token(mailbox, nonce=1, wall=time.time())
    content = compose(token, mailbox, instance=seal.instance, wall=time.time())

    async def append() -> None:
        async with ImapReader(mailbox, FixedSecret(PASSWORD)).open("INBOX") as session:
            assert isinstance(await session.append(content), int)

    asyncio.run(append())


def test_two_instances_share_a_mailbox_in_peace(world: World) -> None:
    pool = pool_of(world)
    probers = [
        world.run(Prober(world, settings_of(pool, instance=name), name=name))
        for name in ("fra1", "fra2")
    ]
    for prober in probers:
        prober.expect(lambda prober=prober: arrived(prober) >= 2, "probes arrive")
    wait_until(lambda: controls(pool) == [], "no control message is left")
    for prober in probers:
        scrape = prober.scrape()
        assert scrape.sum("mailprobe_imap_up") == 1
        assert scrape.sum("mailprobe_probe_failures_total") == 0
        others = scrape.sum("mailprobe_unmatched_total", cause="foreign")
        assert scrape.sum("mailprobe_unmatched_total") == others, "only the other's probes"
        assert "cannot be read" not in prober.log.read_text()
