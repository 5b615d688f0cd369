"""The world of the live tests does what the other tests take for granted."""

from __future__ import annotations

import imaplib
import smtplib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest

from probe.core.model import TlsMode
from tests.live.world import (
    PASSWORD,
    Certificate,
    CertificateAuthority,
    Dovecot,
    Nsd,
    Pool,
    Postfix,
    ServerFailed,
    ServerMissing,
    World,
    wait_until,
)
from tests.live.world.server import Server

RECIPIENT = "probe@corp.test"


def letter(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "probe@shop.test"
    message["To"] = RECIPIENT
    message["Subject"] = subject
    message.set_content("A message of the tests.\n")
    return message


def submit(node: Postfix, subject: str, recipient: str = RECIPIENT) -> None:
    with smtplib.SMTP(node.address, node.port, timeout=10) as client:
        client.send_message(letter(subject), to_addrs=[recipient])


def has_arrived(dovecot: Dovecot, subject: str, folder: str = "INBOX") -> Callable[[], bool]:
    wanted = f"Subject: {subject}\r\n".encode()
    unix = wanted.replace(b"\r\n", b"\n")
    return lambda: any(
        wanted in message.content() or unix in message.content()
        for message in dovecot.delivered(RECIPIENT, folder)
    )


def imap(dovecot: Dovecot) -> imaplib.IMAP4:
    return imaplib.IMAP4(dovecot.address, dovecot.imap_port, timeout=10)


def test_every_node_delivers_to_the_maildir(calm_pool: Pool) -> None:
    began = time.time()
    for node in calm_pool.nodes:
        submit(node, f"through {node.name}")
    for node in calm_pool.nodes:
        wait_until(has_arrived(calm_pool.dovecot, f"through {node.name}"), f"mail by {node.name}")
    last = calm_pool.dovecot.delivered(RECIPIENT)[-1]
    assert began - 0.01 <= last.when <= time.time()


def test_a_frozen_queue_manager_holds_mail_until_it_goes_on(pool: Pool) -> None:
    node = pool.nodes[1]
    node.pause_queue_manager()
    submit(node, "held")
    submit(pool.nodes[0], "not held")
    wait_until(has_arrived(pool.dovecot, "not held"), "the mail of the healthy node")
    assert node.queue_length() == 1
    assert not has_arrived(pool.dovecot, "held")()
    node.resume_queue_manager()
    wait_until(has_arrived(pool.dovecot, "held"), "the mail that was held")
    wait_until(lambda: node.queue_length() == 0, "an empty queue")


def test_a_reload_is_in_force_when_it_returns(pool: Pool) -> None:
    node = pool.nodes[0]
    node.reload(defer_transports="lmtp")
    submit(node, "deferred")
    wait_until(lambda: b"deferred transport" in node.log.read_bytes(), "the deferral in the log")
    assert node.queue_length() == 1
    node.reload(defer_transports=None)
    node.flush()
    wait_until(has_arrived(pool.dovecot, "deferred"), "the mail that was deferred")


def test_a_refusal_is_in_force_for_the_next_connection(pool: Pool) -> None:
    pool.nodes[0].reload(smtpd_recipient_restrictions="reject")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        submit(pool.nodes[0], "refused")


def test_mail_waits_for_dovecot_to_come_back(pool: Pool) -> None:
    pool.dovecot.stop()
    with pytest.raises(ConnectionRefusedError):
        imap(pool.dovecot)
    submit(pool.nodes[0], "waited")
    wait_until(lambda: b"Connection refused" in pool.nodes[0].log.read_bytes(), "a failed delivery")
    pool.dovecot.start()
    wait_until(has_arrived(pool.dovecot, "waited"), "the mail that waited")


def test_a_frozen_dovecot_accepts_and_says_nothing(world: World) -> None:
    dovecot = world.run(Dovecot(world))
    dovecot.pause()
    with socket.create_connection((dovecot.address, dovecot.imap_port)) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        dovecot.resume()
        connection.settimeout(10)
        assert connection.recv(4) == b"* OK"


def test_a_killed_node_comes_back_with_its_queue(pool: Pool) -> None:
    node = pool.nodes[2]
    node.pause_queue_manager()
    submit(node, "survivor")
    node.kill()
    with pytest.raises(ConnectionRefusedError):
        submit(node, "too late")
    node.start()
    wait_until(has_arrived(pool.dovecot, "survivor"), "the mail of the killed node")


def test_imap_logs_in_and_finds_the_junk_folder(calm_pool: Pool) -> None:
    with imap(calm_pool.dovecot) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login(RECIPIENT, "wrong")
        client.login(RECIPIENT, PASSWORD)
        _, folders = client.list()
    assert any(b"\\Junk" in folder for folder in folders if isinstance(folder, bytes))


def test_a_filter_files_mail_as_junk(pool: Pool) -> None:
    pool.dovecot.filter('require "fileinto"; fileinto "Junk";')
    submit(pool.nodes[0], "filtered")
    wait_until(has_arrived(pool.dovecot, "filtered", "Junk"), "the mail in Junk")
    assert not has_arrived(pool.dovecot, "filtered")()


def test_details_of_an_address_are_the_same_mailbox(calm_pool: Pool) -> None:
    submit(calm_pool.nodes[0], "detailed", recipient="probe+id7@corp.test")
    wait_until(has_arrived(calm_pool.dovecot, "detailed"), "mail to probe+id7")


def test_nsd_serves_what_was_published_last(world: World) -> None:
    nsd = world.run(Nsd(world, {"relay.test": "smtp A 127.0.0.11\nsmtp A 127.0.0.12"}))
    assert addresses(nsd, "smtp.relay.test") == {"127.0.0.11", "127.0.0.12"}
    nsd.publish("relay.test", "smtp 5 A 127.0.0.13")
    assert addresses(nsd, "smtp.relay.test") == {"127.0.0.13"}
    nsd.stop()
    assert not nsd.processes()


def addresses(nsd: Nsd, name: str) -> set[str]:
    query = dns.message.make_query(name, dns.rdatatype.A)
    answer = dns.query.udp(query, nsd.address, timeout=5, port=nsd.port)
    return {record.address for rrset in answer.answer for record in rrset}


@pytest.fixture(scope="module")
def tls_dovecot(calm_world: World) -> Dovecot:
    return calm_world.run(Dovecot(calm_world))


def good(authority: CertificateAuthority) -> Certificate:
    return authority.issue("smtp.test", "127.0.0.11")


def expired(authority: CertificateAuthority) -> Certificate:
    return authority.issue("smtp.test", expired=True)


def misnamed(authority: CertificateAuthority) -> Certificate:
    return authority.issue("other.test")


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
@pytest.mark.parametrize(
    ("issue", "complaint"),
    [(good, None), (expired, "has expired"), (misnamed, "mismatch")],
)
def test_postfix_shows_the_certificate_that_it_was_given(
    world: World,
    authority: CertificateAuthority,
    tls_dovecot: Dovecot,
    mode: TlsMode,
    issue: Callable[[CertificateAuthority], Certificate],
    complaint: str | None,
) -> None:
    certificate = issue(authority)
    lmtp = tls_dovecot.lmtp_port
    node = world.run(Postfix(world, "node", lmtp_port=lmtp, tls=mode, certificate=certificate))
    context = ssl.create_default_context(cafile=authority.ca_file)
    if complaint is None:
        assert smtp_certificate_end(node, context) == certificate.not_after
    else:
        with pytest.raises(ssl.SSLCertVerificationError, match=complaint):
            smtp_certificate_end(node, context)


def smtp_certificate_end(node: Postfix, context: ssl.SSLContext) -> datetime:
    with socket.create_connection((node.address, node.port), timeout=10) as plain:
        if node.tls is TlsMode.STARTTLS:
            plain.recv(1000)
            plain.sendall(b"STARTTLS\r\n")
            assert plain.recv(1000).startswith(b"220")
        with context.wrap_socket(plain, server_hostname="smtp.test") as secured:
            shown = secured.getpeercert()
    assert shown is not None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)


