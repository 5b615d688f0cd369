"""The reader and the watcher against a real Dovecot of our own, on loopback."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import smtplib
import statistics
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from probe.core.cadence import BUSY_PERIOD
from probe.core.model import Folder, ImapServer, Mailbox, TlsMode
from probe.core.quota import Quota
from probe.edges.clock import SystemClock
from probe.edges.imap import ImapReader
from probe.ports import Addresses, ImapFailure, ImapLoginRefused
from tests.certificates import CertificateAuthority
from tests.live.world import LOOPBACK, Dovecot, World
from tests.live.world.dovecot import OWNER
from tests.secret import FixedSecret
from tests.watching import Memory, Taker, watching

PASSWORD = 'pass"w\\ord'
JUNK = "Unerw&APw-nscht"
QUOTA = """
mail_plugins = quota
protocol imap {
  mail_plugins = $mail_plugins imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:messages=1000000
}
"""
OLD = "1700000000"  # The moment in the names of files that nobody delivered.


@dataclass(frozen=True)
class Servers:
    """One Dovecot whose clear port offers STARTTLS, one that speaks TLS at once."""

    clear: Dovecot
    implicit: Dovecot
    ca_file: Path

    def by(self, tls: TlsMode) -> Dovecot:
        """The one to ask in this mode."""
        return self.implicit if tls is TlsMode.IMPLICIT else self.clear


@pytest.fixture(scope="module")
def servers(calm_world: World, authority: CertificateAuthority) -> Servers:
    certificate = authority.issue("imap.test", "127.0.0.1")
    clear, implicit = (
        calm_world.run(
            Dovecot(
                calm_world,
                f"imap-{tls}",
                tls=tls,
                certificate=certificate,
                password=PASSWORD,
                junk="Unerwünscht",
                more=QUOTA,
            )
        )
        for tls in (TlsMode.STARTTLS, TlsMode.IMPLICIT)
    )
    return Servers(clear, implicit, authority.ca_file)


def reader_of(servers: Servers, user: str, tls: TlsMode = TlsMode.NONE, **more: str) -> ImapReader:
    ca_file = more.get("ca_file", str(servers.ca_file))
    server = ImapServer(
        more.get("host", LOOPBACK),
        servers.by(tls).imap_port,
        user,
        tls,
        None if ca_file == "system" else ca_file,
    )
    mailbox = Mailbox("corp", f"{user}@corp.test", server)
    return ImapReader(mailbox, FixedSecret(more.get("password", PASSWORD)))


def deliver(dovecot: Dovecot, user: str) -> float:
    """Deliver a message with a tag; answers when LMTP's 250 came."""
    with smtplib.LMTP(LOOPBACK, dovecot.lmtp_port) as lmtp:
        content = "From: a@a.test\r\nX-Mailprobe: t\r\nSubject: x\r\n\r\nbody\r\n"
        lmtp.sendmail("a@a.test", user, content)
        return time.time()


def watched(
    reader: ImapReader, desk: Taker, folder: Folder = Folder.INBOX
) -> AbstractAsyncContextManager[None]:
    secret = FixedSecret(PASSWORD)
    return watching(reader, folder, desk=desk, journal=Memory(), secret=secret)


@pytest.mark.parametrize("tls", TlsMode)
async def test_mail_is_seen_under_every_kind_of_tls(servers: Servers, tls: TlsMode) -> None:
    desk = Taker(SystemClock())
    async with watched(reader_of(servers, f"tls-{tls}", tls), desk):
        await desk.until(lambda: desk.proofs)
        deliver(servers.by(tls), f"tls-{tls}")
        await desk.until(lambda: desk.taken)
    message = desk.taken[0].message
    assert len(desk.taken) == 1
    assert b"X-Mailprobe: t\r\n" in message.header
    assert message.header.endswith(b"\r\n\r\n")
    assert message.body == b"body\r\n"
    assert message.size == len(message.header) + len(message.body)


async def test_the_quota_and_the_end_of_the_certificate_are_told(servers: Servers) -> None:
    for _ in range(5):
        deliver(servers.clear, "quota")
    desk = Taker(SystemClock())
    async with watched(reader_of(servers, "quota", TlsMode.STARTTLS), desk):
        await desk.until(lambda: desk.quotas)
    assert [quota for _, quota in desk.quotas] == [Quota(5 / 1000000)]
    assert desk.ends and desk.ends[0] > time.time()


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_certificates_are_verified(servers: Servers, tls: TlsMode) -> None:
    with pytest.raises(ImapFailure, match=r"TLS: .*(self-signed|local issuer)"):
        await reader_of(servers, "x", tls, ca_file="system").junk_folder()
    with pytest.raises(ImapFailure, match=r"TLS: Hostname mismatch.*localhost"):
        await reader_of(servers, "x", tls, host="localhost").junk_folder()
    with pytest.raises(ImapFailure, match="No such file"):
        await reader_of(servers, "x", tls, ca_file="/nowhere.pem").junk_folder()


