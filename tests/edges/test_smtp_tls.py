"""TLS is required, verified against the relay's name, and its failures are told apart."""

import asyncio
from datetime import UTC, datetime

import pytest

from probe.core.model import Break, Phase, Reason, TlsMode
from probe.core.outcome import evidence, reason_of
from tests.certificates import DAY, CertificateAuthority
from tests.edges.smtp_peer import Client, Peer, serving, serving_peer

STARTTLS = ("STARTTLS", "SIZE 1000")


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


def peer_with(issued, mode, **replies):
    return Peer(
        offers=STARTTLS,
        tls=issued.server_context(),
        implicit=mode is TlsMode.IMPLICIT,
        **replies,
    )


def client_of(authority, mode, **more):
    return Client(**{"tls": mode, "ca_file": str(authority.ca_file)} | more)


both = pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])


@both
async def test_connected_by_address_verified_by_name(authority, mode):
    issued = authority.issue("mx.test")
    client = client_of(authority, mode)
    async with serving_peer(peer_with(issued, mode)) as peer:
        attempt = await client.submit(peer.port)
    assert attempt.reply.code == 250, attempt.detail
    assert attempt.certificate_end == issued.not_after.timestamp()
    way = {
        TlsMode.IMPLICIT: [Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.EHLO],
        TlsMode.STARTTLS: [Phase.CONNECT, Phase.GREETING, Phase.EHLO, Phase.TLS],
    }[mode]
    assert [timed.phase for timed in attempt.phases][:4] == way
    assert client.entered[:4] == way
    assert peer.commands.count("EHLO localhost") == (2 if mode is TlsMode.STARTTLS else 1)


async def test_the_earliest_end_is_that_of_the_chain(tmp_path):
    now = datetime.now(UTC).replace(microsecond=0)
    authority = CertificateAuthority(tmp_path, not_after=now + 3 * DAY)
    issued = authority.issue("mx.test", not_after=now + 10 * DAY)
    async with serving_peer(peer_with(issued, TlsMode.STARTTLS)) as peer:
        attempt = await client_of(authority, TlsMode.STARTTLS).submit(peer.port)
    assert attempt.certificate_end == authority.not_after.timestamp()


@both
async def test_an_authority_without_the_usual_extensions_is_trusted(tmp_path, mode):
    authority = CertificateAuthority(tmp_path, bare=True)
    async with serving_peer(peer_with(authority.issue("mx.test", chain=False), mode)) as peer:
        attempt = await client_of(authority, mode).submit(peer.port)
    assert attempt.reply.code == 250, attempt.detail


@both
async def test_a_relay_that_is_an_address_is_verified_as_one(authority, mode):
    issued = authority.issue("127.0.0.1")
    client = client_of(authority, mode, host="127.0.0.1")
    async with serving_peer(peer_with(issued, mode)) as peer:
        attempt = await client.submit(peer.port)
    assert attempt.reply.code == 250, attempt.detail


async def test_a_self_signed_certificate_may_be_the_trusted_one(tmp_path):
    """Its name is wrong here, which is all there is to complain about."""
    authority = CertificateAuthority(tmp_path, bare=True)
    async with serving_peer(peer_with(authority.own(), TlsMode.STARTTLS)) as peer:
        attempt = await client_of(authority, TlsMode.STARTTLS).submit(peer.port)
    assert evidence(attempt) == "the certificate is not for mx.test but for no name at all"


@both
@pytest.mark.parametrize(
    ("names", "expired", "host", "words"),
    [
        (["mx.test"], True, "mx.test", "the certificate has expired (the first of its chain on 20"),
        (
            ["a.test", "127.0.0.1"],
            False,
            "mx.test",
            "the certificate is not for mx.test but for a.test, 127.0.0.1",
        ),
        (["mx.test"], False, "127.0.0.1", "the certificate is not for 127.0.0.1 but for mx.test"),
        (
            [f"a{n}.test" for n in range(9)],
            False,
            "mx.test",
            "but for a0.test, a1.test, a2.test, a3.test, a4.test and 4 more",
        ),
        (["\x1b[31m.test"], False, "mx.test", "but for [31m.test"),
    ],
)
async def test_a_bad_certificate_is_told_what_is_bad(
    authority, mode, *, names, expired, host, words
):
    issued = authority.issue(*names, expired=expired)
    async with serving_peer(peer_with(issued, mode)) as peer:
        attempt = await client_of(authority, mode, host=host).submit(peer.port)
        await peer.gone.wait()
    assert (attempt.phase, attempt.broken) == (Phase.TLS, Break.TLS_FAILED)
    assert reason_of(attempt) is Reason.TLS_ERROR
    assert words in evidence(attempt)
    assert attempt.certificate_end == issued.not_after.timestamp()
    assert attempt.phases[-1].phase is Phase.TLS


@both
@pytest.mark.parametrize("kind", ["other CA", "other CA, with chain", "self-signed"])
async def test_an_untrusted_certificate_is_told_what_is_untrusted(authority, tmp_path, mode, kind):
    other = CertificateAuthority(tmp_path, "Other CA")
    issued, words = {
        "other CA": (
            other.issue("mx.test", chain=False),
            "the certificate's issuer is not trusted (CN=Other CA)",
        ),
        "other CA, with chain": (
            other.issue("mx.test"),
            "the certificate comes from a root that is not trusted (CN=Other CA)",
        ),
        "self-signed": (other.own(), "the certificate is self-signed and not trusted"),
    }[kind]
    async with serving_peer(peer_with(issued, mode)) as peer:
        attempt = await client_of(authority, mode).submit(peer.port)
    assert (attempt.broken, evidence(attempt)) == (Break.TLS_FAILED, words)
    assert attempt.certificate_end == issued.not_after.timestamp()


