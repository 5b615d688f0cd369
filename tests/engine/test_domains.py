"""The loop over the senders' domains: when it looks, what it concludes, what it remembers."""

import asyncio
from collections.abc import AsyncIterator, Set
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

from probe.core.component import Fault, Named
from probe.core.records.check import Check, CheckKind, CheckState, DomainPlan, Inspection, Listing
from probe.core.records.timetable import DnsTimes
from probe.core.sender_domain import SenderDomain
from probe.engine.domain_book import DomainBook
from probe.engine.domains import Domains
from probe.ports_dns import ALL_KINDS
from tests.engine.world import FakeJournal, FakeMetrics
from tests.hand_turned import HandTurnedClock, settle

SHOP = SenderDomain("shop", "shop.example", ("s1",), ("192.0.2.1",))
NEWS = SenderDomain("news", "news.example")
SUBJECTS = {CheckKind.DKIM: "s1", CheckKind.PTR: "192.0.2.1"}


class FakeDns:
    """Everything is ok but for what a test says, by domain and kind."""

    def __init__(self, clock: HandTurnedClock) -> None:
        self._clock = clock
        self.states: dict[tuple[str, CheckKind], CheckState] = {}
        self.records: dict[tuple[str, CheckKind], str] = {}
        self.runs: list[tuple[float, str, frozenset[CheckKind]]] = []
        self.plans: list[DomainPlan] = []
        self.gates: dict[tuple[str, CheckKind], asyncio.Event] = {}

    async def inspect(self, plan: DomainPlan, kinds: Set[CheckKind] = ALL_KINDS) -> Inspection:
        self.runs.append((self._clock.now(), plan.domain, frozenset(kinds)))
        await self._clock.sleep_until(self._clock.now() + 0.1 * len(self.runs) % 0.7)
        self.plans.append(plan)
        for kind in kinds:
            if (plan.domain, kind) in self.gates:
                await self.gates[plan.domain, kind].wait()
        checks = tuple(self._check(plan, kind) for kind in CheckKind if kind in kinds)
        listings = tuple(Listing(ip, zone, True) for ip in plan.egress_ips for zone in plan.dnsbls)
        usable = tuple((zone, True) for zone in plan.dnsbls)
        return Inspection(checks, 3, 0, listings, usable)

    def _check(self, plan: DomainPlan, kind: CheckKind) -> Check:
        key = plan.domain, kind
        subject = SUBJECTS.get(kind, plan.domain)
        state = self.states.get(key, CheckState.OK)
        return Check(kind, subject, state, "It is so.", (), (self.records.get(key, "v=1"),))

    def when(self, domain: str, kind: CheckKind) -> list[float]:
        return [moment for moment, name, kinds in self.runs if name == domain and kind in kinds]


class World:
    def __init__(self, *origins: SenderDomain, journal: FakeJournal | None = None) -> None:
        self.clock = HandTurnedClock(0.0, offset=1_800_000_000.0)
        self.journal, self.metrics = journal or FakeJournal(), FakeMetrics()
        self.dns = FakeDns(self.clock)
        self.learned: dict[str, tuple[str, ...]] = {}
        book = DomainBook(
            journal=self.journal,
            metrics=self.metrics,
            clock=self.clock,
            notes=dict(self.journal.notes),
        )
        self.named: dict[str, tuple[Named, ...]] = {}
        self.domains = Domains(
            self.dns,
            book,
            selectors=lambda name: self.learned.get(name, ()),
            declare=lambda component, faults: self.named.update({component.sender: faults}),
            clock=self.clock,
        )
        self.domains.follow(origins or (SHOP,), DnsTimes(300.0, 1800.0), ("bl.example",))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.domains.run(lambda: None))
        await settle()
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def faults(self, sender: str = "shop") -> list[CheckKind]:
        return [fault.unit.kind for fault in self.domains.faults(sender)]


async def test_each_check_is_made_at_the_start_and_then_within_its_interval() -> None:
    world = World()
    async with world.running():
        await world.clock.advance(2000.0)
    runs = world.dns.when("shop.example", CheckKind.SPF)
    assert runs[0] <= 10.0
    gaps = [later - earlier for earlier, later in pairwise(runs)]
    assert all(240.0 <= gap <= 275.0 for gap in gaps) and len(set(gaps)) > 1
    for kind in ALL_KINDS - {CheckKind.DNSBL}:  # Those that can are made together.
        assert world.dns.when("shop.example", kind) == runs
    [_, second] = world.dns.when("shop.example", CheckKind.DNSBL)
    assert 1440.0 <= second <= 1640.0


async def test_what_was_well_and_fails_is_named_within_one_interval() -> None:
    world = World()
    async with world.running():
        await world.clock.advance(100.0)
        world.dns.states["shop.example", CheckKind.SPF] = CheckState.FAIL
        broken = world.clock.now()
        while not world.faults():
            await world.clock.advance(1.0)
        assert world.clock.now() - broken <= 300.0
        assert world.faults() == [CheckKind.SPF]
        [named] = world.named["shop"]
        assert named.fault is Fault.DNS
        assert broken <= named.since <= world.clock.now() - 20.0
        assert named.evidence == ("spf shop.example: It is so.",)
        world.dns.states.clear()
        await world.clock.advance(300.0)
        assert world.faults() == []
        assert world.named == {"shop": ()}


async def test_name_servers_are_given_time_to_take_over_a_change() -> None:
    world = World()
    async with world.running():
        await world.clock.advance(100.0)
        world.dns.states["shop.example", CheckKind.NS] = CheckState.FAIL
        while world.metrics.count("checked", "shop.example", "ns", "fail") == 0:
            await world.clock.advance(1.0)
        await world.clock.advance(200.0)
        assert world.faults() == []
        await world.clock.advance(100.0)
        assert world.faults() == [CheckKind.NS]