def test_a_stranger_does_not_trust_the_authority(authority: CertificateAuthority) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    assert authority.issue("smtp.test", not_after=soon).not_after == soon
    trusted = ssl.create_default_context().get_ca_certs()
    assert not [ca for ca in trusted if "authority" in str(ca["subject"])]


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
def test_imap_speaks_tls(world: World, authority: CertificateAuthority, mode: TlsMode) -> None:
    dovecot = world.run(Dovecot(world, tls=mode, certificate=authority.issue("127.0.0.1")))
    context = ssl.create_default_context(cafile=authority.ca_file)
    if mode is TlsMode.IMPLICIT:
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(
            dovecot.address, dovecot.imap_port, ssl_context=context, timeout=10
        )
    else:
        client = imap(dovecot)
        client.starttls(context)
    with client:
        assert client.login(RECIPIENT, PASSWORD)[0] == "OK"


def test_a_relay_can_demand_a_login(world: World) -> None:
    pool = world.run(Pool(world, addresses=["127.0.0.11"], login=True))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        submit(pool.nodes[0], "anonymous")
    with smtplib.SMTP(pool.nodes[0].address, pool.port, timeout=10) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(RECIPIENT, "wrong")
        client.login(RECIPIENT, PASSWORD)
        client.send_message(letter("known"))
    wait_until(has_arrived(pool.dovecot, "known"), "the mail of who logged in")


def test_two_worlds_never_meet() -> None:
    with World() as one, World() as other:
        assert one.directory != other.directory
        assert not {one.port() for _ in range(20)} & {other.port() for _ in range(20)}


def test_nothing_is_left_of_a_world() -> None:
    with World() as world:
        dovecot = world.run(Dovecot(world))
        assert dovecot.processes()
        directory = world.directory
    assert not dovecot.processes()
    assert not directory.exists()


class Absent(Server):
    """A server that no machine has."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, binary="/nowhere/absent", package="absent-server")

    def _configure(self) -> None: ...

    def _arguments(self) -> list[str]:
        return []

    def _is_ready(self) -> bool:
        return True


def test_a_missing_server_is_named_with_its_package(world: World) -> None:
    with pytest.raises(ServerMissing, match="package absent-server; `make test` installs it"):
        Absent(world.folder("absent")).start()


def test_a_server_that_fails_to_start_shows_its_log(world: World) -> None:
    broken = Nsd(world, {"bad.test": "this is no record"})
    broken.address = "192.0.2.1"  # No address of this machine.
    with pytest.raises(ServerFailed, match="can't bind"):
        world.run(broken)
