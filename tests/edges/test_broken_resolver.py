"""Every check over resolvers that give no answer: nothing is ever taken for missing, or listed."""

from __future__ import annotations

import time

import dns.flags
import dns.rcode
import pytest

from probe.core.records.check import CheckKind, CheckState, DomainPlan
from probe.core.records.report import exit_code
from probe.edges.key import read_key
from probe.edges.policy import PolicyFetcher
from probe.edges.resolver import DnsResolver
from probe.edges.resolver_records import DnsRecords
from probe.edges.semantics import LibrarySemantics
from probe.edges.smtp_certificate import SmtpCertificates
from probe.engine.examiner import Examiner
from tests.dns_server import Script, garbage, rcode, records, scripted_dns, silence

PLAN = DomainPlan("shop.test", ("s1",), ("192.0.2.1",), "mail.shop.test", dnsbls=("bl.test",))


class Always(dict[tuple[str, str], Script]):
    """The same script for whatever is asked."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def get(self, key: object, default: object = None) -> Script:  # type: ignore[override]
        return self._script


@pytest.mark.parametrize(
    "script",
    [
        rcode(dns.rcode.SERVFAIL),
        rcode(dns.rcode.REFUSED),
        silence,
        garbage,
        records("shop.test 60 TXT x", flags=dns.flags.TC),
    ],
    ids=["servfail", "refused", "silence", "garbage", "truncated"],
)
async def test_no_answer_is_an_error_in_every_check(script: Script) -> None:
    async with scripted_dns() as server:
        server.scripts = Always(script)
        examiner = Examiner(
            DnsRecords(DnsResolver([server.address])),
            semantics=LibrarySemantics(),
            policies=PolicyFetcher(),
            certificates=SmtpCertificates("prober.test"),
            read_key=read_key,
        )
        began = time.monotonic()
        found = await examiner.inspect(PLAN)
    assert time.monotonic() - began < 20
    assert {check.check for check in found.checks} == set(CheckKind)
    assert {check.state for check in found.checks} == {CheckState.ERROR}, found.checks
    assert exit_code(found.checks) == 3
    assert found.listings == ()
    assert found.usable == (("bl.test", False),)
