"""A submission does what SMTP says, phase by phase, and reports the facts."""

import asyncio
import socket

import pytest

from probe.core.model import AuthMode, Break, Phase, Reply
from probe.core.node_plan import IpVersion
from probe.core.outcome import evidence, reason_of
from probe.ports import ResolveFailure, SecretUnreadable
from tests.edges.smtp_peer import CLOSE, SILENCE, Client, Names, Peer, serving_peer

PLAIN = [
    Phase.CONNECT,
    Phase.GREETING,
    Phase.EHLO,
    Phase.MAIL,
    Phase.RCPT,
    Phase.DATA,
    Phase.ACK,
    Phase.QUIT,
]


async def test_a_letter_is_handed_over_and_every_phase_is_timed():
    client = Client(helo="prober.test")
    async with serving_peer(Peer()) as peer:
        attempt = await client.submit(peer.port)
        await peer.gone.wait()
    assert attempt.reply == Reply(250, "2.0.0", "Ok: queued as ABC123")
    assert (attempt.phase, attempt.broken, reason_of(attempt)) == (Phase.ACK, None, None)
    assert attempt.queue_id == "ABC123"
    assert attempt.greeting_host == "mx.test"
    assert [timed.phase for timed in attempt.phases] == PLAIN == client.entered
    assert all(timed.seconds >= 0.0 for timed in attempt.phases)
    assert attempt.dot <= attempt.ended
    assert peer.commands == [
        "EHLO prober.test",
        "MAIL FROM:<probe@shop.test> SIZE=29 RET=HDRS ENVID=id+3D1",
        "RCPT TO:<probe+x@box.test> NOTIFY=FAILURE,DELAY ORCPT=rfc822;probe+2Bx@box.test",
        "DATA",
        "QUIT",
    ]
    assert peer.messages == [b"Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n.\r\n"]


async def test_what_is_not_offered_is_not_used():
    async with serving_peer(Peer(offers=())) as peer:
        await Client().submit(peer.port)
    assert peer.commands[1:3] == ["MAIL FROM:<probe@shop.test>", "RCPT TO:<probe+x@box.test>"]


@pytest.mark.parametrize(
    ("verb", "reply", "phase"),
    [
        ("greeting", b"554 5.7.1 no\r\n", Phase.GREETING),
        ("greeting", b"421 4.3.2 no\r\n", Phase.GREETING),
        ("EHLO", b"550 no\r\n", Phase.EHLO),
        ("MAIL", b"530 5.7.0 log in\r\n", Phase.MAIL),
        ("RCPT", b"450-4.2.0 not\r\n450 4.2.0 yet\r\n", Phase.RCPT),
        ("RCPT", b"421 4.4.2 closing\r\n", Phase.RCPT),
        ("DATA", b"451 4.3.0 no\r\n", Phase.DATA),
        ("dot", b"552 5.2.2 full\r\n", Phase.ACK),
    ],
)
async def test_a_refusal_ends_the_attempt_with_its_reply(verb, reply, phase):
    client = Client()
    async with serving_peer(Peer(**{verb: reply})) as peer:
        attempt = await client.submit(peer.port)
        await peer.gone.wait()
    assert (attempt.phase, attempt.broken, attempt.reply.code) == (phase, None, int(reply[:3]))
    assert attempt.reply.enhanced in ("", reply[4:9].decode())
    assert attempt.queue_id == ""
    says_goodbye = attempt.reply.code != 421
    assert (Phase.QUIT in client.entered) is says_goodbye
    assert (attempt.phases[-1].phase is Phase.QUIT) is says_goodbye
    assert (peer.commands[-1:] == ["QUIT"]) is says_goodbye


async def test_lines_of_a_reply_become_one_text():
    async with serving_peer(Peer(RCPT=b"450-4.2.0 not\r\n450 4.2.0 yet\r\n")) as peer:
        attempt = await Client().submit(peer.port)
    assert attempt.reply == Reply(450, "4.2.0", "not yet")
    assert evidence(attempt).startswith("RCPT TO was refused with 450 4.2.0 not yet after 0.")


