"""The examiner: each question once, so many at a time, and an end to everything."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from probe.core.records.answer import Answer, Question, RecordKind, Reply
from probe.core.records.check import CheckKind, CheckState, DomainPlan
from probe.core.records.dane import Shown
from probe.core.records.dmarc import DmarcReading
from probe.core.records.mta_sts import Fetched
from probe.core.records.spf import Identity, SpfReading, SpfResult, SpfVerdict
from probe.engine.examiner import QUESTIONS, Examiner
from probe.ports_dns import ALL_KINDS, Ask

RECORDS = {
    ("shop.test", RecordKind.MX): ("10 mx.shop.test",),
    ("mx.shop.test", RecordKind.A): ("192.0.2.1",),
    ("shop.test", RecordKind.TXT): ("v=spf1 mx -all",),
    ("shop.test", RecordKind.NS): ("ns.shop.test",),
    ("ns.shop.test", RecordKind.A): ("192.0.2.53",),
    ("shop.test", RecordKind.SOA): ("a b 1",),
}


@dataclass
class Zone:
    """DNS that answers when it is let."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: Counter[Question] = field(default_factory=Counter)
    under_way: int = 0
    most: int = 0

    async def ask(self, question: Question) -> Answer:
        self.asked[question] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await self.gate.wait()
        finally:
            self.under_way -= 1
        found = RECORDS.get((question.name, question.kind), ())
        reply = Reply.FOUND if found else Reply.NO_DATA
        return Answer(question, reply, found, "192.0.2.53@53", authoritative=True)


class Stub:
    """Says that all is well with SPF, DMARC, policies and certificates."""

    async def spf(self, domain: str, ask: Ask) -> SpfReading:
        return SpfReading("v=spf1 mx -all", last="fail", lookups=1, void_lookups=0)

    async def spf_verdict(
        self, domain: str, ip: str, identity: Identity, *, helo: str, ask: Ask
    ) -> SpfVerdict:
        return SpfVerdict(ip, identity, SpfResult.PASS)

    async def dmarc(self, domain: str, ask: Ask) -> DmarcReading:
        return DmarcReading("v=DMARC1; p=reject", domain, tags={"p": "reject"})

    async def fetch(self, host: str, addresses: Sequence[str]) -> Fetched:
        return Fetched()

    async def shown(self, host: str, addresses: Sequence[str]) -> Shown:
        return Shown()


@pytest.fixture
def zone() -> Zone:
    return Zone()


def examiner(zone: Zone, deadline: float = 30.0, stub: Stub | None = None) -> Examiner:
    stub = stub or Stub()
    return Examiner(
        zone,
        semantics=stub,
        policies=stub,
        certificates=stub,
        read_key=lambda octets: None,
        deadline=deadline,
    )


async def test_a_run_asks_each_question_once(zone: Zone) -> None:
    zone.gate.set()
    plan = DomainPlan("shop.test", ("s1",), ("192.0.2.1",), "mx.shop.test", dnsbls=("bl.test",))
    found = await examiner(zone).inspect(plan)
    assert set(zone.asked.values()) == {1}
    assert [check.check for check in found.checks] == sorted(
        (check.check for check in found.checks), key=list(CheckKind).index
    )
    assert {check.check for check in found.checks} == ALL_KINDS
    assert (found.spf_lookups, found.spf_void_lookups) == (1, 0)


async def test_the_next_run_asks_anew(zone: Zone) -> None:
    zone.gate.set()
    checks = examiner(zone)
    for _ in range(2):
        await checks.inspect(DomainPlan("shop.test"), frozenset({CheckKind.MX}))
    assert set(zone.asked.values()) == {2}


