"""Whatever a server does, there is an attempt with a reason: in time, in bounded memory."""

import asyncio
import gc
import socket
import struct
import tracemalloc

import pytest

from probe.core.model import Break, Phase, Reason, TlsMode
from probe.core.outcome import evidence, reason_of
from tests.certificates import CertificateAuthority
from tests.edges.smtp_peer import CLOSE, SILENCE, Client, Peer, serving, serving_peer

VERBS = {
    "greeting": Phase.GREETING,
    "EHLO": Phase.EHLO,
    "AUTH": Phase.AUTH,
    "MAIL": Phase.MAIL,
    "RCPT": Phase.RCPT,
    "DATA": Phase.DATA,
    "dot": Phase.ACK,
}
ANSWERS = {"greeting": b"220", "DATA": b"354", "AUTH": b"235"}

everywhere = pytest.mark.parametrize("verb", VERBS)


@pytest.fixture(scope="module")
def young_garbage():
    """What other modules made is left out of collections: each would take 0.3 s."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
async def nothing_is_left(young_garbage):
    """No task survives a test; what is not closed warns when it is collected."""
    before = asyncio.all_tasks()
    yield
    gc.collect()
    assert asyncio.all_tasks() - {asyncio.current_task()} <= before


def client(hard=5.0, **more):
    return Client(**{"username": "u", "secret": "geheim", "hard": hard} | more)


def peer_that(verb, reply):
    return Peer(offers=["AUTH PLAIN", "DSN"], **{verb: reply})


async def attempt_with(verb, reply, **more):
    async with serving_peer(peer_that(verb, reply)) as peer:
        attempt = await client(**more).submit(peer.port)
        await peer.gone.wait()
    assert_is_safe(attempt)
    return attempt


def assert_is_safe(attempt):
    said = [attempt.detail, attempt.greeting_host, attempt.queue_id, evidence(attempt)]
    said += [attempt.reply.text] if attempt.reply else []
    for text in said:
        assert text.isprintable()
        assert len(text) < 500
        text.encode()
    assert (attempt.reply is None) is (attempt.broken is not None)


@everywhere
async def test_a_closed_connection_is_lost_where_it_was_closed(verb):
    attempt = await attempt_with(verb, CLOSE)
    assert (attempt.phase, attempt.broken) == (VERBS[verb], Break.LOST)
    lost_after_dot = verb == "dot"
    assert reason_of(attempt) is (Reason.ACK_LOST if lost_after_dot else Reason.CONNECTION_LOST)
    assert (attempt.dot is not None) is lost_after_dot


@everywhere
async def test_a_connection_closed_within_a_reply_is_lost(verb):
    class Halfway(Peer):
        async def _say(self, writer, reader, now, polite):
            await super()._say(writer, reader, now, polite)
            return now != verb

    halfway = Halfway(offers=["AUTH PLAIN"], **{verb: ANSWERS.get(verb, b"250") + b"-and"})
    async with serving_peer(halfway) as peer:
        attempt = await client().submit(peer.port)
    assert (attempt.phase, attempt.broken) == (VERBS[verb], Break.LOST)


@everywhere
async def test_a_reset_connection_is_lost(verb):
    class Resetting(Peer):
        async def _say(self, writer, reader, now, polite):
            if now == verb:
                ours = writer.get_extra_info("socket")
                ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
            return await super()._say(writer, reader, now, polite)

    async with serving_peer(Resetting(offers=["AUTH PLAIN"])) as peer:
        attempt = await client().submit(peer.port)
    assert (attempt.phase, attempt.broken) == (VERBS[verb], Break.LOST)


@everywhere
async def test_silence_ends_with_the_hard_limit(verb):
    attempt = await attempt_with(verb, SILENCE, hard=1.0)
    assert (attempt.phase, attempt.broken) == (VERBS[verb], Break.TIMED_OUT)
    assert 0.0 < attempt.phases[-1].seconds < 10.0


@everywhere
@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\xff\xfe\x1b[2J\n",
        b"\r\n",
        b"25\r\n",
        b"999 no such code\r\n",
        b"100 too early\r\n",
        b"-25 minus\r\n",
        b"abc " + b"\xff" * 9000 + b"\r\n",
    ],
)
async def test_garbage_is_called_garbage(verb, reply):
    attempt = await attempt_with(verb, reply)
    assert (attempt.phase, attempt.broken) == (VERBS[verb], Break.GARBAGE)
    assert reason_of(attempt) is Reason.PROTOCOL_ERROR
    assert attempt.detail


@everywhere
async def test_a_reply_of_the_wrong_kind_is_garbage(verb):
    wrong = b"250 what\r\n" if verb in ("greeting", "DATA") else b"354 what\r\n"
    attempt = await attempt_with(verb, wrong)
    assert (attempt.phase, attempt.broken) == (VERBS[verb], Break.GARBAGE)


@everywhere
async def test_nothing_a_reply_holds_reaches_us_raw(verb):
    dirty = b"\x1b[31mf\xfcr\x00 \xe2\x80\xaedish\xed\xa0\x80\x7f <script>" + b"x" * 2000
    attempt = await attempt_with(verb, b"550-5.1.1 " + dirty + b"\r\n550 5.1.1 end\r\n")
    assert (attempt.phase, attempt.reply.code) == (VERBS[verb], 550)
    assert attempt.reply.text.startswith("[31mfr dish <script>xxx")
    assert attempt.reply.text.endswith("…")


async def test_a_dirty_success_is_clean_too():
    peer = Peer(
        greeting=b"220 \x1b]0;\xfc\x07mx\xff.test\x00 hi\r\n",
        dot=b"250 2.0.0 Ok: queued as \x00AB\xffC\r\n",
    )
    async with serving_peer(peer):
        attempt = await Client().submit(peer.port)
    assert_is_safe(attempt)
    assert (attempt.greeting_host, attempt.queue_id) == ("]0;mx.test", "ABC")


@pytest.mark.parametrize("verb", ["greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"])
async def test_two_replies_at_once_are_not_believed(verb):
    """Else the second would pass for the reply to the next command, and so on to the dot."""
    twice = 2 * (ANSWERS.get(verb, b"250") + b" AUTH PLAIN\r\n")
    if verb == "EHLO":
        twice = b"250-mx.test\r\n250 AUTH PLAIN\r\n250 more\r\n"
    attempt = await attempt_with(verb, twice)
    assert attempt.broken is Break.GARBAGE
    assert attempt.detail.startswith("more than one reply at once: ")
    assert attempt.dot is None


async def test_a_second_reply_to_the_dot_changes_nothing():
    attempt = await attempt_with("dot", b"250 2.0.0 Ok: queued as A1\r\n554 or not\r\n")
    assert (attempt.reply.code, attempt.queue_id) == (250, "A1")


async def test_421_is_a_reply_whatever_it_answers():
    attempt = await attempt_with("dot", b"421 4.3.2 going down\r\n")
    assert (attempt.phase, attempt.broken, attempt.reply.code) == (Phase.ACK, None, 421)


# ---- too much


def pouring(*, first, piece, before=b""):
    """A server that says `first`, then `before` after a line of ours, then `piece` for ever."""

    async def pour(reader, writer):
        writer.write(first)
        if before:
            await reader.readline()
            writer.write(before)
        for _ in range(10 * 2**20 // len(piece)):
            writer.write(piece)
            await writer.drain()
        await reader.read()

    return pour


@pytest.mark.parametrize(
    ("first", "before", "phase"),
    [
        (b"220-", b"", Phase.GREETING),
        (b"220 mx.test\r\n", b"250-", Phase.EHLO),
        (b"220 mx.test\r\n", b"250-mx.test\r\n", Phase.EHLO),
    ],
)
@pytest.mark.parametrize("piece", [b"x" * 2**16, b"250-SIZE\r\n220-ho\r\n" * 2**12])
async def test_ten_megabytes_are_not_kept(first, before, phase, piece):
    gone = asyncio.Event()
    async with serving(pouring(first=first, before=before, piece=piece), gone) as port:
        tracemalloc.start()
        try:
            attempt = await Client(hard=5.0).submit(port)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        await gone.wait()
    assert_is_safe(attempt)
    assert (attempt.phase, attempt.broken) == (phase, Break.GARBAGE)
    assert peak < 2 * 2**20


async def test_endless_lines_before_the_greeting_end():
    async def greet(reader, writer):
        while True:
            writer.write(b"220-not yet\r\n")
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(greet) as port:
        attempt = await Client(hard=5.0).submit(port)
    assert (attempt.phase, attempt.broken) == (Phase.GREETING, Break.GARBAGE)
    assert attempt.detail == "a reply of over 500 lines"


async def test_a_byte_now_and_then_is_no_greeting():
    async def drip(reader, writer):
        for byte in b"220 a.very.long.name.that.takes.its.time.to.come " * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with serving(drip) as port:
        attempt = await Client(hard=1.0).submit(port)
    assert (attempt.phase, attempt.broken) == (Phase.GREETING, Break.TIMED_OUT)
    assert 0.5 < attempt.phases[-1].seconds < 10.0


@pytest.mark.parametrize(("lines", "accepted"), [(400, True), (600, False), (5000, False)])
async def test_a_long_list_of_offers_is_read_or_refused(lines, accepted):
    offers = [f"X-OFFER-{n}" for n in range(lines)]
    async with serving_peer(Peer(offers=[*offers, "SIZE"])) as peer:
        attempt = await Client().submit(peer.port)
    if accepted:
        assert attempt.reply.code == 250
        assert "SIZE=" in peer.commands[1]
    else:
        assert (attempt.phase, attempt.broken) == (Phase.EHLO, Break.GARBAGE)


# ---- being cancelled


def cancel_later(task, turns):
    """Cancel `task` after so many turns of the loop."""
    if turns == 0:
        task.cancel()
    else:
        asyncio.get_running_loop().call_soon(cancel_later, task, turns - 1)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize(
    ("mode", "phase"),
    [
        *((TlsMode.NONE, phase) for phase in [Phase.CONNECT, *VERBS.values(), Phase.QUIT]),
        *((TlsMode.STARTTLS, phase) for phase in [Phase.TLS, Phase.ACK]),
        *((TlsMode.IMPLICIT, phase) for phase in [Phase.TLS, Phase.GREETING, Phase.ACK]),
    ],
)
async def test_cancellation_closes_the_connection_at_once(issued, mode, phase, turns):
    certificate, ca_file = issued
    polite = Peer(
        offers=["AUTH PLAIN", "STARTTLS"],
        tls=certificate.server_context(),
        implicit=mode is TlsMode.IMPLICIT,
    )
    async with serving_peer(polite) as peer:
        ours = client(tls=mode, ca_file=ca_file)
        task = asyncio.create_task(
            ours.submit(peer.port, entered=lambda p: p is phase and cancel_later(task, turns))
        )
        await asyncio.wait([task])
        await peer.gone.wait()
    assert task.cancelled() or phase is Phase.QUIT


@pytest.fixture(scope="module")
def issued(tmp_path_factory):
    authority = CertificateAuthority(tmp_path_factory.mktemp("ca"))
    return authority.issue("mx.test"), str(authority.ca_file)