# ---- connecting


async def test_a_closed_port_refuses():
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        attempt = await Client().submit(unheard.getsockname()[1])
    assert (attempt.phase, attempt.broken) == (Phase.CONNECT, Break.REFUSED)
    assert evidence(attempt) == "connection refused"


async def test_a_port_that_does_not_answer_times_out():
    """A full backlog drops the packets of who comes next."""
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())
        attempt = await Client(hard=1.0).submit(full.getsockname()[1])
    assert (attempt.phase, attempt.broken) == (Phase.CONNECT, Break.TIMED_OUT)
    assert evidence(attempt) == "no connection came about within 1.0 s"


async def test_a_node_may_have_an_ipv6_address():
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as silent:
        attempt = await Client(hard=1.0).submit(silent.getsockname()[1], host="::1")
    assert (attempt.phase, attempt.broken) == (Phase.GREETING, Break.TIMED_OUT)


@pytest.mark.parametrize("source", ["192.0.2.1", "::1"])
async def test_a_source_address_that_is_not_ours_is_our_fault(source):
    async with serving_peer(Peer()) as peer:
        attempt = await Client(source_address=source).submit(peer.port)
    assert (attempt.phase, attempt.broken) == (Phase.CONNECT, Break.LOCAL)
    assert attempt.detail


async def test_the_source_address_is_used():
    seen = []

    class Looking(Peer):
        async def talk(self, reader, writer):
            seen.append(writer.get_extra_info("peername")[0])
            await super().talk(reader, writer)

    async with serving_peer(Looking()) as peer:
        await Client(source_address="127.0.0.8").submit(peer.port)
    assert seen == ["127.0.0.8"]


@pytest.mark.parametrize("found", [["127.0.0.1"], ["127.0.0.1", "::1"], ["::1", "127.0.0.1"]])
async def test_a_name_is_resolved_and_ipv4_goes_first(found):
    client = Client(names=Names(relay=found))
    async with serving_peer(Peer()) as peer:
        attempt = await client.submit(peer.port, host="relay")
    assert attempt.broken is None
    assert client.entered == [Phase.DNS, *PLAIN]
    assert attempt.phases[0].phase is Phase.DNS


@pytest.mark.parametrize(
    ("choice", "source", "found"),
    [
        (IpVersion.FOUR, None, ["::1", "127.0.0.1"]),
        (IpVersion.BOTH, None, ["::1", "127.0.0.1"]),
        (IpVersion.AUTO, "127.0.0.8", ["::1", "127.0.0.1"]),
        (IpVersion.AUTO, None, ["fe80::1", "127.0.0.1"]),
    ],
)
async def test_an_address_that_is_wanted_and_has_a_route_is_chosen(choice, source, found):
    client = Client(names=Names(relay=found), ip_version=choice, source_address=source)
    async with serving_peer(Peer()) as peer:
        attempt = await client.submit(peer.port, host="relay")
    assert attempt.broken is None, attempt.detail


async def test_a_name_without_an_address_of_the_wanted_version_ends_it():
    client = Client(names=Names(relay=["127.0.0.1"]), ip_version=IpVersion.SIX)
    attempt = await client.submit(25, host="relay")
    detail = "relay has no IPv6 address"
    assert (attempt.phase, attempt.broken, attempt.detail) == (Phase.DNS, Break.NAME_ERROR, detail)


async def test_a_node_that_is_nowhere_ends_it():
    attempt = await Client().submit(25, host="")
    detail = "no host is known for mx.test"
    assert (attempt.phase, attempt.broken, attempt.detail) == (Phase.DNS, Break.NAME_ERROR, detail)