async def test_all_addresses_are_tried_and_the_name_is_verified(servers: Servers) -> None:
    class Names:
        def __init__(self, *addresses: str) -> None:
            self._addresses = addresses

        async def addresses(self, name: str) -> Addresses:
            assert name == "imap.test"
            return Addresses(self._addresses, 60)

    plain = reader_of(servers, "names", TlsMode.IMPLICIT, host="imap.test")
    reader = ImapReader(plain.mailbox, FixedSecret(PASSWORD), Names("127.0.0.9", "127.0.0.1"))
    assert await reader.junk_folder() == JUNK
    with pytest.raises(ImapFailure, match=r"imap\.test has no address"):
        await ImapReader(plain.mailbox, FixedSecret(PASSWORD), Names()).junk_folder()


async def test_a_wrong_password_is_a_refused_login(servers: Servers) -> None:
    with pytest.raises(ImapLoginRefused, match="AUTHENTICATIONFAILED"):
        await reader_of(servers, "x", password="wrong").junk_folder()


async def test_the_junk_folder_is_found_and_watched(servers: Servers) -> None:
    reader, desk = reader_of(servers, "junk"), Taker(SystemClock())
    assert await reader.junk_folder() == JUNK
    async with watched(reader, desk, Folder.JUNK):
        await desk.until(lambda: desk.proofs)
        new = servers.clear.maildir("junk", JUNK) / "new" / "1.M1P1.host"
        new.write_bytes(b"X-Mailprobe: t\n\nbody\n")
        shutil.chown(new, OWNER, OWNER)
        desk.accept()
        await desk.until(lambda: desk.taken)
    assert desk.taken[0].place.folder == JUNK
    assert desk.missing == 0


async def test_a_missing_folder_is_a_failure(servers: Servers) -> None:
    with pytest.raises(ImapFailure, match="SELECT refused"):
        async with reader_of(servers, "x").open("nicht da \u00fc"):
            pass


async def test_removal_takes_only_what_is_named(servers: Servers) -> None:
    for _ in range(4):
        deliver(servers.clear, "removal")
    async with reader_of(servers, "removal").open("INBOX") as session:
        assert session.can_uidplus
        assert session.uidnext == 5
        await session.remove([2, 3, 99])
        assert await session.search(1) == [1, 4]
        assert await session.poll() == 2
        assert await session.search_tagged(1, 2) == [1, 4]
        assert [one.uid for one in await session.fetch([1, 2, 4], body=False)] == [1, 4]


async def test_a_message_expunged_by_another_is_no_failure(servers: Servers) -> None:
    for _ in range(3):
        deliver(servers.clear, "shared")
    reader = reader_of(servers, "shared")
    async with reader.open("INBOX") as one, reader.open("INBOX") as other:
        await other.remove([2])
        found = {message.uid for message in await one.fetch([1, 2, 3], body=True)}
        assert found - {2} == {1, 3}, "Dovecot may still have the second at hand"
        assert await one.poll() == 2


async def test_a_hundred_thousand_messages_are_neither_downloaded_nor_slow(
    servers: Servers,
) -> None:
    fill(servers.clear.maildir("full"), 100_000)
    reader, desk = reader_of(servers, "full"), Taker(SystemClock())
    async with reader.open("INBOX"):
        pass  # Dovecot numbers the files once.
    began = desk.clock.now()
    async with watched(reader, desk):
        await desk.until(lambda: desk.proofs)
        opened = desk.clock.now() - began
        assert opened < 2
        errors = [await measured(servers.clear, "full", desk) for _ in range(5)]
        await desk.until(lambda: len(desk.taken) == 6)
    old = [one.place.uid for one in desk.taken if one.rescan]
    assert len(old) == 1, "the one message with a tag was found, and nothing else was fetched"
    # Dovecot itself takes up to a second for a delivery into so large a Maildir.
    assert max(one.reply for one in errors) < BUSY_PERIOD, "never a poll period off"
    print(f"\n100,000: opened {opened:.2f} s, errors {told(errors)}")


