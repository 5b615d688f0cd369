"""Questions of the DNS checks: whatever servers do becomes an answer, in time."""

import asyncio
import time
from collections.abc import AsyncIterator

import dns.flags
import dns.message
import dns.rcode
import pytest

from probe.core.records.answer import Answer, Question, RecordKind, Reply
from probe.edges.resolver import DnsResolver
from probe.edges.resolver_records import DnsRecords
from tests.dns_server import Script, ScriptedDns, garbage, rcode, records, scripted_dns, silence

NAME = "shop.test"
TRUNCATED = records("shop.test 60 TXT x", flags=dns.flags.TC)
LOOP = records("shop.test 60 CNAME b.test.", "b.test 60 CNAME shop.test.")


@pytest.fixture
async def server() -> AsyncIterator[ScriptedDns]:
    async with scripted_dns() as running:
        yield running


async def ask(kind: RecordKind, *servers: ScriptedDns, name: str = NAME) -> Answer:
    resolver = DnsResolver([each.address for each in servers])
    return await DnsRecords(resolver).ask(Question(name, kind))


@pytest.mark.parametrize(
    ("kind", "written", "read"),
    [
        (RecordKind.A, ["A 192.0.2.1"], ["192.0.2.1"]),
        (RecordKind.AAAA, ["AAAA 2001:DB8:0::1"], ["2001:db8::1"]),
        (RecordKind.MX, ["MX 10 MX.Shop.test.", "MX 0 ."], ["0 ", "10 mx.shop.test"]),
        (RecordKind.NS, ["NS Ns.shop.test."], ["ns.shop.test"]),
        (RecordKind.PTR, ["PTR Mail.shop.test."], ["mail.shop.test"]),
        (RecordKind.TXT, ['TXT "v=spf1 " "-all"', 'TXT "\\195\\164"'], ["v=spf1 -all", "Ã¤"]),
        (RecordKind.TLSA, ["TLSA 3 1 1 " + "AB" * 32], ["3 1 1 " + "ab" * 32]),
        (RecordKind.SOA, ["SOA Ns.test. admin.test. 7 1 2 3 4"], ["ns.test admin.test 7"]),
    ],
)
async def test_records_as_text(
    server: ScriptedDns, kind: RecordKind, written: list[str], read: list[str]
) -> None:
    server.scripts[NAME, kind.value] = records(*(f"{NAME} 60 {text}" for text in written))
    found = await ask(kind, server)
    assert (found.reply, sorted(found.records)) == (Reply.FOUND, read)
    assert found.server == f"127.0.0.1@{server.port}"
    assert not found.authenticated


async def test_what_is_missing_is_known_to_be(server: ScriptedDns) -> None:
    server.scripts[NAME, "TXT"] = records()
    assert (await ask(RecordKind.TXT, server)).reply is Reply.NO_DATA
    gone = await ask(RecordKind.MX, server)
    assert (gone.reply, gone.server) == (Reply.NO_NAME, f"127.0.0.1@{server.port}")


async def test_an_alias_is_told(server: ScriptedDns) -> None:
    server.scripts[NAME, "A"] = records(f"{NAME} 60 CNAME b.test.", "b.test 60 A 192.0.2.1")
    assert (await ask(RecordKind.A, server)).aliases == ("b.test",)


async def test_an_alias_that_a_server_leaves_open_is_followed(server: ScriptedDns) -> None:
    server.scripts[NAME, "A"] = records(f"{NAME} 60 CNAME b.other.test.")
    server.scripts["b.other.test", "A"] = records("b.other.test 60 CNAME c.third.test.")
    server.scripts["c.third.test", "A"] = records("c.third.test 60 A 192.0.2.1")
    found = await ask(RecordKind.A, server)
    assert (found.question.name, found.records) == (NAME, ("192.0.2.1",))
    assert found.aliases == ("b.other.test", "c.third.test")
    server.scripts["c.third.test", "A"] = rcode(dns.rcode.REFUSED)
    assert not (await ask(RecordKind.A, server)).is_known


async def test_a_circle_over_several_zones_ends(server: ScriptedDns) -> None:
    server.scripts[NAME, "A"] = records(f"{NAME} 60 CNAME b.other.test.")
    server.scripts["b.other.test", "A"] = records(f"b.other.test 60 CNAME {NAME}.")
    assert (await ask(RecordKind.A, server)).reply is Reply.LOOP
    assert len(server.asked) < 20


