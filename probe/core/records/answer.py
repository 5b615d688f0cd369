"""What a DNS server said to a question, as a value; that it said nothing is one too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class RecordKind(StrEnum):
    """The types of records that are asked for."""

    A = "A"
    AAAA = "AAAA"
    CNAME = "CNAME"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    SOA = "SOA"
    TLSA = "TLSA"
    TXT = "TXT"


ADDRESS_KINDS = (RecordKind.A, RecordKind.AAAA)


class Reply(StrEnum):
    """What became of a question."""

    FOUND = "found"  # There are such records.
    NO_DATA = "no_data"  # The name exists, and has none of this type.
    NO_NAME = "no_name"  # The name does not exist.
    LOOP = "loop"  # The name is an alias that never ends: nobody can have the records.
    SILENT = "silent"  # No server answered in time, or could be reached.
    FAILED = "failed"  # A server answered that it cannot say (SERVFAIL, and what is as rare).
    REFUSED = "refused"  # A server answered that it will not say.
    BROKEN = "broken"  # What came was no proper answer: garbage, or cut short over TCP too.


_SAYS_NOTHING = frozenset({Reply.SILENT, Reply.FAILED, Reply.REFUSED, Reply.BROKEN})


@dataclass(frozen=True, slots=True)
class Question:
    """A name, and the type of records that are asked for."""

    name: str  # Lower case, without a final dot.
    kind: RecordKind
    server: str = ""  # The address of the one server to ask; empty: the resolvers.


@dataclass(frozen=True, slots=True)
class Answer:
    """What is known after a question was put, once to every resolver, or twice to a single one."""

    question: Question
    reply: Reply
    records: tuple[str, ...] = ()  # As zone files have them; host names in lower case, no last dot.
    server: str = ""  # Who answered; empty: nobody did.
    detail: str = ""  # Where nothing is known: which server said what.
    authenticated: bool = False  # By DNSSEC, and by a resolver whose word cannot be forged.
    authoritative: bool = False  # The server has the zone itself.
    aliases: tuple[str, ...] = ()  # The names that the name is an alias of, in their order.
    is_cut: bool = False  # The server says nothing of the last alias, not even that it is empty.

    @property
    def is_known(self) -> bool:
        """Whether it says anything; otherwise nothing may be concluded from it."""
        return self.reply not in _SAYS_NOTHING

    @property
    def absence(self) -> str:
        """Why there are no records, as the end of a sentence about the name."""
        if self.reply is Reply.NO_NAME:
            return "does not exist"
        if self.reply is Reply.LOOP:
            return "is an alias in a circle"
        return f"has no {self.question.kind} record"

    def lines(self) -> Iterable[str]:
        """What it says, as evidence: a line for each record, and the server that was asked."""
        name, kind = self.question.name, self.question.kind
        by = f" (from {self.server})" if self.server else ""
        if not self.is_known:
            yield f"{name} {kind}: no answer ({self.detail})"
            return
        if self.aliases:
            yield f"{name} is an alias of {' and '.join(self.aliases)}{by}"
        if not self.records:
            yield f"{name} {self.absence}{by}"
        for record in self.records:
            shown = f'"{record}"' if kind is RecordKind.TXT else record
            yield f"{name} {kind} {shown}{by}"


def lines_of(answers: Iterable[Answer]) -> list[str]:
    """The evidence of several answers."""
    return [line for answer in answers for line in answer.lines()]


def unknown(answers: Iterable[Answer]) -> str:
    """A sentence about the first of these that says nothing; empty if all say something."""
    for answer in answers:
        if not answer.is_known:
            kind, name = answer.question.kind, answer.question.name
            return f"No server answered for the {kind} record of {name}: {answer.detail}."
    return ""
