"""The reader and the watcher against a real Dovecot of our own, on loopback."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
import random
import shutil
import signal
import smtplib
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from probe.core.cadence import Expectation
from probe.core.model import Folder, ImapServer, Mailbox, Place, TlsMode
from probe.edges.imap import ImapReader
from probe.engine.login_gate import LoginGate
from probe.engine.watcher import FolderWatcher
from probe.ports import Addresses, Fetched, ImapFailure, ImapLoginRefused, Position

pytestmark = pytest.mark.live

PASSWORD = 'pass"w\\ord'
CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
instance_name = mailprobe-test-{imap}
log_path = {dir}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{dir}/server.pem
ssl_key = <{dir}/server.key
disable_plaintext_auth = no
mail_location = maildir:{dir}/mail/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 1000
auth_failure_delay = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={dir}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Unerwünscht {{
    auto = create
    special_use = \\Junk
  }}
}}
mail_plugins = quota
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:messages=1000000
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
"""
JUNK = "Unerw&APw-nscht"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def write_certificates(directory: Path) -> None:
    """A CA of our own in ca.pem, and a certificate for imap.test and 127.0.0.1 in server.pem."""
    now = datetime.datetime.now(datetime.UTC)

    def make(name: str, signer: ec.EllipticCurvePrivateKey, issuer: str, key: object, ca: bool):  # type: ignore[no-untyped-def]
        def names(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        words = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        usage = dict.fromkeys((*words, "encipher_only", "decipher_only"), False)
        public = signer.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(names(name))
            .issuer_name(names(issuer))
            .public_key(key.public_key())  # type: ignore[attr-defined]
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=True, key_cert_sign=ca, crl_sign=ca, **usage),
                critical=True,
            )
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name), address]), False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)  # type: ignore[attr-defined]
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False)
            .sign(signer, hashes.SHA256())
        )

    authority, server = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = serialization.Encoding.PEM
    (directory / "ca.pem").write_bytes(
        make("Test CA", authority, "Test CA", authority, True).public_bytes(pem)
    )
    (directory / "server.pem").write_bytes(
        make("imap.test", authority, "Test CA", server, False).public_bytes(pem)
    )
    (directory / "server.key").write_bytes(
        server.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class Dovecot:
    """One private instance; it can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.imap, self.imaps, self.lmtp = free_port(), free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.directory / "dovecot.conf"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 10
        for port in (self.imap, self.imaps, self.lmtp):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    log = self.directory / "log"
                    why = log.read_text() if log.exists() else ""
                    assert time.monotonic() < until, f"Dovecot does not start: {why}"
                    time.sleep(0.01)

    def children(self, title: str) -> list[int]:
        assert self._process is not None
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if int(stat.read_text().rpartition(")")[2].split()[1]) == self._process.pid:
                    command = (stat.parent / "cmdline").read_bytes().split(b"\0")[0].decode()
                    if command.endswith(f"/{title}"):
                        found.append(int(stat.parent.name))
        return found

    def kill(self) -> None:
        """At once, with all its processes."""
        assert self._process is not None
        names = ["imap", "imap-login", "lmtp", "anvil", "log", "config", "stats", "auth"]
        pids = [pid for name in names for pid in self.children(name)]
        self._process.kill()
        self._process.wait()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def deliver(self, user: str) -> float:
        """Deliver a message with a tag; answers when LMTP's 250 came."""
        with smtplib.LMTP("127.0.0.1", self.lmtp) as lmtp:
            content = "From: a@a.test\r\nX-Mailprobe: t\r\nSubject: x\r\n\r\nbody\r\n"
            lmtp.sendmail("a@a.test", user, content)
            return time.time()

    def maildir(self, user: str) -> Path:
        return self.directory / "mail" / user


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    directory = Path(tempfile.mkdtemp(prefix="mailprobe-dovecot-"))
    directory.chmod(0o755)
    (directory / "mail").mkdir()
    shutil.chown(directory / "mail", "nobody", "nogroup")
    write_certificates(directory)
    server = Dovecot(directory)
    (directory / "dovecot.conf").write_text(
        CONFIG.format(
            dir=directory,
            imap=server.imap,
            imaps=server.imaps,
            lmtp=server.lmtp,
            password=PASSWORD,
        )
    )
    server.start()
    yield server
    server.kill()
    shutil.rmtree(directory)


class LiveClock:
    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        return time.monotonic() + self._offset

    def wall(self, moment: float) -> float:
        return moment

    async def sleep_until(self, moment: float) -> None:
        await asyncio.sleep(moment - self.now())


class FixedSecret:
    def __init__(self, value: str = PASSWORD) -> None:
        self._value = value

    def read(self) -> str:
        return self._value


@dataclass
class Memory:
    """The part of the journal that watchers use."""

    positions: dict[tuple[str, str], Position] = field(default_factory=dict)

    async def position(self, mailbox: str, folder: str) -> Position | None:
        return self.positions.get((mailbox, folder))

    async def advance(self, position: Position) -> None:
        self.positions[position.mailbox, position.folder] = position

    async def to_clean(self, mailbox: str, folder: str, now: float, limit: int) -> list[Place]:
        return []


@dataclass
class Taker:
    """A desk that remembers."""

    clock: LiveClock = field(default_factory=LiveClock)
    expected: Expectation = field(default_factory=Expectation)
    event: asyncio.Event = field(default_factory=asyncio.Event)
    taken: list[tuple[Place, float, bool, Fetched]] = field(default_factory=list)
    proofs: list[float] = field(default_factory=list)
    blind: list[tuple[float, str]] = field(default_factory=list)
    shares: list[float | None] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, mailbox: str) -> asyncio.Event:
        return self.event

    def expecting(self, mailbox: str) -> Expectation:
        return self.expected

    def wants_body(self, header: bytes) -> bool:
        return b"X-Mailprobe" in header

    is_ours = wants_body

    async def receive(
        self, fetched: Fetched, place: Place, folder: Folder, seen: float, *, rescan: bool
    ) -> None:
        self.taken.append((place, seen, rescan, fetched))
        self.changed.set()

    def proved(self, mailbox: str, folder: Folder, started: float) -> None:
        self.proofs.append(started)
        self.changed.set()

    def blinded(self, mailbox: str, folder: Folder, why: str) -> None:
        self.blind.append((self.clock.now(), why))
        self.changed.set()

    def absent(self, mailbox: str, folder: Folder) -> None:
        raise AssertionError("there is a junk folder")

    def filled(self, mailbox: str, share: float | None) -> None:
        self.shares.append(share)
        self.changed.set()

    def certified(self, mailbox: str, end: float) -> None:
        self.ends.append(end)

    def accept(self) -> None:
        self.expected = Expectation(1, self.clock.now())
        self.event.set()

    def settle(self) -> None:
        self.expected = Expectation()

    async def until(self, condition: Callable[[], object], seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


def reader_of(dovecot: Dovecot, user: str, tls: TlsMode = TlsMode.NONE, **more: str) -> ImapReader:
    port = dovecot.imaps if tls is TlsMode.IMPLICIT else dovecot.imap
    ca_file = more.get("ca_file", str(dovecot.directory / "ca.pem"))
    host = more.get("host", "127.0.0.1")
    server = ImapServer(host, port, user, tls, None if ca_file == "system" else ca_file)
    mailbox = Mailbox("corp", f"{user}@corp.test", server)
    return ImapReader(mailbox, FixedSecret(more.get("password", PASSWORD)))


@asynccontextmanager
async def watching(
    reader: ImapReader, desk: Taker, journal: Memory, folder: Folder = Folder.INBOX
) -> AsyncIterator[None]:
    watcher = FolderWatcher(
        reader,
        folder,
        desk=desk,
        journal=journal,  # type: ignore[arg-type]
        clock=desk.clock,
        gate=LoginGate(FixedSecret(), desk.clock),
        chance=random.Random(1),
        turned=lambda: None,
    )
    task = asyncio.create_task(watcher.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled(), task


@pytest.mark.parametrize("tls", TlsMode)
async def test_mail_is_seen_under_every_kind_of_tls(dovecot: Dovecot, tls: TlsMode) -> None:
    desk = Taker()
    async with watching(reader_of(dovecot, f"tls-{tls}", tls), desk, Memory()):
        await desk.until(lambda: desk.proofs)
        dovecot.deliver(f"tls-{tls}")
        await desk.until(lambda: desk.taken)
    ((_, _, _, message),) = desk.taken
    assert b"X-Mailprobe: t\r\n" in message.header
    assert message.header.endswith(b"\r\n\r\n")
    assert message.body == b"body\r\n"
    assert message.size == len(message.header) + len(message.body)


async def test_the_quota_and_the_end_of_the_certificate_are_told(dovecot: Dovecot) -> None:
    for _ in range(5):
        dovecot.deliver("quota")
    desk = Taker()
    async with watching(reader_of(dovecot, "quota", TlsMode.STARTTLS), desk, Memory()):
        await desk.until(lambda: desk.shares)
    assert desk.shares == [5 / 1000000]
    pem = (dovecot.directory / "server.pem").read_bytes()
    assert desk.ends == [x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()]


@pytest.mark.parametrize("tls", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
async def test_certificates_are_verified(dovecot: Dovecot, tls: TlsMode) -> None:
    with pytest.raises(ImapFailure, match=r"TLS: .*(self-signed|local issuer)"):
        await reader_of(dovecot, "x", tls, ca_file="system").junk_folder()
    with pytest.raises(ImapFailure, match=r"TLS: Hostname mismatch.*localhost"):
        await reader_of(dovecot, "x", tls, host="localhost").junk_folder()
    with pytest.raises(ImapFailure, match="No such file"):
        await reader_of(dovecot, "x", tls, ca_file="/nowhere.pem").junk_folder()


async def test_all_addresses_are_tried_and_the_name_is_verified(dovecot: Dovecot) -> None:
    class Names:
        def __init__(self, *addresses: str) -> None:
            self._addresses = addresses

        async def addresses(self, name: str) -> Addresses:
            assert name == "imap.test"
            return Addresses(self._addresses, 60)

    plain = reader_of(dovecot, "names", TlsMode.IMPLICIT, host="imap.test")
    reader = ImapReader(plain.mailbox, FixedSecret(), Names("127.0.0.9", "127.0.0.1"))
    assert await reader.junk_folder() == JUNK
    with pytest.raises(ImapFailure, match=r"imap\.test has no address"):
        await ImapReader(plain.mailbox, FixedSecret(), Names()).junk_folder()


async def test_a_wrong_password_is_a_refused_login(dovecot: Dovecot) -> None:
    with pytest.raises(ImapLoginRefused, match="AUTHENTICATIONFAILED"):
        await reader_of(dovecot, "x", password="wrong").junk_folder()


async def test_the_junk_folder_is_found_and_watched(dovecot: Dovecot) -> None:
    reader, desk = reader_of(dovecot, "junk"), Taker()
    assert await reader.junk_folder() == JUNK
    async with watching(reader, desk, Memory(), Folder.JUNK):
        await desk.until(lambda: desk.proofs)
        new = dovecot.maildir("junk") / f".{JUNK}" / "new" / "1.M1P1.host"
        new.write_bytes(b"X-Mailprobe: t\n\nbody\n")
        shutil.chown(new, "nobody", "nogroup")
        desk.accept()
        await desk.until(lambda: desk.taken)
    assert desk.taken[0][0].folder == JUNK


async def test_a_missing_folder_is_a_failure(dovecot: Dovecot) -> None:
    with pytest.raises(ImapFailure, match="SELECT refused"):
        async with reader_of(dovecot, "x").open("nicht da \u00fc"):
            pass


async def test_removal_takes_only_what_is_named(dovecot: Dovecot) -> None:
    for _ in range(4):
        dovecot.deliver("removal")
    async with reader_of(dovecot, "removal").open("INBOX") as session:
        assert session.can_uidplus
        assert session.uidnext == 5
        await session.remove([2, 3, 99])
        assert await session.search(1) == [1, 4]
        assert await session.poll() == 2
        assert await session.search_tagged(1, 2) == [1, 4]
        assert [one.uid for one in await session.fetch([1, 2, 4], body=False)] == [1, 4]


async def test_a_message_expunged_by_another_is_no_failure(dovecot: Dovecot) -> None:
    for _ in range(3):
        dovecot.deliver("shared")
    reader = reader_of(dovecot, "shared")
    async with reader.open("INBOX") as one, reader.open("INBOX") as other:
        await other.remove([2])
        found = {message.uid for message in await one.fetch([1, 2, 3], body=True)}
        assert found - {2} == {1, 3}, "Dovecot may still have the second at hand"
        assert await one.poll() == 2


async def test_a_hundred_thousand_messages_are_neither_downloaded_nor_slow(
    dovecot: Dovecot,
) -> None:
    fill(dovecot.maildir("full"), 100_000)
    reader, desk, journal = reader_of(dovecot, "full"), Taker(), Memory()
    async with reader.open("INBOX"):
        pass  # Dovecot numbers the files once.
    began = desk.clock.now()
    async with watching(reader, desk, journal):
        await desk.until(lambda: desk.proofs)
        opened = desk.clock.now() - began
        assert opened < 2
        errors = [await measured(dovecot, "full", desk) for _ in range(5)]
        await desk.until(lambda: len(desk.taken) == 6)
    old = [place.uid for place, _, rescan, _ in desk.taken if rescan]
    assert len(old) == 1, "the one message with a tag was found, and nothing else was fetched"
    # Dovecot itself takes up to a second for a delivery into so large a Maildir.
    assert max(one.reply for one in errors) < 1, "never a poll period off"
    print(f"\n100,000: opened {opened:.2f} s, errors {told(errors)}")


def fill(maildir: Path, count: int) -> None:
    """Hard links of one message, and one with a tag among the newest."""
    cur = maildir / "cur"
    for folder in (maildir, cur, maildir / "new", maildir / "tmp"):
        folder.mkdir(exist_ok=True)
        shutil.chown(folder, "nobody", "nogroup")
    for number in range(count):
        path = cur / f"1700000000.M{number:06}P1.host:2,S"
        if number % 50_000 == 0:  # An inode takes no more than 65,000 links.
            first = path
            first.write_bytes(b"Subject: x\n\nbody\n")
            shutil.chown(first, "nobody", "nogroup")
        elif number == count - 1500:
            path.write_bytes(b"X-Mailprobe: t\n\nbody\n")
            shutil.chown(path, "nobody", "nogroup")
        else:
            path.hardlink_to(first)


@dataclass(frozen=True)
class Error:
    """How much later a message was seen than it truly came (s)."""

    written: float  # Than its file was written; Dovecot shows it some ms after that.
    reply: float  # Than LMTP's 250, which comes after that.


async def measured(dovecot: Dovecot, user: str, desk: Taker) -> Error:
    """Deliver one message some ms after its acceptance, and see when it is seen."""
    before = arrivals(dovecot, user)
    taken = sum(not rescan for _, _, rescan, _ in desk.taken)
    await asyncio.sleep(random.uniform(0, 0.05))
    desk.accept()
    await asyncio.sleep(random.uniform(0.005, 0.025))
    reply = await asyncio.to_thread(dovecot.deliver, user)
    await desk.until(lambda: sum(not rescan for _, _, rescan, _ in desk.taken) > taken)
    desk.settle()
    seen = max(seen for _, seen, rescan, _ in desk.taken if not rescan)
    ((_, written),) = arrivals(dovecot, user) - before
    return Error(seen - written, seen - reply)


def arrivals(dovecot: Dovecot, user: str) -> set[tuple[str, float]]:
    """The delivered files, whatever their flags, and when each was written."""
    maildir = dovecot.maildir(user)
    found = set()
    for folder in ("new", "cur"):
        for path in (maildir / folder).iterdir():
            if not path.name.startswith("1700000000."):
                with suppress(FileNotFoundError):  # It was just moved on to cur.
                    found.add((path.name.split(":")[0], path.stat().st_mtime))
    return found


def told(errors: Sequence[Error]) -> str:
    def ms(values: Sequence[float]) -> str:
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        return f"p50 {cuts[49] * 1e3:.1f} ms, p99 {cuts[98] * 1e3:.1f} ms"

    return (
        f"after the file was written {ms([one.written for one in errors])}; "
        f"after LMTP's 250 {ms([one.reply for one in errors])}"
    )


async def test_the_measured_delay_is_true(dovecot: Dovecot) -> None:
    dovecot.deliver("delay")
    desk = Taker()
    async with watching(reader_of(dovecot, "delay", TlsMode.IMPLICIT), desk, Memory()):
        await desk.until(lambda: desk.proofs)
        errors = [await measured(dovecot, "delay", desk) for _ in range(100)]
    print(f"\nerror of the measured delay, n={len(errors)}: {told(errors)}")
    assert statistics.median(one.written for one in errors) < 0.05
    assert min(one.written for one in errors) > -0.005


async def test_a_dovecot_killed_in_mid_idle_is_told_and_survived(dovecot: Dovecot) -> None:
    desk = Taker()
    dovecot.deliver("killed")
    async with watching(reader_of(dovecot, "killed"), desk, Memory()):
        await desk.until(lambda: desk.taken)
        dovecot.kill()
        await desk.until(lambda: desk.blind)
        assert "connection lost" in desk.blind[0][1]
        proofs = len(desk.proofs)
        dovecot.start()
        dovecot.deliver("killed")
        await desk.until(lambda: len(desk.proofs) > proofs and len(desk.taken) == 2)


async def test_a_stopped_imap_process_is_found_within_seconds(dovecot: Dovecot) -> None:
    desk = Taker()
    before = set(dovecot.children("imap"))
    async with watching(reader_of(dovecot, "stopped"), desk, Memory()):
        await desk.until(lambda: desk.proofs)
        stopped = set(dovecot.children("imap")) - before
        assert stopped
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            began = desk.clock.now()
            desk.accept()
            dovecot.deliver("stopped")
            await desk.until(lambda: desk.taken)
            print(f"\nhalf-dead: replaced and read after {desk.clock.now() - began:.1f} s")
            assert "did not answer" in desk.blind[0][1]
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGKILL)


async def test_two_watchers_share_a_mailbox(dovecot: Dovecot) -> None:
    desks = [Taker(), Taker()]
    reader = reader_of(dovecot, "both")
    async with watching(reader, desks[0], Memory()), watching(reader, desks[1], Memory()):
        for desk in desks:
            await desk.until(lambda desk=desk: desk.proofs)
            desk.accept()
        for _ in range(5):
            await asyncio.to_thread(dovecot.deliver, "both")
        for desk in desks:
            await desk.until(lambda desk=desk: len(desk.taken) == 5)
            assert [place.uid for place, *_ in desk.taken] == [1, 2, 3, 4, 5]
            assert desk.blind == []
