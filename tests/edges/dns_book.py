"""DNS as a table in memory: what questions are answered with, and which were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from probe.core.records.answer import Answer, Question, RecordKind, Reply


@dataclass
class Book:
    """Answers by name and type; names in `dead` have servers that do not answer."""

    records: Mapping[tuple[str, str], Sequence[str]]
    dead: frozenset[str] = frozenset()
    asked: list[Question] = field(default_factory=list)

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        if question.name in self.dead:
            return Answer(question, Reply.FAILED, detail="SERVFAIL")
        name, aliases = question.name, []
        while alias := self.records.get((name, "CNAME")):
            if question.kind is RecordKind.CNAME:
                break
            if alias[0] in aliases:
                return Answer(question, Reply.LOOP)
            name = alias[0]
            aliases.append(name)
        found = tuple(self.records.get((name, question.kind.value), ()))
        reply = Reply.FOUND if found else Reply.NO_DATA
        if not found and not any(known.endswith(name) for known, _ in self.records):
            reply = Reply.NO_NAME
        return Answer(question, reply, found, "192.0.2.53@53", aliases=tuple(aliases))


def book(zone: str, dead: Sequence[str] = ()) -> Book:
    """A table of `NAME TYPE VALUE` lines; a name may stand for several."""
    records: dict[tuple[str, str], list[str]] = {}
    for line in filter(str.strip, zone.splitlines()):
        name, kind, value = line.split(maxsplit=2)
        records.setdefault((name, kind), []).append(value)
    return Book(records, frozenset(dead))
