"""checkdmarc and pyspf, compared with each other on generated records."""

from __future__ import annotations

import random
from dataclasses import dataclass

from probe.core.records.spf import Identity, SpfReading, SpfResult
from probe.edges.semantics import LibrarySemantics
from tests.edges.dns_book import book

COUNT = 300
STRANGER = "203.0.113.77"  # Nothing matches it, so that pyspf reads each record to its end.

# What generated records refer to.
WORLD = """
d.test A 192.0.2.1
d.test MX 10 mx.d.test
mx.d.test A 192.0.2.2
many.test MX 10 mx.d.test
in1.test TXT v=spf1 ip4:192.0.2.0/28 -all
in2.test TXT v=spf1 a:d.test mx:d.test ~all
in3.test TXT v=spf1 include:in2.test include:in1.test ?all
loop1.test TXT v=spf1 include:loop2.test -all
loop2.test TXT v=spf1 include:loop1.test -all
bad.test TXT v=spf1 ipv4:192.0.2.1 -all
two.test TXT v=spf1 -all
two.test TXT v=spf1 +all
empty.test TXT nothing of the sort
alias.test CNAME in1.test
"""
TERMS = (
    *("ip4:192.0.2.0/24", "ip4:198.51.100.7", "ip6:2001:db8::/32", "ip6:2001:db8::1"),
    *("a", "a:d.test", "a/24", "a:d.test/28", "a:d.test//64", "mx", "mx:d.test", "mx:d.test/30"),
    *("a:void.test", "mx:void.test", "exists:void2.test", "exists:d.test", "ptr", "ptr:d.test"),
    *("include:in1.test", "include:in2.test", "include:in3.test", "include:alias.test"),
    *("include:loop1.test", "include:bad.test", "include:two.test", "include:empty.test"),
    *("include:d.test", "exists:%{i}.d.test", "exists:%{ir}._spf.%{d}", "a:%{h}"),
    *("ip4:192.0.2.300", "ip4:192.0.2.0/33", "ip6:192.0.2.1", "ip4", "all:x", "mx:", "include:"),
    *(
        "ip4:10.0.0.0/8",
        "ip6:2001:db8:1::/48",
        "a:mx.d.test",
        "include:in1.test",
    ),  # More sound ones.
    *(
        "exists:%{x}.test",
        "a:d.test/033",
        "unknown=1",
        "exp=exp.d.test",
        "foo:bar",
        "-ip4:192.0.2.9",
    ),
)
ENDS = ("-all", "~all", "?all", "redirect=in1.test", "redirect=empty.test", "redirect=d.test", "")


def generated(seed: int) -> list[str]:
    """Records with few and with many terms, right and wrong."""
    chance = random.Random(seed)
    records = []
    for _ in range(COUNT):
        terms = chance.choices(TERMS, k=chance.choice((1, 2, 2, 3, 3, 4, 6, 12)))
        records.append(" ".join(["v=spf1", *terms, chance.choice(ENDS)]).rstrip())
    return records


@dataclass(frozen=True, slots=True)
class Comparison:
    """A record, and what each library says of it."""

    record: str
    lint: SpfReading  # checkdmarc's, of the whole record.
    result: SpfResult  # pyspf's, for an address.
    reason: str

    @property
    def agrees(self) -> bool:
        """Both find it wrong, or neither does and the address meets its end."""
        if self.lint.error or self.result is SpfResult.PERMERROR:
            return bool(self.lint.error) and self.result is SpfResult.PERMERROR
        return self.lint.last == self.result.value

    @property
    def explanation(self) -> str:
        """Why they differ, where it is known."""
        if self.result is SpfResult.PASS and " exists:d.test" in self.record:
            return "an evaluation ends at the first match; the lint reads on (RFC 7208 §4.6.2)"
        if "Void lookup" in self.reason and "exists:%" in self.record:
            return "checkdmarc does not look up names with macros, so it counts fewer void lookups"
        return ""


async def compared(semantics: LibrarySemantics, record: str) -> Comparison:
    dns = book(f"{WORLD}\nown.test A 192.0.2.5\nown.test TXT {record}")
    lint = await semantics.spf("own.test", dns.ask)
    verdict = await semantics.spf_verdict(
        "own.test", STRANGER, Identity.MAIL_FROM, helo="mx.d.test", ask=dns.ask
    )
    return Comparison(record, lint, verdict.result, verdict.reason)


async def test_they_differ_only_where_it_is_known_why() -> None:
    semantics = LibrarySemantics()
    all_of_them = [await compared(semantics, record) for record in generated(7208)]
    differing = [each for each in all_of_them if not each.agrees]
    for each in differing:
        print(f"{each.record}: {each.lint.error or 'sound'} | {each.result} {each.reason}")
        print(f"    because {each.explanation or 'of what nobody knows'}")
    assert all(each.explanation for each in differing)
    # Each kind of agreement is there in number, so that it means something.
    wrong = [each for each in all_of_them if each.agrees and each.lint.error]
    right = [each for each in all_of_them if each.agrees and not each.lint.error]
    assert min(len(wrong), len(right)) >= 50
