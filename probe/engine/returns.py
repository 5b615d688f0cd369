"""Takes in the mail that comes back: reports (DSN, RFC 3464) about messages of ours."""

from __future__ import annotations

from probe.core import bounce, tag
from probe.core.model import Bounce, Place
from probe.core.record import Record
from probe.engine.books import Books
from probe.engine.findings import Findings
from probe.engine.records import Records
from probe.ports import Fetched


class Returns:
    """Knows which probe a report is about, and tells what became of it."""

    def __init__(self, records: Records, *, books: Books, findings: Findings) -> None:
        self._records = records
        self._books = books
        self._findings = findings

    async def take_in(self, fetched: Fetched, place: Place, seen: float) -> int | None:
        """The number of the probe that a message reports on; None if it is no such report."""
        report = bounce.parse(fetched.header, fetched.body)
        if report is None:
            return None
        async with self._records.alone:
            record = await self._reported(report)
            if record is None:
                return None
            told = Bounce(
                sequence=record.probe.sequence,
                place=place,
                seen=seen,
                action=report.action,
                status=report.status,
                text=report.text,
            )
            self._books.post([self._books.ledger.bounced(told, record)])
            self._findings.returned(record.probe, told)
        return record.probe.sequence

    async def _reported(self, report: bounce.Report) -> Record | None:
        """The probe that a DSN is about: by VERP, by ENVID, by what it returned."""
        for short in report.shorts:
            sequence = tag.sequence_of_short(short)
            record = None if sequence is None else await self._records.find(sequence)
            if record is not None and tag.is_short_of(short, record.probe.token):
                return record
        for token in report.tokens:
            read = tag.read(token)
            record = None if read is None else await self._records.find(read.sequence)
            if record is not None and record.probe.token == token:
                return record
        return None