def fill(maildir: Path, count: int) -> None:
    """Hard links of one message, and one with a tag among the newest."""
    cur = maildir / "cur"
    for folder in (maildir, cur, maildir / "new", maildir / "tmp"):
        folder.mkdir(exist_ok=True)
        shutil.chown(folder, OWNER, OWNER)
    for number in range(count):
        path = cur / f"{OLD}.M{number:06}P1.host:2,S"
        if number % 50_000 == 0:  # An inode takes no more than 65,000 links.
            first = path
            first.write_bytes(b"Subject: x\n\nbody\n")
            shutil.chown(first, OWNER, OWNER)
        elif number == count - 1500:
            path.write_bytes(b"X-Mailprobe: t\n\nbody\n")
            shutil.chown(path, OWNER, OWNER)
        else:
            os.link(first, path)


@dataclass(frozen=True)
class Error:
    """How much later a message was seen than it truly came (s)."""

    written: float  # Than its file was written; Dovecot shows it some ms after that.
    reply: float  # Than LMTP's 250, which comes after that.


async def measured(dovecot: Dovecot, user: str, desk: Taker) -> Error:
    """Deliver one message some ms after its acceptance, and see when it is seen."""
    before = arrivals(dovecot, user)
    taken = sum(not one.rescan for one in desk.taken)
    await asyncio.sleep(random.uniform(0, 0.05))
    desk.accept()
    await asyncio.sleep(random.uniform(0.005, 0.025))
    reply = await asyncio.to_thread(deliver, dovecot, user)
    await desk.until(lambda: sum(not one.rescan for one in desk.taken) > taken)
    desk.settle()
    seen = max(one.seen for one in desk.taken if not one.rescan)
    ((_, written),) = arrivals(dovecot, user) - before
    return Error(seen - written, seen - reply)


def arrivals(dovecot: Dovecot, user: str) -> set[tuple[str, float]]:
    """The delivered files, whatever their flags, and when each was written."""
    found = set()
    for folder in ("new", "cur"):
        with os.scandir(dovecot.maildir(user) / folder) as entries:
            for entry in entries:
                if not entry.name.startswith(OLD):
                    with suppress(FileNotFoundError):  # It was just moved on to cur.
                        found.add((entry.name.split(":")[0], entry.stat().st_mtime))
    return found


def told(errors: Sequence[Error]) -> str:
    def ms(values: Sequence[float]) -> str:
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        return f"p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms"

    return (
        f"after the file was written {ms([one.written for one in errors])}; "
        f"after LMTP's 250 {ms([one.reply for one in errors])}"
    )


async def test_the_measured_delay_is_true(servers: Servers) -> None:
    deliver(servers.implicit, "delay")
    desk = Taker(SystemClock())
    async with watched(reader_of(servers, "delay", TlsMode.IMPLICIT), desk):
        await desk.until(lambda: desk.proofs)
        errors = [await measured(servers.implicit, "delay", desk) for _ in range(50)]
    print(f"\nerror of the measured delay, n={len(errors)}: {told(errors)}")
    assert statistics.median(one.written for one in errors) < 0.05
    assert min(one.written for one in errors) > -0.005


async def test_a_dovecot_killed_in_mid_idle_is_told_and_survived(servers: Servers) -> None:
    desk = Taker(SystemClock())
    deliver(servers.clear, "killed")
    async with watched(reader_of(servers, "killed"), desk):
        await desk.until(lambda: desk.taken)
        servers.clear.kill()
        await desk.until(lambda: desk.blind)
        assert "connection lost" in desk.blind[0][1]
        proofs = len(desk.proofs)
        servers.clear.start()
        deliver(servers.clear, "killed")
        await desk.until(lambda: len(desk.proofs) > proofs and len(desk.taken) == 2)


async def test_a_stopped_imap_process_is_found_within_seconds(servers: Servers) -> None:
    desk = Taker(SystemClock())
    before = set(servers.clear.processes(command="imap"))
    async with watched(reader_of(servers, "stopped"), desk):
        await desk.until(lambda: desk.proofs)
        stopped = set(servers.clear.processes(command="imap")) - before
        assert stopped
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = desk.clock.now()
            desk.accept()
            deliver(servers.clear, "stopped")
            await desk.until(lambda: desk.taken)
            print(f"\nhalf-dead: replaced and read after {desk.clock.now() - began:.1f} s")
            assert "did not answer" in desk.blind[0][1]
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGKILL)


async def test_two_watchers_share_a_mailbox(servers: Servers) -> None:
    desks = [Taker(SystemClock()), Taker(SystemClock())]
    reader = reader_of(servers, "both")
    async with watched(reader, desks[0]), watched(reader, desks[1]):
        for desk in desks:
            await desk.until(lambda desk=desk: desk.proofs)
            desk.accept()
        for _ in range(5):
            await asyncio.to_thread(deliver, servers.clear, "both")
        for desk in desks:
            await desk.until(lambda desk=desk: len(desk.taken) == 5)
            assert desk.uids == [1, 2, 3, 4, 5]
            assert desk.blind == []
