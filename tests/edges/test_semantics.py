"""SPF and DMARC as the standards have them: their examples, through our layer."""

from __future__ import annotations

import asyncio
import time

import pytest

from probe.core.records.answer import Question, RecordKind
from probe.core.records.spf import Identity, SpfResult
from probe.edges.resolver_bridge import MAX_QUESTIONS
from probe.edges.semantics import LibrarySemantics
from tests.edges.dns_book import Book, book

NONE, NEUTRAL, PASS, FAIL, SOFTFAIL, TEMPERROR, PERMERROR = SpfResult

# RFC 7208, appendix A
ZONE = """
example.com MX 10 mail-a.example.com
example.com MX 20 mail-b.example.com
example.com A 192.0.2.10
example.com A 192.0.2.11
amy.example.com A 192.0.2.65
bob.example.com A 192.0.2.66
mail-a.example.com A 192.0.2.129
mail-b.example.com A 192.0.2.130
www.example.com CNAME example.com
example.org MX 10 mail-c.example.org
mail-c.example.org A 192.0.2.140
10.2.0.192.in-addr.arpa PTR example.com
11.2.0.192.in-addr.arpa PTR example.com
65.2.0.192.in-addr.arpa PTR amy.example.com
66.2.0.192.in-addr.arpa PTR bob.example.com
129.2.0.192.in-addr.arpa PTR mail-a.example.com
130.2.0.192.in-addr.arpa PTR mail-b.example.com
140.2.0.192.in-addr.arpa PTR mail-c.example.org
4.0.0.10.in-addr.arpa PTR bob.example.com
"""


def published(record: str, domain: str = "example.com", more: str = "") -> Book:
    return book(f"{ZONE}\n{domain} TXT {record}\n{more}")


@pytest.fixture(scope="module")
def semantics() -> LibrarySemantics:
    return LibrarySemantics()


async def evaluated(
    semantics: LibrarySemantics, dns: Book, ip: str, domain: str = "example.com", helo: str = ""
) -> SpfResult:
    identity = Identity.HELO if helo else Identity.MAIL_FROM
    verdict = await semantics.spf_verdict(domain, ip, identity, helo=helo, ask=dns.ask)
    assert (verdict.ip, verdict.identity) == (ip, identity)
    return verdict.result


SIMPLE = [  # RFC 7208 A.1
    ("v=spf1 +all", {"203.0.113.9": PASS, "2001:db8::9": PASS}),
    ("v=spf1 a -all", {"192.0.2.10": PASS, "192.0.2.11": PASS, "192.0.2.12": FAIL}),
    ("v=spf1 a:example.org -all", {"192.0.2.10": FAIL, "192.0.2.140": FAIL}),
    ("v=spf1 mx -all", {"192.0.2.129": PASS, "192.0.2.130": PASS, "192.0.2.140": FAIL}),
    ("v=spf1 mx:example.org -all", {"192.0.2.129": FAIL, "192.0.2.140": PASS}),
    ("v=spf1 mx mx:example.org -all", {"192.0.2.130": PASS, "192.0.2.140": PASS}),
    (
        "v=spf1 mx/30 mx:example.org/30 -all",
        {"192.0.2.131": PASS, "192.0.2.143": PASS, "192.0.2.132": FAIL},
    ),
    ("v=spf1 ptr -all", {"192.0.2.65": PASS, "192.0.2.140": FAIL, "10.0.0.4": FAIL}),
    ("v=spf1 ip4:192.0.2.128/28 -all", {"192.0.2.65": FAIL, "192.0.2.129": PASS}),
]


@pytest.mark.parametrize(("record", "results"), SIMPLE)
async def test_the_simple_examples(
    semantics: LibrarySemantics, record: str, results: dict[str, SpfResult]
) -> None:
    dns = published(record)
    assert {ip: await evaluated(semantics, dns, ip) for ip in results} == results


async def test_several_domains(semantics: LibrarySemantics) -> None:
    """RFC 7208 A.2"""
    dns = published(
        "v=spf1 include:example.com include:example.net -all",
        "example.org",
        "example.com TXT v=spf1 mx -all\nexample.net TXT v=spf1 ip4:198.51.100.7 -all\n"
        "la.example.org TXT v=spf1 redirect=example.org",
    )
    for domain in ("example.org", "la.example.org"):
        results = {
            ip: await evaluated(semantics, dns, ip, domain)
            for ip in ("192.0.2.129", "198.51.100.7", "192.0.2.140")
        }
        assert list(results.values()) == [PASS, PASS, FAIL]


