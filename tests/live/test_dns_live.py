"""The DNS checks against real name servers: every check, in every state that a zone can cause."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.core.records.check import CheckKind, CheckState, DomainPlan, Listing
from tests.live.dns_world import IP, OTHER_IP, DnsWorld, dns_world, rsa_key, txt

pytestmark = pytest.mark.timeout(120)

OK, WARN, FAIL, ERROR, NONE = CheckState
MX, SPF, DKIM, DMARC, MTA_STS, TLS_RPT, DANE, PTR, DNSBL, BIMI, NS = CheckKind
ED25519 = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

SHOP = f"""
@ MX 10 mx1
@ MX 20 mx2
mx1 A 192.0.2.1
mx2 AAAA 2001:db8::2
mail A {IP}
{txt("@", "v=spf1 ip4:192.0.2.10 include:_spf.relay.test mx -all")}
{txt("@", "something-else-verification=1")}
{txt("_dmarc", "v=DMARC1; p=reject; rua=mailto:d@shop.test")}
{txt("_smtp._tls", "v=TLSRPTv1; rua=mailto:t@shop.test")}
{txt("default._bimi", "v=BIMI1; l=https://shop.test/logo.svg; a=")}
{txt("rsa._domainkey", "v=DKIM1; k=rsa; p=" + rsa_key(2048))}
{txt("ed._domainkey", f"v=DKIM1; k=ed25519; p={ED25519}")}
{txt("short._domainkey", "v=DKIM1; p=" + rsa_key(1024))}
{txt("revoked._domainkey", "v=DKIM1; p=")}
{txt("test._domainkey", f"v=DKIM1; t=y; k=ed25519; p={ED25519}")}
{txt("sha1._domainkey", f"v=DKIM1; h=sha1; k=ed25519; p={ED25519}")}
{txt("web._domainkey", f"v=DKIM1; s=web; k=ed25519; p={ED25519}")}
{txt("two._domainkey", f"v=DKIM1; k=ed25519; p={ED25519}")}
{txt("two._domainkey", "v=DKIM1; p=AAAA")}
{txt("odd._domainkey", "v=DKIM1; k=dsa; p=AAAA")}
{txt("junk._domainkey", "v=DKIM1; p=!!!")}
{txt("nokey._domainkey", "v=DKIM1; p=AAAA")}
{txt("old._domainkey", f"v=DKIM9; k=ed25519; p={ED25519}")}
esp._domainkey CNAME ed._domainkey
loop._domainkey CNAME loop2._domainkey
loop2._domainkey CNAME loop._domainkey
deleg._domainkey NS gone
gone A 127.0.0.1
"""

ZONES = {
    "shop.test": SHOP,
    "_spf.relay.test": txt("@", "v=spf1 ip4:198.51.100.0/24 -all"),
    # Of MX records
    "alias.test": "@ MX 10 mx1\nmx1 CNAME host\nhost A 192.0.2.1",
    "nullmx.test": "@ MX 0 .",
    "nomx.test": "@ A 192.0.2.1",
    "nothing.test": "www A 192.0.2.1",
    "gonemx.test": "@ MX 10 mx1",
    "halfmx.test": "@ MX 10 mx1\n@ MX 20 mx2\nmx2 A 192.0.2.1",
    "strangemx.test": "@ MX 10 mx.unserved.example.",
    # Of SPF
    "all.test": txt("@", "v=spf1 +all"),
    "open.test": txt("@", "v=spf1 ip4:192.0.2.10"),
    "twospf.test": txt("@", "v=spf1 -all") + "\n" + txt("@", "v=spf1 +all"),
    "syntax.test": txt("@", "v=spf1 ipv4:192.0.2.10 -all"),
    "selfloop.test": txt("@", "v=spf1 include:selfloop.test -all"),
    "eleven.test": txt("@", "v=spf1 " + "a:mail.shop.test " * 11 + "-all"),
    "ten.test": txt("@", "v=spf1 ip4:192.0.2.10 " + "a:mail.shop.test " * 10 + "-all"),
    "void.test": txt("@", "v=spf1 a:x1.void.test a:x2.void.test a:x3.void.test -all"),
    "twovoid.test": txt("@", "v=spf1 ip4:192.0.2.10 a:x1.void.test a:x2.void.test -all"),
    "badinclude.test": txt("@", "v=spf1 include:nothing.test -all"),
    "strangeinclude.test": txt("@", "v=spf1 ip4:192.0.2.10 include:spf.unserved.example -all"),
    "soft.test": txt("@", "v=spf1 ip4:192.0.2.10 ~all"),
    "viaredirect.test": txt("@", "v=spf1 redirect=_spf.relay.test"),
    "ptrspf.test": txt("@", "v=spf1 ip4:192.0.2.10 ptr -all"),
    "large.test": "\n".join(txt("@", f"{n:04}" + "x" * 250) for n in range(200))
    + "\n"
    + txt("@", "v=spf1 ip4:192.0.2.10 -all"),
    "hugespf.test": txt("@", "v=spf1 " + "ip4:192.0.2.10 " * 3000 + "-all"),
    # Of DMARC
    "none.test": txt("_dmarc", "v=DMARC1; p=none; rua=mailto:d@shop.test"),
    "twodmarc.test": txt("_dmarc", "v=DMARC1; p=none") + "\n" + txt("_dmarc", "v=DMARC1; p=reject"),
    "badpolicy.test": txt("_dmarc", "v=DMARC1; p=everything"),
    "pct.test": txt("_dmarc", "v=DMARC1; p=reject; pct=50"),
    "testing.test": txt("_dmarc", "v=DMARC1; p=reject; t=y"),
    "external.test": txt("_dmarc", "v=DMARC1; p=reject; rua=mailto:d@reports.example")
    + "\n@ MX 10 mx\nmx A 192.0.2.1",
    "allowed.test": txt("_dmarc", "v=DMARC1; p=reject; rua=mailto:d@reports.example"),
    "reports.example": txt("allowed.test._report._dmarc", "v=DMARC1")
    + "\n@ MX 10 mx\nmx A 192.0.2.1",
    "parent.test": txt("_dmarc", "v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@parent.test")
    + "\n@ MX 10 mx\nmx A 192.0.2.1\nsub A 192.0.2.1\na.b.c.d.e.f.g.h.i A 192.0.2.1",
    # Of TLS-RPT and BIMI
    "badrpt.test": txt("_smtp._tls", "v=TLSRPTv1; rua=here")
    + "\n"
    + txt("default._bimi", "v=BIMI1; l=http://badrpt.test/x"),
    "tworpt.test": "\n".join([txt("_smtp._tls", "v=TLSRPTv1; rua=mailto:a@b.test")])
    + "\n"
    + txt("_smtp._tls", "v=TLSRPTv1; rua=mailto:c@d.test"),
    # Of addresses
    "2.0.192.in-addr.arpa": (
        "10 PTR mail.shop.test.\n11 PTR mail.shop.test.\n12 PTR gone.shop.test.\n"
        "13 PTR .\n20 PTR mail.unserved.example."
    ),
    # Blocklists
    "good.bl": "2.0.0.127 A 127.0.0.2\n20.2.0.192 A 127.0.0.4\n" + txt("20.2.0.192", "see bl/20"),
    "dead.bl": "x A 127.0.0.2",
    "everything.bl": "* A 127.0.0.2",
    "parked.bl": "* A 203.0.113.5",
    "public.bl": "* A 127.255.255.254",
}


@pytest.fixture(scope="module")
def served() -> Iterator[DnsWorld]:
    with dns_world(ZONES) as running:
        yield running


MX_CASES = [
    ("shop.test", OK, "mx1.shop.test, mx2.shop.test"),
    ("alias.test", WARN, "mx1.alias.test is an alias"),
    ("nullmx.test", FAIL, "null MX"),
    ("nomx.test", WARN, "its own address"),
    ("nothing.test", FAIL, "cannot take bounces"),
    ("absent.shop.test", FAIL, "absent.shop.test does not exist: it cannot take bounces"),
    ("gonemx.test", FAIL, "No mail server"),
    ("halfmx.test", WARN, "mx1.halfmx.test has no address"),
    ("strangemx.test", ERROR, "No server answered for the A record of mx.unserved.example"),
    ("unserved.example", ERROR, "REFUSED"),
]


@pytest.mark.parametrize(("domain", "state", "said"), MX_CASES)
async def test_mx(served: DnsWorld, domain: str, state: CheckState, said: str) -> None:
    check = await served.check(MX, domain)
    assert (check.state, check.subject) == (state, domain), check
    assert said in check.summary


SPF_CASES = [
    ("shop.test", OK, "covers 192.0.2.10"),
    ("all.test", FAIL, "+all"),
    ("open.test", WARN, "no -all or ~all"),
    ("twospf.test", FAIL, "2 SPF records"),
    ("syntax.test", FAIL, "ipv4"),
    ("selfloop.test", FAIL, "loop"),
    ("eleven.test", FAIL, "11/10"),
    ("ten.test", OK, "sound"),
    ("void.test", FAIL, "3/2"),
    ("twovoid.test", WARN, "x1.void.test"),
    ("badinclude.test", FAIL, "nothing.test"),
    ("strangeinclude.test", ERROR, "spf.unserved.example"),
    ("soft.test", OK, "sound"),
    ("ptrspf.test", WARN, "ptr"),
    ("viaredirect.test", FAIL, "gives fail for mail from 192.0.2.10"),
    ("nothing.test", FAIL, "no TXT record"),
    ("nomx.test", FAIL, "no TXT record"),
    ("large.test", OK, "sound"),
    ("hugespf.test", FAIL, "45011 octets"),
    ("unserved.example", ERROR, "REFUSED"),
]


@pytest.mark.parametrize(("domain", "state", "said"), SPF_CASES)
async def test_spf(served: DnsWorld, domain: str, state: CheckState, said: str) -> None:
    check = await served.check(SPF, domain, egress_ips=(IP,))
    assert (check.state, check.subject) == (state, domain), check
    assert said in check.summary, check


async def test_spf_of_addresses_and_of_the_helo_name(served: DnsWorld) -> None:
    both = await served.check(SPF, "shop.test", egress_ips=(IP, OTHER_IP))
    assert both.state is FAIL
    assert "192.0.2.20" in both.summary
    helo = await served.check(SPF, "shop.test", egress_ips=(IP,), helo="viaredirect.test")
    assert helo.state is FAIL
    assert "HELO" in helo.summary
    unknown = await served.check(SPF, "shop.test", egress_ips=(IP,), helo="mail.shop.test")
    assert unknown.state is OK


async def test_spf_expects_includes(served: DnsWorld) -> None:
    expected = {"expect_includes": ("_spf.relay.test",)}
    assert (await served.check(SPF, "shop.test", **expected)).state is OK
    assert (await served.check(SPF, "viaredirect.test", **expected)).state is OK
    missing = await served.check(SPF, "soft.test", **expected)
    assert (missing.state, missing.summary) == (
        FAIL,
        "The SPF record does not include _spf.relay.test.",
    )


async def test_spf_lookups_are_counted(served: DnsWorld) -> None:
    found = await served.inspect(DomainPlan("shop.test"), SPF)
    assert (found.spf_lookups, found.spf_void_lookups) == (2, 0)
    broken = await served.inspect(DomainPlan("eleven.test"), SPF)
    assert broken.spf_lookups == 11


DKIM_CASES = [
    ("rsa", OK, "strong enough"),
    ("ed", OK, "strong enough"),
    ("esp", OK, "strong enough"),
    ("short", WARN, "1024 bits"),
    ("test", WARN, "t=y"),
    ("revoked", FAIL, "revoked"),
    ("absent", FAIL, "does not exist"),
    ("sha1", FAIL, "SHA-256"),
    ("web", FAIL, "not for e-mail"),
    ("two", FAIL, "2 keys"),
    ("odd", FAIL, "dsa"),
    ("junk", FAIL, "not Base64"),
    ("nokey", FAIL, "not an RSA key"),
    ("old", FAIL, "DKIM1"),
    ("loop", FAIL, "circle"),
]


async def test_dkim(served: DnsWorld) -> None:
    plan = DomainPlan("shop.test", tuple(name for name, *_ in DKIM_CASES))
    found = await served.inspect(plan, DKIM)
    for check, (selector, state, said) in zip(found.checks, DKIM_CASES, strict=True):
        assert (check.subject, check.state) == (selector, state), check
        assert said in check.summary, check


DMARC_CASES = [
    ("shop.test", OK, "is reject"),
    ("mail.shop.test", OK, "is reject"),
    ("absent.shop.test", FAIL, "does not exist"),
    ("sub.parent.test", OK, "is quarantine"),
    ("a.b.c.d.e.f.g.h.i.parent.test", OK, "is quarantine"),
    ("none.test", WARN, "none"),
    ("pct.test", WARN, "pct"),
    ("testing.test", WARN, "t=y"),
    ("external.test", WARN, "reports.example"),
    ("allowed.test", OK, "is reject"),
    ("twodmarc.test", FAIL, "Multiple"),
    ("badpolicy.test", FAIL, "everything"),
    ("nomx.test", FAIL, "does not exist"),
    ("unserved.example", ERROR, "REFUSED"),
]


@pytest.mark.parametrize(("domain", "state", "said"), DMARC_CASES)
async def test_dmarc(served: DnsWorld, domain: str, state: CheckState, said: str) -> None:
    check = await served.check(DMARC, domain)
    assert (check.state, check.subject) == (state, domain), check
    assert said in check.summary, check


@pytest.mark.parametrize(
    ("kind", "domain", "state"),
    [
        (TLS_RPT, "shop.test", OK),
        (TLS_RPT, "nomx.test", NONE),
        (TLS_RPT, "badrpt.test", FAIL),
        (TLS_RPT, "tworpt.test", FAIL),
        (TLS_RPT, "unserved.example", ERROR),
        (BIMI, "shop.test", OK),
        (BIMI, "nomx.test", NONE),
        (BIMI, "badrpt.test", WARN),
        (BIMI, "unserved.example", ERROR),
        (MTA_STS, "nomx.test", NONE),
        (MTA_STS, "unserved.example", ERROR),
    ],
)
async def test_optional_records(
    served: DnsWorld, kind: CheckKind, domain: str, state: CheckState
) -> None:
    check = await served.check(kind, domain)
    assert (check.state, check.subject) == (state, domain), check


@pytest.mark.parametrize(
    ("ip", "helo", "state", "said"),
    [
        (IP, "", OK, "mail.shop.test"),
        (IP, "mail.shop.test", OK, "mail.shop.test"),
        (IP, "mx1.shop.test", WARN, "HELO name mx1.shop.test"),
        ("192.0.2.11", "", FAIL, "does not lead back"),
        ("192.0.2.12", "", FAIL, "does not lead back"),
        ("192.0.2.99", "", FAIL, "has no name"),
        ("192.0.2.13", "", FAIL, "is no name"),
        (OTHER_IP, "", ERROR, "mail.unserved.example"),
        ("2001:db8::1", "", ERROR, "REFUSED"),
    ],
)
async def test_ptr(served: DnsWorld, ip: str, helo: str, state: CheckState, said: str) -> None:
    check = await served.check(PTR, "shop.test", egress_ips=(ip,), helo=helo)
    assert (check.state, check.subject) == (state, ip), check
    assert said in check.summary, check


@pytest.mark.parametrize(
    ("zone", "ip", "state", "usable"),
    [
        ("good.bl", IP, OK, True),
        ("good.bl", OTHER_IP, FAIL, True),
        ("good.bl", "2001:db8::1", NONE, True),
        ("dead.bl", IP, ERROR, False),
        ("everything.bl", IP, ERROR, False),
        ("parked.bl", IP, ERROR, False),
        ("public.bl", IP, ERROR, False),
        ("unserved.example", IP, ERROR, False),
    ],
)
async def test_dnsbl(served: DnsWorld, zone: str, ip: str, state: CheckState, usable: bool) -> None:
    found = await served.inspect(DomainPlan("shop.test", egress_ips=(ip,), dnsbls=(zone,)), DNSBL)
    [check] = found.checks
    assert (check.state, check.subject) == (state, f"{ip} {zone}"), check
    assert found.usable == ((zone, usable),)
    said = (Listing(ip, zone, state is FAIL),) if state in (OK, FAIL) else ()
    assert found.listings == said


async def test_a_listing_says_why(served: DnsWorld) -> None:
    check = await served.check(DNSBL, "shop.test", egress_ips=(OTHER_IP,), dnsbls=("good.bl",))
    assert any("see bl/20" in line for line in check.evidence)


async def test_dane_without_records(served: DnsWorld) -> None:
    found = await served.inspect(DomainPlan("shop.test"), DANE)
    assert [(check.subject, check.state) for check in found.checks] == [
        ("mx1.shop.test", NONE),
        ("mx2.shop.test", NONE),
    ]


class TestNameServers:
    async def states(self, served: DnsWorld, domain: str) -> dict[str, CheckState]:
        found = await served.inspect(DomainPlan(domain, ("s1",)), NS)
        return {check.subject: check.state for check in found.checks}

    async def test_that_agree(self, served: DnsWorld) -> None:
        for domain in ("shop.test", "sub.parent.test"):
            zone = domain.removeprefix("sub.")
            assert await self.states(served, domain) == {f"ns.{zone}": OK, f"ns2.{zone}": OK}

    async def test_that_are_not_known(self, served: DnsWorld) -> None:
        assert await self.states(served, "unserved.example") == {"unserved.example": ERROR}


@pytest.fixture
def apart() -> Iterator[DnsWorld]:
    """Two servers of the test's own."""
    key = txt("s1._domainkey", f"v=DKIM1; k=ed25519; p={ED25519}")
    with dns_world({"shop.test": f"@ MX 10 mx\nmx A 192.0.2.1\n{key}"}) as running:
        yield running