@pytest.mark.parametrize(
    ("offers", "replies", "broken", "words"),
    [
        (["SIZE 1"], {}, Break.TLS_FAILED, "the server does not offer STARTTLS"),
        (
            STARTTLS,
            {"STARTTLS": b"454 4.7.0 TLS not available\r\n"},
            Break.TLS_FAILED,
            "STARTTLS was refused with 454 4.7.0 TLS not available",
        ),
        (STARTTLS, {"STARTTLS": b"250 fine\r\n"}, Break.GARBAGE, "an unexpected reply: 250 fine"),
        (STARTTLS, {"STARTTLS": b"220 go\r\n250 mx\r\n"}, Break.GARBAGE, "more than one reply"),
    ],
)
async def test_there_is_no_way_around_starttls(authority, offers, replies, *, broken, words):
    async with serving_peer(Peer(offers=offers, **replies)) as peer:
        attempt = await client_of(authority, TlsMode.STARTTLS, username="u", secret="p").submit(
            peer.port
        )
        await peer.gone.wait()
    assert (attempt.phase, attempt.broken) == (Phase.TLS, broken)
    assert words in evidence(attempt)
    assert {command.split()[0] for command in peer.commands} <= {"EHLO", "STARTTLS"}


async def test_421_to_starttls_is_a_reply(authority):
    async with serving_peer(Peer(offers=STARTTLS, STARTTLS=b"421 4.3.2 closing\r\n")) as peer:
        attempt = await client_of(authority, TlsMode.STARTTLS).submit(peer.port)
    assert (attempt.phase, attempt.broken, attempt.reply.code) == (Phase.TLS, None, 421)


async def test_a_server_that_does_not_speak_tls_is_named(authority):
    async with serving_peer(Peer()) as peer:
        attempt = await client_of(authority, TlsMode.IMPLICIT).submit(peer.port)
    assert evidence(attempt) == "the server does not speak TLS there"
    assert attempt.certificate_end is None


@pytest.mark.parametrize(
    ("alert", "words"),
    [
        (70, "the server has no TLS version that we accept (1.2 or newer)"),
        (40, "the TLS handshake failed: SSLV3_ALERT_HANDSHAKE_FAILURE"),
    ],
)
async def test_an_alert_of_the_server_is_named(authority, alert, words):
    async def refuse(reader, writer):
        await reader.read(5)
        writer.write(bytes([21, 3, 3, 0, 2, 2, alert]))  # A fatal alert (RFC 8446 §6).
        await writer.drain()

    async with serving(refuse) as port:
        attempt = await client_of(authority, TlsMode.IMPLICIT).submit(port)
    assert (attempt.phase, attempt.broken) == (Phase.TLS, Break.TLS_FAILED)
    assert words in evidence(attempt)


@pytest.mark.parametrize("ca_file", ["/nonexistent/ca.pem", "/dev/null"])
async def test_a_ca_file_that_cannot_be_used_is_our_fault(ca_file):
    async with serving_peer(Peer(offers=STARTTLS)) as peer:
        attempt = await Client(tls=TlsMode.STARTTLS, ca_file=ca_file).submit(peer.port)
    assert (attempt.phase, attempt.broken) == (Phase.TLS, Break.LOCAL)
    assert attempt.detail.startswith(f"ca_file {ca_file}: ")


@both
async def test_a_handshake_that_stalls_is_watched_to_the_end(authority, mode):
    async def stall(reader, writer):
        if mode is TlsMode.STARTTLS:
            writer.write(b"220 mx.test\r\n")
            await reader.readline()
            writer.write(b"250-mx.test\r\n250 STARTTLS\r\n")
            await reader.readline()
            writer.write(b"220 go\r\n")
        await reader.read()

    gone = asyncio.Event()
    async with serving(stall, gone) as port:
        attempt = await client_of(authority, mode, hard=0.3).submit(port)
        await gone.wait()
    assert (attempt.phase, attempt.broken) == (Phase.TLS, Break.TIMED_OUT)
    before = mode is TlsMode.IMPLICIT
    assert reason_of(attempt) is (Reason.GREETING_TIMEOUT if before else Reason.TIMEOUT)


@both
async def test_a_quit_without_close_notify_does_no_harm(authority, mode):
    class Rude(Peer):
        async def talk(self, reader, writer):
            await super().talk(reader, writer)
            writer.transport.abort()

    rude = Rude(
        offers=STARTTLS,
        tls=authority.issue("mx.test").server_context(),
        implicit=mode is TlsMode.IMPLICIT,
    )
    async with serving_peer(rude) as peer:
        attempt = await client_of(authority, mode).submit(peer.port)
    assert attempt.reply.code == 250


async def test_a_node_with_a_name_of_its_own_is_verified_by_that(authority):
    client = client_of(authority, TlsMode.STARTTLS)
    async with serving_peer(peer_with(authority.issue("mx1.test"), TlsMode.STARTTLS)) as peer:
        own = await client.submit(peer.port, tls_name="mx1.test")
        others = await client.submit(peer.port, tls_name="mx2.test")
        relays = await client.submit(peer.port)
    assert own.reply.code == 250, own.detail
    assert others.detail == "the certificate is not for mx2.test but for mx1.test"
    assert relays.detail == "the certificate is not for mx.test but for mx1.test"


async def test_a_node_may_speak_tls_in_another_way_than_its_relay(authority):
    client = client_of(authority, TlsMode.NONE)
    async with serving_peer(peer_with(authority.issue("mx.test"), TlsMode.IMPLICIT)) as peer:
        attempt = await client.submit(peer.port, tls=TlsMode.IMPLICIT)
    assert attempt.reply.code == 250, attempt.detail