async def test_dnsbl_style(semantics: LibrarySemantics) -> None:
    """RFC 7208 A.3"""
    dns = published(
        "v=spf1 mx include:mobile-users._spf.%{d} include:remote-users._spf.%{d} -all",
        more="mobile-users._spf.example.com TXT v=spf1 exists:%{l1r+}.%{d}\n"
        "remote-users._spf.example.com TXT v=spf1 exists:%{ir}.%{l1r+}.%{d}\n"
        "15.15.168.192.postmaster.remote-users._spf.example.com A 127.0.0.2",
    )
    assert await evaluated(semantics, dns, "192.168.15.15") is PASS
    assert await evaluated(semantics, dns, "192.168.15.16") is FAIL


async def test_several_requirements(semantics: LibrarySemantics) -> None:
    """RFC 7208 A.4"""
    dns = published(
        "v=spf1 -include:ip4._spf.%{d} -include:ptr._spf.%{d} +all",
        more="ip4._spf.example.com TXT v=spf1 -ip4:192.0.2.0/24 +all\n"
        "ptr._spf.example.com TXT v=spf1 -ptr:example.com +all",
    )
    assert await evaluated(semantics, dns, "192.0.2.65") is PASS
    assert await evaluated(semantics, dns, "192.0.2.140") is FAIL
    assert await evaluated(semantics, dns, "10.0.0.4") is FAIL


@pytest.mark.parametrize(
    ("macro", "expanded"),
    [  # RFC 7208 §7.4, as far as they concern domain and address
        ("%{o}", "email.example.com"),
        ("%{d}", "email.example.com"),
        ("%{d4}", "email.example.com"),
        ("%{d3}", "email.example.com"),
        ("%{d2}", "example.com"),
        ("%{d1}", "com"),
        ("%{dr}", "com.example.email"),
        ("%{d2r}", "example.email"),
        ("%{l}", "postmaster"),
        ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
        ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
    ],
)
async def test_macros(semantics: LibrarySemantics, macro: str, expanded: str) -> None:
    dns = published(f"v=spf1 exists:{macro}.x.test -all", "email.example.com")
    await evaluated(semantics, dns, "192.0.2.3", "email.example.com")
    assert Question(f"{expanded}.x.test", RecordKind.A) in dns.asked


INCLUDES = [  # RFC 7208 §5.2
    ("v=spf1 ip4:192.0.2.1", PASS),
    ("v=spf1 -all", NEUTRAL),
    ("v=spf1 ~all", NEUTRAL),
    ("v=spf1 ?all", NEUTRAL),
    ("v=spf1 a:dead.test -all", TEMPERROR),
    ("v=spf1 wrong:x", PERMERROR),
    ("v=something-else", PERMERROR),
]


@pytest.mark.parametrize(("included", "result"), INCLUDES)
async def test_the_table_of_include(
    semantics: LibrarySemantics, included: str, result: SpfResult
) -> None:
    dns = book(
        f"example.com TXT v=spf1 include:in.test\nin.test TXT {included}", dead=["dead.test"]
    )
    assert await evaluated(semantics, dns, "192.0.2.1") is result


@pytest.mark.parametrize(
    ("record", "result", "error"),
    [  # RFC 7208 §4.6.4
        ("v=spf1 " + "a:amy.example.com " * 10 + "-all", FAIL, False),
        ("v=spf1 " + "a:amy.example.com " * 11 + "-all", PERMERROR, True),
        ("v=spf1 a:x.example.com a:y.example.com -all", FAIL, False),
        ("v=spf1 a:x.example.com a:y.example.com a:z.example.com -all", PERMERROR, True),
        ("v=spf1 include:example.com -all", PERMERROR, True),
        ("v=spf1 redirect=example.com", PERMERROR, True),
    ],
)
async def test_limits_and_loops(
    semantics: LibrarySemantics, record: str, result: SpfResult, error: bool
) -> None:
    dns = published(record)
    assert await evaluated(semantics, dns, "203.0.113.1") is result
    assert bool((await semantics.spf("example.com", dns.ask)).error) is error


