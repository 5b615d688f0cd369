"""Checks of sender domains: some domains at a time, every check of one at once, all in time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable, Set

from probe.core.records.answer import Answer, Question
from probe.core.records.check import (
    Check,
    CheckKind,
    CheckState,
    DomainPlan,
    Inspection,
)
from probe.core.records.dkim import ReadKey
from probe.engine.asker import Asker
from probe.engine.examination import Examination, Job
from probe.ports_dns import (
    ALL_KINDS,
    CertificateReader,
    PolicyReader,
    Records,
    Semantics,
)

log = logging.getLogger("probe.examiner")

DOMAINS = 12  # Inspected at a time.
QUESTIONS = 48  # Under way at a time, over all domains.
DEADLINE = 25.0  # Of one check (s).


class Examiner:
    """Fulfils ports_dns.DomainInspector."""

    def __init__(
        self,
        records: Records,
        *,
        semantics: Semantics,
        policies: PolicyReader,
        certificates: CertificateReader,
        read_key: ReadKey,
        deadline: float = DEADLINE,
    ) -> None:
        """All of it may be shared with others."""
        self._records = records
        self._semantics = semantics
        self._policies = policies
        self._certificates = certificates
        self._read_key = read_key
        self._deadline = deadline
        self._domains = asyncio.Semaphore(DOMAINS)
        self._questions = asyncio.Semaphore(QUESTIONS)
        self._asker = Asker(self._put, remember=False)

    async def inspect(self, plan: DomainPlan, kinds: Set[CheckKind] = ALL_KINDS) -> Inspection:
        """Checks of these kinds, once; never raises but for cancellation."""
        async with self._domains:
            examination = Examination(
                plan,
                Asker(self._asker.ask, remember=True).ask,
                semantics=self._semantics,
                policies=self._policies,
                certificates=self._certificates,
                read_key=self._read_key,
            )
            checks = await _all(self._in_time(job) for job in examination.jobs(kinds))
        reading = examination.reading
        return Inspection(
            checks,
            None if reading is None else reading.lookups,
            None if reading is None else reading.void_lookups,
            tuple(examination.listings),
            tuple(examination.usable.items()),
        )

    async def _put(self, question: Question) -> Answer:
        async with self._questions:
            return await self._records.ask(question)

    async def _in_time(self, job: Job) -> list[Check]:
        """What a job finds out; that it took too long, or broke, is a result as well."""
        try:
            async with asyncio.timeout(self._deadline):
                return await job.work()
        except TimeoutError:
            said = f"The check did not come to an end within {self._deadline:g} s."
        except Exception:  # What one domain publishes must not keep us from checking the others.
            log.exception("The check %s of %s broke.", job.kind, job.subject)
            said = "The check broke, which is our fault; the log says how."
        return [Check(job.kind, job.subject, CheckState.ERROR, said)] if job.subject else []


async def _all(works: Iterable[Awaitable[list[Check]]]) -> tuple[Check, ...]:
    """What all of them found out, in the order of the kinds; at once."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(work)) for work in works]
    return tuple(check for task in tasks for check in task.result())


async def _awaited(work: Awaitable[list[Check]]) -> list[Check]:
    return await work
