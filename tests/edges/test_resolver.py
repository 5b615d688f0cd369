"""Names become addresses, and whatever a DNS server does becomes an answer or a failure."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import dns.flags
import dns.rcode
import pytest

from probe.core.targets import MxRecord, Records, SrvRecord
from probe.edges.resolver import MAX_ADDRESSES, DnsResolver
from probe.ports import Addresses, ResolveFailure
from tests.dns_server import Script, ScriptedDns, garbage, rcode, records, scripted_dns, silence

NAME = "mx.test"
NODATA = records()


@pytest.fixture
async def server() -> AsyncIterator[ScriptedDns]:
    async with scripted_dns() as running:
        yield running


@pytest.fixture
def resolver(server: ScriptedDns) -> DnsResolver:
    return DnsResolver([server.address])


async def failure(resolver: DnsResolver, name: str = NAME) -> str:
    """The text with which a lookup fails, in time."""
    started = time.monotonic()
    with pytest.raises(ResolveFailure) as caught:
        await resolver.addresses(name)
    assert time.monotonic() - started < 7.5, "both IP versions are asked at once"
    return str(caught.value)


async def test_both_ip_versions_are_found(server: ScriptedDns, resolver: DnsResolver) -> None:
    server.script(
        NAME,
        a=records("mx.test 60 A 192.0.2.10", "mx.test 60 A 192.0.2.9"),
        aaaa=records("mx.test 30 AAAA 2001:DB8:0::1"),
    )
    found = await resolver.addresses(NAME)
    assert found == Addresses(("192.0.2.9", "192.0.2.10", "2001:db8::1"), 30)


async def test_a_cname_is_followed_and_its_ttl_counts(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    server.script(
        NAME,
        a=records("mx.test 7 CNAME pool.test.", "pool.test 60 A 192.0.2.1"),
        aaaa=records("mx.test 7 CNAME pool.test."),
    )
    assert await resolver.addresses(NAME) == Addresses(("192.0.2.1",), 7)


async def test_the_ttl_is_that_of_the_addresses_where_there_are_any(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    server.script(NAME, a=records("mx.test 300 A 192.0.2.1"), aaaa=records(minimum=5))
    assert (await resolver.addresses(NAME)).ttl == 300


@pytest.mark.parametrize("nothing", [records(minimum=17), rcode(dns.rcode.NXDOMAIN, minimum=17)])
async def test_a_name_without_addresses_has_none_and_a_negative_ttl(
    server: ScriptedDns, resolver: DnsResolver, nothing: object
) -> None:
    server.script(NAME, a=nothing, aaaa=nothing)
    assert await resolver.addresses(NAME) == Addresses((), 17)


async def test_a_big_answer_comes_over_tcp_and_is_cut(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    many = [f"mx.test 60 A 10.0.{n // 256}.{n % 256}" for n in range(300)]
    server.script(NAME, a=records(*many), aaaa=NODATA)
    found = await resolver.addresses(NAME)
    assert found.addresses == tuple(f"10.0.0.{n}" for n in range(MAX_ADDRESSES))
    assert (NAME, "A", "tcp") in server.asked


TRUNCATED = records("mx.test 60 A 192.0.2.1", flags=dns.flags.TC)
LOOP = records("mx.test 60 CNAME b.test.", "b.test 60 CNAME mx.test.")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (rcode(dns.rcode.SERVFAIL), "SERVFAIL"),
        (rcode(dns.rcode.REFUSED), "REFUSED"),
        (TRUNCATED, "truncated, over TCP too"),
        (LOOP, "a CNAME loop"),
    ],
    ids=["servfail", "refused", "truncated", "loop"],
)
async def test_a_failure_says_which_server_said_what(
    server: ScriptedDns, resolver: DnsResolver, script: object, said: str
) -> None:
    server.script(NAME, a=script, aaaa=script)
    text = await failure(resolver)
    assert text == f"mx.test could not be resolved: 127.0.0.1@{server.port} said: {said}"


async def test_what_never_ends_ends_in_time(server: ScriptedDns, resolver: DnsResolver) -> None:
    server.script("silent.test", a=silence, aaaa=silence)
    server.script("garbled.test", a=garbage, aaaa=garbage)
    server.script("half.test", a=silence, aaaa=records("half.test 60 AAAA ::1"))
    silent, garbled, unheard, half = await asyncio.gather(
        failure(resolver, "silent.test"),
        failure(resolver, "garbled.test"),
        failure(DnsResolver(["[::1]:1"])),
        resolver.addresses("half.test"),
    )
    assert silent.endswith(f"resolved: 127.0.0.1@{server.port} said: nothing within 1 s")
    assert garbled.endswith(f"resolved: 127.0.0.1@{server.port} said: nothing within 1 s")
    assert "::1@1 said: " in unheard
    assert half == Addresses(("::1",), 60, frozenset({4}))


async def test_servers_are_asked_in_turn(server: ScriptedDns) -> None:
    async with scripted_dns() as broken:
        broken.script(NAME, a=rcode(dns.rcode.SERVFAIL), aaaa=rcode(dns.rcode.SERVFAIL))
        server.script(NAME, a=records("mx.test 60 A 192.0.2.1"), aaaa=NODATA)
        resolver = DnsResolver([broken.address, server.address])
        assert (await resolver.addresses(NAME)).addresses == ("192.0.2.1",)
        assert len(broken.asked) == 2


async def test_all_servers_that_failed_are_named(server: ScriptedDns) -> None:
    async with scripted_dns() as other:
        server.script(NAME, a=rcode(dns.rcode.SERVFAIL), aaaa=rcode(dns.rcode.SERVFAIL))
        other.script(NAME, a=rcode(dns.rcode.REFUSED), aaaa=rcode(dns.rcode.REFUSED))
        text = await failure(DnsResolver([server.address, other.address]))
    assert f"@{server.port} said: SERVFAIL, 127.0.0.1@{other.port} said: REFUSED" in text


async def test_half_an_answer_is_one_and_says_so(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    server.script(NAME, a=records("mx.test 60 A 192.0.2.1"), aaaa=rcode(dns.rcode.SERVFAIL))
    assert await resolver.addresses(NAME) == Addresses(("192.0.2.1",), 60, frozenset({6}))


async def test_half_an_answer_without_an_address_is_a_failure(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    server.script(NAME, a=NODATA, aaaa=rcode(dns.rcode.SERVFAIL))
    assert "SERVFAIL" in await failure(resolver)


async def test_an_address_is_its_own_answer(server: ScriptedDns, resolver: DnsResolver) -> None:
    for literal, canonical in (("192.0.2.1", "192.0.2.1"), ("2001:DB8::0", "2001:db8::")):
        assert (await resolver.addresses(literal)).addresses == (canonical,)
    assert server.asked == []


@pytest.mark.parametrize(
    "name", ["", ".", "a b.test", "x" * 64 + ".test", "a..test", "-a.test", "1.2.3", "a\n.test"]
)
async def test_what_is_no_host_name_is_never_asked(
    server: ScriptedDns, resolver: DnsResolver, name: str
) -> None:
    assert await failure(resolver, name) == f"{name!r} is not a host name"
    assert server.asked == []


async def test_identical_lookups_at_the_same_time_are_one(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    server.script(NAME, a=records("mx.test 60 A 192.0.2.1"), aaaa=NODATA)
    found = await asyncio.gather(*(resolver.addresses(NAME) for _ in range(20)))
    assert set(found) == {Addresses(("192.0.2.1",), 60)}
    assert len(server.asked) == 2


async def test_a_lookup_goes_on_for_others_when_the_first_to_ask_gives_up(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    server.script(NAME, a=records("mx.test 60 A 192.0.2.1"), aaaa=NODATA)
    server.held = []
    async with asyncio.TaskGroup() as group:
        first = group.create_task(resolver.addresses(NAME))
        others = [group.create_task(resolver.addresses(NAME)) for _ in range(3)]
        while len(server.held) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0)
        others[0].cancel()
        first.cancel()
        for send in server.held:
            send()
        server.held = None
    assert {task.result().addresses for task in others[1:]} == {("192.0.2.1",)}


async def test_a_server_may_be_given_by_name(server: ScriptedDns) -> None:
    server.script(NAME, a=records("mx.test 60 A 192.0.2.1"), aaaa=NODATA)
    resolver = DnsResolver([f"localhost:{server.port}"])
    assert (await resolver.addresses(NAME)).addresses == ("192.0.2.1",)


async def test_a_server_with_an_unknown_name_is_a_failure() -> None:
    assert "the DNS server 'a b' is unknown" in await failure(DnsResolver(["a b"]))


async def test_mx_records_in_lower_case_and_null_for_none(
    server: ScriptedDns, resolver: DnsResolver
) -> None:
    server.scripts["mail.test", "MX"] = records(
        "mail.test 30 MX 10 MX1.Mail.Test.", "mail.test 30 MX 0 ."
    )
    server.scripts["bare.test", "MX"] = records(minimum=17)
    found = await resolver.mx("mail.test")
    assert set(found.records) == {MxRecord(10, "mx1.mail.test"), MxRecord(0, "")}
    assert found.ttl == 30
    assert await resolver.mx("bare.test") == Records((), 17)
    assert (await resolver.mx("gone.test")).records == ()


async def test_srv_records_with_their_ports(server: ScriptedDns, resolver: DnsResolver) -> None:
    name = "_submissions._tcp.mail.test"
    server.scripts[name, "SRV"] = records(f"{name} 20 SRV 5 7 4650 mx1.mail.test.")
    found = await resolver.srv(name)
    assert found == Records((SrvRecord(5, 7, 4650, "mx1.mail.test"),), 20)


@pytest.mark.parametrize("script", [rcode(dns.rcode.SERVFAIL), garbage, TRUNCATED])
async def test_records_that_cannot_be_had_are_a_failure(
    server: ScriptedDns, resolver: DnsResolver, script: object
) -> None:
    server.scripts["mail.test", "MX"] = script
    with pytest.raises(ResolveFailure, match="the MX records of mail"):
        await resolver.mx("mail.test")


class TestTheSystemsResolver:
    async def test_without_a_server_fails_at_the_lookup(self, tmp_path: Path) -> None:
        resolver = DnsResolver(None, resolv_conf=tmp_path / "none", hosts=tmp_path / "none")
        assert await failure(resolver) == f"{tmp_path / 'none'} names no DNS server"

    async def test_knows_the_names_in_hosts(self, tmp_path: Path) -> None:
        hosts = tmp_path / "hosts"
        hosts.write_text("# 192.0.2.9 mx.test\n192.0.2.1 other MX.test # x\nrubbish mx.test\n")
        resolver = DnsResolver(None, resolv_conf=tmp_path / "none", hosts=hosts)
        assert (await resolver.addresses(NAME)).addresses == ("192.0.2.1",)
        hosts.write_text("2001:db8::1 mx.test\n192.0.2.2 mx.test\n")
        assert (await resolver.addresses(NAME)).addresses == ("192.0.2.2", "2001:db8::1")

    async def test_knows_localhost_without_any_file(self, tmp_path: Path) -> None:
        resolver = DnsResolver(None, resolv_conf=tmp_path / "none", hosts=tmp_path / "none")
        assert (await resolver.addresses("localhost")).addresses == ("127.0.0.1",)

    async def test_is_not_asked_where_servers_are_configured(
        self, server: ScriptedDns, tmp_path: Path
    ) -> None:
        hosts = tmp_path / "hosts"
        hosts.write_text("192.0.2.1 mx.test\n")
        resolver = DnsResolver([server.address], hosts=hosts)
        assert (await resolver.addresses(NAME)).addresses == ()


@pytest.mark.parametrize("name", ["localhost", "LocalHost."])
async def test_no_server_is_asked_where_localhost_is(tmp_path: Path, name: str) -> None:
    hosts = tmp_path / "hosts"
    resolver = DnsResolver(["192.0.2.53"], hosts=hosts)
    assert (await resolver.addresses(name)).addresses == ("127.0.0.1",)
    hosts.write_text("::1 localhost ip6-localhost\n192.0.2.1 localhost.test\n")
    assert (await resolver.addresses(name)).addresses == ("::1",)


# ---- who answered


@pytest.mark.parametrize(
    ("script", "answers"),
    [
        (records("mx.test 60 A 192.0.2.9"), True),
        (NODATA, True),
        (rcode(dns.rcode.NXDOMAIN), True),
        (rcode(dns.rcode.SERVFAIL), True),
        (rcode(dns.rcode.REFUSED), True),
        (silence, False),
        (garbage, False),
    ],
    ids=["found", "nothing", "no such name", "cannot say", "will not say", "silent", "garbage"],
)
async def test_every_answer_of_a_server_is_told_of_whatever_it_says(
    server: ScriptedDns, script: Script, answers: bool
) -> None:
    told: list[list[str]] = []
    resolver = DnsResolver([server.address], told=lambda servers: told.append([*servers]))
    server.script(NAME, a=script, aaaa=script)
    with suppress(ResolveFailure):
        await resolver.addresses(NAME)
    assert bool(told) is answers
    assert all(servers == ["127.0.0.1"] for servers in told)


async def test_what_needs_no_server_is_told_of_nobody(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.1 mx.test")
    told: list[object] = []
    resolver = DnsResolver(None, resolv_conf=tmp_path / "none", hosts=hosts, told=told.append)
    assert await resolver.addresses(NAME)
    assert await resolver.addresses("192.0.2.7")
    assert await resolver.addresses("localhost")
    assert told == []