async def test_what_was_never_well_is_no_fault() -> None:
    world = World()
    world.dns.states["shop.example", CheckKind.DMARC] = CheckState.FAIL
    async with world.running():
        await world.clock.advance(3000.0)
    assert world.faults() == []
    assert world.metrics.count("checked", "shop.example", "dmarc", "fail") > 5


async def test_a_dead_resolver_is_an_error_and_no_fault() -> None:
    world = World()
    async with world.running():
        await world.clock.advance(100.0)
        for kind in CheckKind:
            world.dns.states["shop.example", kind] = CheckState.ERROR
        await world.clock.advance(3000.0)
        assert world.faults() == []
        [status] = world.domains.status()
        assert {check.state for check in status.checks} == {CheckState.ERROR}


async def test_it_is_known_after_a_restart_what_was_well() -> None:
    before = World()
    async with before.running():
        await before.clock.advance(100.0)
        before.dns.states["shop.example", CheckKind.SPF] = CheckState.FAIL
    after = World(journal=before.journal)
    after.dns.states["shop.example", CheckKind.SPF] = CheckState.FAIL
    after.dns.records["shop.example", CheckKind.SPF] = "v=2"
    async with after.running():
        await after.clock.advance(100.0)
        assert after.faults() == [CheckKind.SPF]
        assert after.metrics.count("record_changed", "shop.example", "spf") >= 1
        assert after.metrics.count("record_changed", "shop.example", "mx") == 0


async def test_a_selector_that_is_new_in_the_mail_is_looked_at_at_once() -> None:
    world = World()
    async with world.running():
        await world.clock.advance(100.0)
        world.learned["shop.example"] = ("s2",)
        await world.clock.advance(6.0)
        assert world.dns.plans[-1].selectors == ("s1", "s2")
        assert world.dns.when("shop.example", CheckKind.DKIM)[-1] <= 106.0
        assert len(world.dns.when("shop.example", CheckKind.DNSBL)) == 1


async def test_a_check_that_does_not_end_holds_up_no_other() -> None:
    world = World(SHOP, NEWS)
    world.dns.gates["shop.example", CheckKind.NS] = asyncio.Event()
    async with world.running():
        await world.clock.advance(1000.0)
        assert len(world.dns.when("shop.example", CheckKind.NS)) == 1
        assert len(world.dns.when("shop.example", CheckKind.MX)) > 3
        assert len(world.dns.when("news.example", CheckKind.NS)) > 3
        world.dns.gates["shop.example", CheckKind.NS].set()
        await world.clock.advance(300.0)
        assert len(world.dns.when("shop.example", CheckKind.NS)) == 2


async def test_a_reload_takes_domains_in_and_out() -> None:
    world = World()
    async with world.running():
        await world.clock.advance(100.0)
        world.dns.states["shop.example", CheckKind.SPF] = CheckState.FAIL
        await world.clock.advance(400.0)
        world.domains.follow((NEWS,), DnsTimes(60.0), ())
        await world.clock.advance(20.0)
        assert [one.domain for one in world.domains.status()] == ["news.example"]
        assert world.domains.is_complete()
        assert world.faults() == []
        assert world.metrics.count("drop_domain", "shop.example") == 1
        assert world.named == {"shop": (), "news": ()}
        count = len(world.dns.runs)
        await world.clock.advance(50.0)
        assert len(world.dns.runs) == count + len(CheckKind) - 1
        world.domains.follow((SHOP, NEWS), DnsTimes(60.0), ())
        await world.clock.advance(100.0)
        assert world.faults() == [CheckKind.SPF]


async def test_two_senders_of_a_domain_share_its_checks() -> None:
    other = SenderDomain("other", "shop.example", ("s9",), ("192.0.2.9",))
    silent = SenderDomain("silent", "shop.example", ("s0",), checked=False)
    world = World(SHOP, other, silent)
    async with world.running():
        await world.clock.advance(100.0)
        for kind in (CheckKind.PTR, CheckKind.SPF):
            world.dns.states["shop.example", kind] = CheckState.FAIL
        await world.clock.advance(400.0)
    assert {plan.domain for plan in world.dns.plans} == {"shop.example"}
    assert world.dns.plans[0].selectors == ("s1", "s9")
    assert world.dns.plans[0].egress_ips == ("192.0.2.1", "192.0.2.9")
    assert set(world.faults("shop")) == {CheckKind.PTR, CheckKind.SPF}
    assert world.faults("other") == [CheckKind.SPF]  # The address is not one of its own.
    assert world.faults("silent") == []


async def test_blocklists_are_told_for_each_address_and_list() -> None:
    world = World()
    calls = [call for call in world.metrics.calls if call[0] == "show_lists"]
    assert calls == [("show_lists", "{('192.0.2.1', 'bl.example'): None}", "{'bl.example': None}")]
    async with world.running():
        await world.clock.advance(20.0)
    told = ("show_lists", "{('192.0.2.1', 'bl.example'): True}", "{'bl.example': True}")
    assert world.metrics.calls[told] == 1


async def test_every_check_can_be_made_once() -> None:
    world = World(SHOP, NEWS)
    assert not world.domains.is_complete()
    async with asyncio.TaskGroup() as group:
        group.create_task(world.domains.once())
        await world.clock.advance(5.0)
    assert world.domains.is_complete()
    assert sum(len(one.checks) for one in world.domains.status()) == 2 * len(CheckKind)
