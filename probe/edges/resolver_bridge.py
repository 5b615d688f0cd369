"""A resolver for libraries that wait: in a worker thread, over questions of ours.

It looks like dnspython's as far as they use it. What they ask is bounded in number and time, and
it takes note of every question that found no answer, because they do not keep that apart from a
record that is missing.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import assert_never

import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TXT
import dns.resolver

from probe.core.records.answer import Answer, Question, RecordKind, Reply, unknown
from probe.ports_dns import Ask

DEADLINE = 15.0  # Of all questions together (s).
MAX_QUESTIONS = 150  # RFC 7208 §4.6.4 allows 10 terms, with up to 10 addresses each.

MAX_TEXT = 4096  # Octets of one record: RFC 7208 §3.4 wants 512, and longer ones take long to read.

_READ = ("v=spf1", "v=dmarc1")  # What the libraries look for in TXT records.
_STRING = 255  # Octets of one string in a TXT record.


class Bridge:
    """Puts questions of a worker thread on the event loop; of use in one thread, for one task."""

    lifetime = DEADLINE  # Is read by checkdmarc.

    def __init__(self, ask: Ask, loop: asyncio.AbstractEventLoop) -> None:
        """`loop` is where `ask` runs."""
        self.unanswered = ""  # A sentence about the first question that found no answer.
        self.excess = ""  # Why a record is too much to be evaluated, or empty.
        self._ask = ask
        self._loop = loop
        self._end = time.monotonic() + DEADLINE
        self._left = MAX_QUESTIONS

    def ask(self, name: str, kind: RecordKind) -> Answer:
        """The answer; nothing is known from it if time or number are used up."""
        question = Question(name.lower().rstrip("."), kind)
        self._left -= 1
        if self._left < 0 or self._loop.is_closed():
            self.excess = self.excess or f"it takes more than {MAX_QUESTIONS} questions to DNS."
            return Answer(question, Reply.SILENT)
        answer = self._readable(self._put(question))
        if not self.unanswered and not _is_idle(answer):
            self.unanswered = unknown([answer])
        return answer

    def _readable(self, answer: Answer) -> Answer:
        """The answer without records that are too long to be read."""
        long = [record for record in answer.records if len(record) > MAX_TEXT]
        for record in long:
            if record.lower().startswith(_READ):
                said = f"the record of {answer.question.name} has {len(record)} octets."
                self.excess = self.excess or said
        kept = tuple(record for record in answer.records if len(record) <= MAX_TEXT)
        return replace(answer, records=kept) if long else answer

    def _put(self, question: Question) -> Answer:
        remaining = self._end - time.monotonic()
        asked = asyncio.run_coroutine_threadsafe(self._awaited(question), self._loop)
        try:
            return asked.result(max(remaining, 0.0))
        except TimeoutError:
            asked.cancel()
            return Answer(question, Reply.SILENT, detail=f"nothing within {DEADLINE:g} s")
        except CancelledError:
            self._left = 0  # The run is over: nobody waits for what else would be asked.
            return Answer(question, Reply.SILENT, detail="the check was cut short")

    async def _awaited(self, question: Question) -> Answer:
        return await self._ask(question)

    def resolve(self, qname: str, rdtype: str, **_: object) -> list[dns.rdata.Rdata]:
        """The records. Raises what dnspython's resolver raises.

        Types that none of our checks needs have none: the type SPF is obsolete (RFC 7208 §3.1).
        """
        if rdtype not in RecordKind.__members__:
            raise dns.resolver.NoAnswer
        answer = self.ask(str(qname), RecordKind(rdtype))
        match answer.reply:
            case Reply.FOUND:
                return [_rdata(answer.question.kind, record) for record in answer.records]
            case Reply.NO_NAME | Reply.LOOP:
                raise dns.resolver.NXDOMAIN
            case Reply.NO_DATA:
                raise dns.resolver.NoAnswer
            case Reply.SILENT | Reply.FAILED | Reply.REFUSED | Reply.BROKEN:
                if _is_idle(answer):
                    raise dns.resolver.NoAnswer
                raise dns.resolver.NoNameservers
            case _:
                assert_never(answer.reply)


def _is_idle(answer: Answer) -> bool:
    """Whether nothing depends on an answer.

    checkdmarc asks whether a record is an alias, out of courtesy. And a server that will not speak
    of a top level domain has only zones of its own: it says nothing of a policy up there.
    """
    kind, labels = answer.question.kind, answer.question.name.count(".") + 1
    is_top = answer.question.name.startswith("_dmarc.") and labels == 2
    return kind is RecordKind.CNAME or (is_top and answer.reply is Reply.REFUSED)


def _rdata(kind: RecordKind, record: str) -> dns.rdata.Rdata:
    """A record as dnspython has it."""
    if kind is RecordKind.TXT:
        octets = record.encode("latin-1")
        strings = [octets[i : i + _STRING] for i in range(0, len(octets), _STRING)] or [b""]
        return dns.rdtypes.ANY.TXT.TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings)
    absolute = record if kind in (RecordKind.A, RecordKind.AAAA) else f"{record}."
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind.value), absolute)