async def test_the_helo_name_is_an_identity_of_its_own(semantics: LibrarySemantics) -> None:
    dns = published("v=spf1 -all", more="mail-a.example.com TXT v=spf1 a -all")
    assert await evaluated(semantics, dns, "192.0.2.129", helo="mail-a.example.com") is PASS
    assert await evaluated(semantics, dns, "192.0.2.129", helo="mail-b.example.com") is NONE


async def test_what_dns_does_not_answer_is_told_and_bounded(semantics: LibrarySemantics) -> None:
    dns = book("example.com TXT v=spf1 include:dead.test -all", dead=["dead.test"])
    reading = await semantics.spf("example.com", dns.ask)
    assert reading.unanswered == "No server answered for the TXT record of dead.test: SERVFAIL."
    terms = " ".join(f"a:h{number}.example.com" for number in range(400))
    greedy = published(f"v=spf1 {terms} -all")
    reading = await semantics.spf("example.com", greedy.ask)
    assert reading.error
    assert not reading.unanswered
    assert len(greedy.asked) <= MAX_QUESTIONS


async def test_an_explanation_is_not_asked_for_behind_our_back(
    semantics: LibrarySemantics,
) -> None:
    dns = published("v=spf1 ip4:192.0.2.1 -all exp=why.example.com")
    reading = await semantics.spf("example.com", dns.ask)
    assert (reading.error, reading.warnings) == ("", ())
    assert {question.name for question in dns.asked} == {"example.com"}


@pytest.mark.parametrize("term", ["exists:%{d1r.-+,/_=}", "a:", "ip4:192.0.2.1 ", "a.", '"', " "])
async def test_records_of_64_kilobytes_are_not_read(semantics: LibrarySemantics, term: str) -> None:
    dns = published("v=spf1 " + term * (64_000 // len(term)))
    began = time.process_time()
    reading = await semantics.spf("example.com", dns.ask)
    assert await evaluated(semantics, dns, "192.0.2.1") is PERMERROR
    assert time.process_time() - began < 2
    assert "octets" in reading.error


async def test_nothing_is_remembered_between_runs(semantics: LibrarySemantics) -> None:
    before = await semantics.spf("example.com", published("v=spf1 a -all").ask)
    after = await semantics.spf("example.com", published("v=spf1 mx -all").ask)
    assert (before.record, after.record) == ("v=spf1 a -all", "v=spf1 mx -all")


async def test_evaluations_at_the_same_time_do_not_mix(semantics: LibrarySemantics) -> None:
    zones = [published(f"v=spf1 ip4:192.0.2.{n} -all") for n in range(40)]
    results = await asyncio.gather(
        *(evaluated(semantics, dns, f"192.0.2.{n}") for n, dns in enumerate(zones)),
        *(evaluated(semantics, dns, "192.0.2.99") for dns in zones),
    )
    assert results == [PASS] * 40 + [FAIL] * 40


# RFC 9989: the walk up the tree (§4.10), the examples of appendix B, and what a record may hold.
POLICY = "_dmarc.example.com TXT v=DMARC1;"
REPORTS = "rua=mailto:dmarc-feedback@example.com"
DMARC = [
    # B.2.1 to B.2.4
    (f"_dmarc.example.com TXT v=DMARC1; p=none; {REPORTS}", "example.com", "none"),
    (
        f"_dmarc.example.com TXT v=DMARC1; p=none; {REPORTS}; ruf=mailto:auth@example.com",
        "example.com",
        "none",
    ),
    (
        f"_dmarc.test.example.com TXT v=DMARC1; p=quarantine; {REPORTS}; t=y",
        "test.example.com",
        "quarantine",
    ),
    # The walk: a parent's word for subdomains, the one below psd=y, the one with psd=n
    (f"_dmarc.example.com TXT v=DMARC1; p=reject; sp=none; {REPORTS}", "a.b.example.com", "none"),
    (
        f"_dmarc.example.com TXT v=DMARC1; p=reject; {REPORTS}",
        "a.b.c.d.e.f.g.h.example.com",
        "reject",
    ),
    (
        f"_dmarc.com TXT v=DMARC1; psd=y; p=none\n{POLICY} p=reject; {REPORTS}",
        "mail.example.com",
        "reject",
    ),
    (
        f"_dmarc.b.example.com TXT v=DMARC1; psd=n; p=reject; {REPORTS}\n"
        "_dmarc.example.com TXT v=DMARC1; p=none",
        "a.b.example.com",
        "reject",
    ),
    # §4.8: a record without p is one with p=none; unknown tags do not count
    (f"_dmarc.example.com TXT v=DMARC1; {REPORTS}", "example.com", "none"),
    (f"_dmarc.example.com TXT v=DMARC1; p=reject; {REPORTS}; x=y", "example.com", "reject"),
]


@pytest.mark.parametrize(("zone", "domain", "policy"), DMARC)
async def test_the_policy_that_applies(
    semantics: LibrarySemantics, zone: str, domain: str, policy: str
) -> None:
    mail = "example.com MX 10 mx.example.com\nmx.example.com A 192.0.2.1"
    dns = book(f"{zone}\n{domain} A 192.0.2.1\n{mail}")
    reading = await semantics.dmarc(domain, dns.ask)
    assert not reading.error
    tag = "p" if reading.location == domain else "sp"
    assert reading.tags[tag] == policy


async def test_the_walk_asks_at_most_eight_names(semantics: LibrarySemantics) -> None:
    """RFC 9989 §4.10, the example with a long name."""
    domain = "a.b.c.d.e.f.g.h.i.j.mail.example.com"
    dns = book(f"{domain} A 192.0.2.1")
    assert (await semantics.dmarc(domain, dns.ask)).error
    walked = [each.name for each in dns.asked if each.name.startswith("_dmarc.")]
    assert list(dict.fromkeys(walked)) == [
        f"_dmarc.{domain}",
        "_dmarc.g.h.i.j.mail.example.com",
        "_dmarc.h.i.j.mail.example.com",
        "_dmarc.i.j.mail.example.com",
        "_dmarc.j.mail.example.com",
        "_dmarc.mail.example.com",
        "_dmarc.example.com",
        "_dmarc.com",
    ]


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("example.com A 192.0.2.1", "does not exist"),
        (f"{POLICY} p=none\n{POLICY} p=reject", "Multiple"),
        ("_dmarc.example.com TXT v=DMARC1; p=maybe", "maybe"),
        ("_dmarc.example.com TXT p=reject; v=DMARC1\nexample.com A 192.0.2.1", "does not exist"),
        ("_dmarc.example.com TXT v=DMARC1; p=none; rua=here", "here"),
    ],
)
async def test_records_that_do_not_count(semantics: LibrarySemantics, zone: str, said: str) -> None:
    assert said in (await semantics.dmarc("example.com", book(zone).ask)).error