async def test_two_name_servers_that_disagree(apart: DnsWorld) -> None:
    plan = DomainPlan("shop.test", ("s1",))

    async def found() -> list[tuple[CheckState, str]]:
        checks = (await apart.inspect(plan, NS)).checks
        assert [check.subject for check in checks] == ["ns.shop.test", "ns2.shop.test"]
        return [(check.state, check.summary) for check in checks]

    records = "@ NS ns2\nns2 A 127.0.0.3\n@ MX 10 mx\nmx A 192.0.2.1"
    apart.second.publish("shop.test", records)
    (well, behind), (state, summary) = await found()
    assert well is WARN
    assert "version 1, another has 2" in behind
    assert state is FAIL
    assert "ns2.shop.test does not have the TXT record of s1._domainkey.shop.test" in summary

    apart.second.kill()
    (_, _), (state, summary) = await found()
    assert state is ERROR
    assert "ns2.shop.test does not answer" in summary


async def test_a_missing_server_for_dnssec_and_a_lame_one() -> None:
    zones = {"shop.test": "@ NS lame\nlame A 127.0.0.4\n@ NS nowhere"}
    with dns_world(zones) as served:
        found = await served.inspect(DomainPlan("shop.test"), NS)
    states = {check.subject: (check.state, check.summary) for check in found.checks}
    assert states["nowhere.shop.test"] == (
        FAIL,
        "The name server nowhere.shop.test has no address.",
    )
    assert states["lame.shop.test"][0] is ERROR


