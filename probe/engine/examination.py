"""One run of the checks of one domain: what is asked for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from probe.core.records import (
    bimi,
    dane,
    dkim,
    dmarc,
    dnsbl,
    mta_sts,
    mx,
    ns,
    ptr,
    spf,
    tls_rpt,
)
from probe.core.records.answer import ADDRESS_KINDS, Answer, Question, RecordKind, unknown
from probe.core.records.check import Check, CheckKind, CheckState, DomainPlan, Listing
from probe.core.records.dkim import ReadKey
from probe.core.records.dmarc import DmarcReading
from probe.core.records.spf import Identity, SpfReading, SpfVerdict
from probe.ports_dns import Ask, CertificateReader, PolicyReader, Semantics

T = TypeVar("T")

MAX_LABELS = 8  # How far up a domain's zone is looked for.


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be found out."""

    kind: CheckKind
    subject: str  # Of the check, where it does not come to an end; empty: it makes none.
    work: Callable[[], Awaitable[list[Check]]]


class Examination:
    """One run; what it found besides the checks is there at its end."""

    def __init__(
        self,
        plan: DomainPlan,
        ask: Ask,
        *,
        semantics: Semantics,
        policies: PolicyReader,
        certificates: CertificateReader,
        read_key: ReadKey,
    ) -> None:
        """`ask` remembers what it heard, so each check may ask for all it needs."""
        self.reading: SpfReading | None = None
        self.listings: list[Listing] = []
        self.usable: dict[str, bool] = {}
        self._plan = plan
        self._domain = plan.domain
        self._ask = ask
        self._semantics = semantics
        self._policies = policies
        self._certificates = certificates
        self._read_key = read_key

    def jobs(self, kinds: Set[CheckKind]) -> list[Job]:
        """What is to be done for checks of these kinds, in their order."""
        return [job for kind in CheckKind if kind in kinds for job in self._of(kind)]

    def _of(self, kind: CheckKind) -> Iterator[Job]:
        """The jobs of one kind: one for each subject that is known beforehand."""
        plan, domain = self._plan, self._domain
        match kind:
            case CheckKind.DKIM:
                yield from (Job(kind, s, partial(self._dkim, s)) for s in plan.selectors)
            case CheckKind.PTR:
                yield from (Job(kind, ip, partial(self._ptr, ip)) for ip in plan.egress_ips)
            case CheckKind.DNSBL:
                for zone in plan.dnsbls:
                    yield Job(kind, "", partial(self._test_list, zone))
                    for ip in plan.egress_ips:
                        yield Job(kind, f"{ip} {zone}", partial(self._dnsbl, ip, zone))
            case CheckKind.MX:
                yield Job(kind, domain, self._mx)
            case CheckKind.SPF:
                yield Job(kind, domain, self._spf)
            case CheckKind.DMARC:
                yield Job(kind, domain, self._dmarc)
            case CheckKind.MTA_STS:
                yield Job(kind, domain, self._mta_sts)
            case CheckKind.TLS_RPT:
                yield Job(kind, domain, self._tls_rpt)
            case CheckKind.DANE:
                yield Job(kind, domain, self._dane)
            case CheckKind.BIMI:
                yield Job(kind, domain, self._bimi)
            case CheckKind.NS:
                yield Job(kind, domain, self._ns)

    async def _mx(self) -> list[Check]:
        answer = await self._records(self._domain, RecordKind.MX)
        hosts = mx.hosts(answer)
        is_without = answer.is_known and not answer.records
        own = await self._addresses(self._domain) if is_without else ()
        return [mx.evaluate(self._domain, answer, await self._each(hosts), own)]

    async def _spf(self) -> list[Check]:
        txt = await self._records(self._domain, RecordKind.TXT)
        reading, verdicts = SpfReading(), list[SpfVerdict]()
        if len(spf.records_of(txt)) == 1:
            reading, verdicts = await asyncio.gather(
                self._semantics.spf(self._domain, self._ask), _gathered(self._verdicts())
            )
            self.reading = reading
        expected = self._plan.expect_includes
        return [spf.evaluate(self._domain, txt, reading, verdicts, expected)]

    def _verdicts(self) -> Iterator[Awaitable[SpfVerdict]]:
        """What receivers conclude of each address, for each identity."""
        helo = self._plan.helo
        for ip in self._plan.egress_ips:
            for identity in (Identity.MAIL_FROM, *((Identity.HELO,) if helo else ())):
                yield self._verdict(ip, identity)

    async def _verdict(self, ip: str, identity: Identity) -> SpfVerdict:
        helo = self._plan.helo
        return await self._semantics.spf_verdict(
            self._domain, ip, identity, helo=helo, ask=self._ask
        )

    async def _dkim(self, selector: str) -> list[Check]:
        answer = await self._records(dkim.name(selector, self._domain), RecordKind.TXT)
        return [dkim.evaluate(selector, answer, self._read_key)]

    async def _dmarc(self) -> list[Check]:
        txt = await self._records(dmarc.name(self._domain), RecordKind.TXT)
        reading = DmarcReading()
        if txt.is_known:
            reading = await self._semantics.dmarc(self._domain, self._ask)
        return [dmarc.evaluate(self._domain, txt, reading)]

    async def _mta_sts(self) -> list[Check]:
        record, answer = await asyncio.gather(
            self._records(mta_sts.name(self._domain), RecordKind.TXT),
            self._records(self._domain, RecordKind.MX),
        )
        policy = mta_sts.Fetched()
        if mta_sts.is_announced(record):
            policy = await self._policy(mta_sts.policy_host(self._domain))
        hosts = mx.hosts(answer)
        return [mta_sts.evaluate(self._domain, record, policy, answer, hosts)]

    async def _policy(self, host: str) -> mta_sts.Fetched:
        answers = await self._addresses(host)
        if found := [record for answer in answers for record in answer.records]:
            return await self._policies.fetch(host, found)
        if sentence := unknown(answers):
            return mta_sts.Fetched(unknown=sentence)
        return mta_sts.Fetched(refused=f"There is no policy: {host} {answers[0].absence}.")

    async def _tls_rpt(self) -> list[Check]:
        answer = await self._records(tls_rpt.name(self._domain), RecordKind.TXT)
        return [tls_rpt.evaluate(self._domain, answer)]

    async def _dane(self) -> list[Check]:
        answer = await self._records(self._domain, RecordKind.MX)
        if sentence := unknown([answer]):
            return [Check(CheckKind.DANE, self._domain, CheckState.ERROR, sentence)]
        return await _gathered(self._dane_of(host, answer) for host in mx.hosts(answer))

    async def _dane_of(self, host: str, answer: Answer) -> Check:
        tlsa = await self._records(dane.name(host), RecordKind.TLSA)
        shown = dane.Shown()
        if answer.authenticated and tlsa.authenticated and tlsa.records:
            shown = await self._shown(host)
        return dane.evaluate(host, answer, tlsa, shown)

    async def _shown(self, host: str) -> dane.Shown:
        answers = await self._addresses(host)
        if found := [record for answer in answers for record in answer.records]:
            return await self._certificates.shown(host, found)
        said = unknown(answers) or f"The mail server {host} has no address."
        return dane.Shown(unknown=said)

    async def _ptr(self, ip: str) -> list[Check]:
        answer = await self._records(ptr.name(ip), RecordKind.PTR)
        helo = self._plan.helo
        forward = await self._each((*ptr.names(answer), *((helo,) if helo else ())))
        return [ptr.evaluate(ip, answer, forward, helo)]

    async def _test_list(self, zone: str) -> list[Check]:
        """Whether a list may be believed; what follows is said of each address."""
        test = await self._self_test(zone, dnsbl.test_addresses(dnsbl.LISTED_4))
        self.usable[zone] = dnsbl.trouble(zone, test) is None
        return []

    async def _self_test(self, zone: str, addresses: tuple[str, str]) -> dnsbl.SelfTest:
        asked = (self._records(dnsbl.name(each, zone), RecordKind.A) for each in addresses)
        listed, clean = await _gathered(asked)
        return dnsbl.SelfTest(listed, clean)

    async def _dnsbl(self, ip: str, zone: str) -> list[Check]:
        name = dnsbl.name(ip, zone)
        test, answer = await asyncio.gather(
            self._self_test(zone, dnsbl.test_addresses(ip)), self._records(name, RecordKind.A)
        )
        is_told = not (dnsbl.trouble(zone, test) or dnsbl.refusal(zone, answer))
        reasons = []
        if is_told:
            self.listings.append(Listing(ip, zone, bool(answer.records)))
        if is_told and answer.records:
            reasons.append(await self._records(name, RecordKind.TXT))
        return [dnsbl.evaluate(ip, zone, test, answer, reasons)]

    async def _bimi(self) -> list[Check]:
        answer = await self._records(bimi.name(self._domain), RecordKind.TXT)
        return [bimi.evaluate(self._domain, answer)]

    async def _ns(self) -> list[Check]:
        answer = await self._name_servers()
        servers = await _gathered(
            self._server(name, answer.question.name) for name in answer.records[: ns.MAX_SERVERS]
        )
        return ns.evaluate(self._domain, answer, servers)

    async def _name_servers(self) -> Answer:
        """The name servers of the zone that the domain is in; who runs the top level is not asked.

        There, everything that is not registered would be in good order.
        """
        labels = self._domain.split(".")[-MAX_LABELS:]
        names = [".".join(labels[start:]) for start in range(max(1, len(labels) - 1))]
        for name in names:
            answer = await self._records(name, RecordKind.NS)
            if answer.records or not answer.is_known:
                break
        return answer

    async def _server(self, name: str, zone: str) -> ns.Server:
        """What one of them says when it is asked by itself."""
        addresses = await self._addresses(name)
        found = [record for answer in addresses for record in answer.records]
        if not found:
            return ns.Server(name, addresses, None)
        soa = await self._records(zone, RecordKind.SOA, found[0])
        wanted = ns.questions(self._domain, self._plan.selectors) if soa.records else []
        answers = await _gathered(self._records(q.name, q.kind, found[0]) for q in wanted)
        return ns.Server(name, addresses, soa, tuple(answers))

    async def _records(self, name: str, kind: RecordKind, server: str = "") -> Answer:
        return await self._ask(Question(name, kind, server))

    async def _addresses(self, name: str) -> tuple[Answer, ...]:
        """The A and AAAA records of a name, in this order."""
        return tuple(await _gathered(self._records(name, kind) for kind in ADDRESS_KINDS))

    async def _each(self, names: Sequence[str]) -> dict[str, tuple[Answer, ...]]:
        """The addresses of each of these names."""
        found = await _gathered(self._addresses(name) for name in names)
        return dict(zip(names, found, strict=True))


async def _gathered(works: Iterable[Awaitable[T]]) -> list[T]:
    """What all of them give, at once, in their order."""
    return list(await asyncio.gather(*works))