async def test_an_endless_alias_is_known_to_be_one(server: ScriptedDns) -> None:
    server.scripts[NAME, "TXT"] = LOOP
    found = await ask(RecordKind.TXT, server)
    assert (found.reply, found.is_known) == (Reply.LOOP, True)


@pytest.mark.parametrize(
    ("script", "reply", "said"),
    [
        (rcode(dns.rcode.SERVFAIL), Reply.FAILED, "SERVFAIL"),
        (rcode(dns.rcode.REFUSED), Reply.REFUSED, "REFUSED"),
        (rcode(dns.rcode.NOTIMP), Reply.FAILED, "NOTIMP"),
        (TRUNCATED, Reply.BROKEN, "truncated, over TCP too"),
        (silence, Reply.SILENT, "nothing within 1 s"),
        (garbage, Reply.SILENT, "nothing within 1 s"),
    ],
    ids=["servfail", "refused", "notimp", "truncated", "silence", "garbage"],
)
async def test_no_answer_is_never_a_missing_record(
    server: ScriptedDns, script: Script, reply: Reply, said: str
) -> None:
    server.scripts[NAME, "TXT"] = script
    began = time.monotonic()
    found = await ask(RecordKind.TXT, server)
    assert time.monotonic() - began < 9.5
    assert (found.reply, found.is_known, found.records) == (reply, False, ())
    assert said in found.detail
    assert len(server.asked) >= 2, "it was asked again"


async def test_a_second_server_is_asked(server: ScriptedDns) -> None:
    server.scripts[NAME, "TXT"] = records(f"{NAME} 60 TXT hello")
    async with scripted_dns() as broken:
        broken.scripts[NAME, "TXT"] = rcode(dns.rcode.SERVFAIL)
        found = await ask(RecordKind.TXT, broken, server)
    assert found.records == ("hello",)


async def test_a_server_that_fails_once_is_asked_again_in_the_plainest_way(
    server: ScriptedDns,
) -> None:
    good = records(f"{NAME} 60 TXT hello")

    def no_edns(query: dns.message.Message, tcp: bool) -> bytes | None:
        return rcode(dns.rcode.FORMERR)(query, tcp) if query.edns >= 0 else good(query, tcp)

    server.scripts[NAME, "TXT"] = no_edns
    assert (await ask(RecordKind.TXT, server)).records == ("hello",)


async def test_64_kilobytes_of_text(server: ScriptedDns) -> None:
    many = [f'{NAME} 60 TXT "{n:03}{"x" * 250}"' for n in range(240)]
    server.scripts[NAME, "TXT"] = records(*many)
    found = await ask(RecordKind.TXT, server)
    assert len(found.records) == 240
    assert (NAME, "TXT", "tcp") in server.asked


@pytest.mark.parametrize("name", ["x" * 64 + ".test", "a..test", "ä" * 70, ".".join("a" * 200)])
async def test_what_is_no_name_does_not_exist_and_is_not_asked_for(
    server: ScriptedDns, name: str
) -> None:
    assert (await ask(RecordKind.A, server, name=name)).reply is Reply.NO_NAME
    assert server.asked == []


async def test_one_server_is_asked_by_itself(server: ScriptedDns) -> None:
    server.scripts[NAME, "SOA"] = records(f"{NAME} 60 SOA a. b. 9 1 2 3 4", flags=dns.flags.AA)
    direct = DnsRecords(DnsResolver(["192.0.2.1"]), port=server.port)
    found = await direct.ask(Question(NAME, RecordKind.SOA, "127.0.0.1"))
    assert (found.records, found.authoritative) == (("a b 9",), True)


async def test_an_authenticated_answer_counts_from_this_machine(server: ScriptedDns) -> None:
    server.scripts[NAME, "A"] = records(f"{NAME} 60 A 192.0.2.1", flags=dns.flags.AD)
    assert (await ask(RecordKind.A, server)).authenticated


async def test_it_can_be_cancelled(server: ScriptedDns) -> None:
    server.scripts[NAME, "A"] = silence
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ask(RecordKind.A, server)