@pytest.mark.parametrize(
    ("found", "words"),
    [([], "relay has no address"), (ResolveFailure("SERVFAIL"), "relay: SERVFAIL")],
)
async def test_a_name_without_addresses_ends_it(found, words):
    attempt = await Client(names=Names(relay=found)).submit(25, host="relay")
    assert (attempt.phase, attempt.broken, attempt.detail) == (Phase.DNS, Break.NAME_ERROR, words)


# ---- logging in


def logging_in(**more):
    return Client(**{"username": "tim", "secret": "geheim"} | more)


@pytest.mark.parametrize(
    ("offered", "replies", "said"),
    [
        ("AUTH PLAIN LOGIN", b"235 ok\r\n", ["AUTH PLAIN AHRpbQBnZWhlaW0="]),
        (
            "AUTH=LOGIN",
            {"AUTH": b"334 VXNlcm5hbWU6\r\n", "DGLT": b"334 UGFzc3dvcmQ6\r\n"},
            ["AUTH LOGIN", "dGlt", "Z2VoZWlt"],
        ),
        (
            "AUTH CRAM-MD5 SCRAM-SHA-256",
            {"AUTH": b"334 PDFAbXgudGVzdD4=\r\n"},
            ["AUTH CRAM-MD5", "dGltIDc1ZmRiNWFmN2E5ZmZhOGEyY2FjMzc1OTljYzgwZGZl"],
        ),
    ],
)
async def test_the_first_mechanism_offered_is_spoken(offered, replies, said):
    replies = replies if isinstance(replies, dict) else {"AUTH": replies}
    async with serving_peer(Peer(offers=[offered], **replies)) as peer:
        attempt = await logging_in().submit(peer.port)
    assert attempt.broken is None, attempt.detail
    assert attempt.reply.code == 250
    assert peer.commands[1 : 1 + len(said)] == said


@pytest.mark.parametrize(
    ("auth", "offered"),
    [(AuthMode.AUTO, "AUTH GSSAPI"), (AuthMode.AUTO, "SIZE 1"), (AuthMode.LOGIN, "AUTH PLAIN")],
)
async def test_without_a_mechanism_nothing_is_tried(auth, offered):
    async with serving_peer(Peer(offers=[offered])) as peer:
        attempt = await logging_in(auth=auth).submit(peer.port)
        await peer.gone.wait()
    assert (attempt.phase, attempt.broken) == (Phase.AUTH, Break.NO_MECHANISM)
    assert auth in attempt.detail
    assert [command.split()[0] for command in peer.commands] == ["EHLO"]


@pytest.mark.parametrize("code", [535, 454, 504])
async def test_a_refused_login_is_tried_once(code):
    reply = f"{code} 5.7.8 no\r\n".encode()
    async with serving_peer(Peer(offers=["AUTH PLAIN LOGIN CRAM-MD5"], AUTH=reply)) as peer:
        attempt = await logging_in().submit(peer.port)
        await peer.gone.wait()
    assert (attempt.phase, attempt.reply.code) == (Phase.AUTH, code)
    assert [command.split()[0] for command in peer.commands] == ["EHLO", "AUTH", "QUIT"]


async def test_an_echoed_password_is_not_repeated():
    echo = b"535 5.7.8 AHRpbQBnZWhlaW0= is wrong, geheim\r\n"
    async with serving_peer(Peer(offers=["AUTH PLAIN"], AUTH=echo)) as peer:
        attempt = await logging_in().submit(peer.port)
    assert attempt.reply.text == "*** is wrong, ***"


async def test_a_secret_echoed_out_of_protocol_is_not_repeated_either():
    async with serving_peer(Peer(offers=["AUTH PLAIN"], AUTH=b"AUTH geheim\r\n")) as peer:
        attempt = await logging_in().submit(peer.port)
    assert attempt.broken is Break.GARBAGE
    assert "***" in attempt.detail
    assert "geheim" not in attempt.detail