async def test_runs_at_the_same_time_share_questions(zone: Zone) -> None:
    checks = examiner(zone)
    plans = [DomainPlan("shop.test")] * 5
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(checks.inspect(plan, frozenset({CheckKind.TLS_RPT})))
            for plan in plans
        ]
        while not zone.under_way:  # noqa: ASYNC110
            await asyncio.sleep(0)
        tasks[0].cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        zone.gate.set()
    # Whoever asked first was cancelled, so another one asked, once for all that are left.
    assert sum(zone.asked.values()) == 2
    assert all(task.result().checks for task in tasks[1:])


async def test_only_so_many_questions_are_under_way(zone: Zone) -> None:
    selectors = tuple(f"s{number}" for number in range(300))
    checks = examiner(zone)
    run = asyncio.create_task(
        checks.inspect(DomainPlan("shop.test", selectors), frozenset({CheckKind.DKIM}))
    )
    while zone.under_way < QUESTIONS:  # noqa: ASYNC110
        await asyncio.sleep(0)
    zone.gate.set()
    assert len((await run).checks) == 300
    assert zone.most == QUESTIONS


async def test_what_never_ends_is_an_error_and_ends(zone: Zone) -> None:
    plan = DomainPlan("shop.test", ("s1",), ("192.0.2.1",), dnsbls=("bl.test",))
    found = await examiner(zone, deadline=0.05).inspect(plan)
    assert {check.state for check in found.checks} == {CheckState.ERROR}
    assert {check.check for check in found.checks} == ALL_KINDS
    assert "within 0.05 s" in found.checks[0].summary


async def test_only_what_is_wanted_is_asked(zone: Zone) -> None:
    zone.gate.set()
    found = await examiner(zone).inspect(DomainPlan("shop.test"), frozenset({CheckKind.BIMI}))
    assert [question.name for question in zone.asked] == ["default._bimi.shop.test"]
    assert found.spf_lookups is None


@pytest.mark.parametrize(
    ("domain", "asked"),
    [("no.test", ["no.test"]), ("a.no.test", ["a.no.test", "no.test"]), ("test", ["test"])],
)
async def test_the_servers_of_a_top_level_are_not_those_of_a_domain(
    zone: Zone, domain: str, asked: list[str]
) -> None:
    zone.gate.set()
    found = await examiner(zone).inspect(DomainPlan(domain), frozenset({CheckKind.NS}))
    assert [question.name for question in zone.asked] == asked
    [check] = found.checks
    assert (check.state, check.summary) == (
        CheckState.FAIL,
        f"No name server of {domain} is known.",
    )


class Dark(Zone):
    """DNS that cannot say who the mail servers are."""

    async def ask(self, question: Question) -> Answer:
        return Answer(question, Reply.FAILED, detail="SERVFAIL")


async def test_without_mail_servers_nothing_is_known_of_their_certificates() -> None:
    found = await examiner(Dark()).inspect(DomainPlan("shop.test"), frozenset({CheckKind.DANE}))
    assert [check.state for check in found.checks] == [CheckState.ERROR]


class Stumbling(Stub):
    """Has a defect."""

    async def spf(self, domain: str, ask: Ask) -> SpfReading:
        raise LookupError(domain)


async def test_what_breaks_is_an_error_and_breaks_nothing_else(
    zone: Zone, caplog: pytest.LogCaptureFixture
) -> None:
    zone.gate.set()
    found = await examiner(zone, stub=Stumbling()).inspect(DomainPlan("shop.test"))
    assert {check.check: check.state for check in found.checks}[CheckKind.SPF] is CheckState.ERROR
    assert {check.check for check in found.checks if "broke" in check.summary} == {CheckKind.SPF}
    assert "The check spf of shop.test broke." in caplog.text


async def test_the_test_of_a_list_is_no_check(zone: Zone) -> None:
    plan = DomainPlan("shop.test", (), ("192.0.2.1",), dnsbls=("bl.test",))
    found = await examiner(zone, deadline=0.05).inspect(plan, frozenset({CheckKind.DNSBL}))
    assert [check.subject for check in found.checks] == ["192.0.2.1 bl.test"]
    assert found.usable == ()