def test_the_command(served: DnsWorld) -> None:
    server = f"{served.first.address}:{served.first.port}"
    options = ["--selector", "rsa", "--ip", IP, "--helo", "mail.shop.test", "--dnsbl", "good.bl"]
    options += ["--expect-include", "_spf.relay.test", "--resolver", server]

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "probe", "dns", *arguments],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=60,
        )

    good = run("shop.test", *options, "--json")
    assert (good.returncode, good.stderr) == (0, "")
    said = json.loads(good.stdout)
    assert said["domain"] == "shop.test"
    entries = {(each["check"], each["subject"]): each for each in said["checks"]}
    assert {pair: each["state"] for pair, each in entries.items() if pair[0] != "ns"} == {
        ("mx", "shop.test"): "ok",
        ("spf", "shop.test"): "ok",
        ("dkim", "rsa"): "ok",
        ("dmarc", "shop.test"): "ok",
        ("mta_sts", "shop.test"): "none",
        ("tls_rpt", "shop.test"): "ok",
        ("dane", "mx1.shop.test"): "none",
        ("dane", "mx2.shop.test"): "none",
        ("ptr", IP): "ok",
        ("dnsbl", f"{IP} good.bl"): "ok",
        ("bimi", "shop.test"): "ok",
    }
    for each in said["checks"]:
        assert set(each) == {"check", "subject", "state", "summary", "evidence"}
        assert each["summary"].endswith(".")
    bad = run("shop.test", *options, "--selector", "revoked")
    assert bad.returncode == 1
    assert "fail   dkim     revoked  The key has been revoked (p= is empty)." in bad.stdout
    assert run("unserved.example", "--resolver", server).returncode == 3
    assert run("unserved.example", "--resolver", f"{server}0000").returncode == 2