@pytest.mark.parametrize("secret", [SecretUnreadable("/run/x: gone"), None])
async def test_a_password_that_cannot_be_read_is_our_fault(secret):
    async with serving_peer(Peer(offers=["AUTH PLAIN"])) as peer:
        attempt = await logging_in(secret=secret).submit(peer.port)
    assert (attempt.phase, attempt.broken) == (Phase.AUTH, Break.LOCAL)
    assert attempt.detail in ("/run/x: gone", "there is a username, and no password")


@pytest.mark.parametrize(
    ("offered", "challenges"),
    [
        ("AUTH PLAIN", {"AUTH": b"334 more\r\n"}),
        ("AUTH CRAM-MD5", {"AUTH": b"334 no base64!\r\n"}),
    ],
)
async def test_a_challenge_without_an_answer_breaks_the_protocol(offered, challenges):
    async with serving_peer(Peer(offers=[offered], **challenges)) as peer:
        attempt = await logging_in().submit(peer.port)
    assert (attempt.phase, attempt.broken) == (Phase.AUTH, Break.GARBAGE)


# ---- time


async def test_a_slow_reply_is_waited_for_and_timed_truly():
    class Slow(Peer):
        async def _say(self, writer, reader, verb, polite):
            if verb == "RCPT":
                await asyncio.sleep(1.0)  # The thing that is measured.
            return await super()._say(writer, reader, verb, polite)

    async with serving_peer(Slow()) as peer:
        attempt = await Client().submit(peer.port)
    seconds = {timed.phase: timed.seconds for timed in attempt.phases}
    assert attempt.reply.code == 250
    assert 0.99 < seconds[Phase.RCPT] < 10.0
    assert seconds[Phase.MAIL] < 0.99


async def test_the_hard_limit_is_over_the_whole_attempt():
    async with serving_peer(Peer(RCPT=SILENCE)) as peer:
        attempt = await Client(hard=1.0).submit(peer.port)
        await peer.gone.wait()
    assert (attempt.phase, attempt.broken) == (Phase.RCPT, Break.TIMED_OUT)
    assert 0.9 < sum(timed.seconds for timed in attempt.phases) < 10.0


@pytest.mark.parametrize(("dot", "how"), [(SILENCE, Break.TIMED_OUT), (CLOSE, Break.LOST)])
async def test_a_missing_last_reply_leaves_it_open(dot, how):
    async with serving_peer(Peer(dot=dot)) as peer:
        attempt = await Client(hard=1.0).submit(peer.port)
    assert (attempt.phase, attempt.broken, attempt.reply) == (Phase.ACK, how, None)
    assert attempt.dot <= attempt.ended
    assert len(peer.messages) == 1


@pytest.mark.parametrize("reply", [SILENCE, CLOSE])
async def test_a_failed_quit_judges_nothing(reply):
    async with serving_peer(Peer(QUIT=reply)) as peer:
        attempt = await Client(hard=1.0).submit(peer.port)
    assert (attempt.phase, attempt.reply.code, attempt.broken) == (Phase.ACK, 250, None)
    assert attempt.phases[-1].phase is Phase.ACK


# ---- us


async def test_what_nobody_foresaw_is_our_fault_and_logged(caplog):
    async with serving_peer(Peer()) as peer:
        attempt = await Client(helo="prüfer").submit(peer.port)
    assert (attempt.phase, attempt.broken) == (Phase.EHLO, Break.LOCAL)
    assert attempt.detail.startswith("UnicodeEncodeError: ")
    assert caplog.records[0].exc_info is not None


async def test_a_line_break_in_the_envelope_is_not_sent():
    async with serving_peer(Peer()) as peer:
        attempt = await Client(helo="a\r\nMAIL FROM:<x@y>").submit(peer.port)
    assert (attempt.phase, attempt.broken) == (Phase.EHLO, Break.LOCAL)
    assert peer.commands == []