@pytest.mark.parametrize(
    ("more", "is_told"),
    [
        ("example.com._report._dmarc.thirdparty.example.net TXT v=DMARC1", False),
        ("*._report._dmarc.thirdparty.example.net TXT v=DMARC1", False),
        ("other.example._report._dmarc.thirdparty.example.net TXT v=DMARC1", True),
    ],
)
async def test_reports_to_others_need_their_consent(
    semantics: LibrarySemantics, more: str, is_told: bool
) -> None:
    """RFC 9990 §4, and the example in RFC 9989 B.2.3"""
    dns = book(
        "_dmarc.example.com TXT v=DMARC1; p=reject; rua=mailto:d@thirdparty.example.net\n"
        f"thirdparty.example.net MX 10 mx.example.net\nmx.example.net A 192.0.2.1\n{more}"
    )
    reading = await semantics.dmarc("example.com", dns.ask)
    assert any("does not indicate" in text for text in reading.warnings) is is_told


@pytest.mark.parametrize("tag", ["pct=50", "rf=afrf", "ri=3600"])
async def test_tags_that_were_removed_are_a_warning(semantics: LibrarySemantics, tag: str) -> None:
    dns = book(f"_dmarc.example.com TXT v=DMARC1; p=reject; {tag}")
    reading = await semantics.dmarc("example.com", dns.ask)
    assert not reading.error
    assert any("removed" in text for text in reading.warnings)
    # What checkdmarc says of every record without rua asks for nothing to be mended.
    assert any("rua" in text for text in reading.notes)


@pytest.mark.parametrize("where", ["_dmarc.example.com", "_dmarc.com"])
async def test_no_answer_on_the_walk_is_not_a_missing_record(
    semantics: LibrarySemantics, where: str
) -> None:
    dns = book("example.com A 192.0.2.1", dead=[where])
    assert "No server answered" in (await semantics.dmarc("example.com", dns.ask)).unanswered
