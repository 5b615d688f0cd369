"""Whether the name servers of a domain agree: a record may be gone on one of them only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from probe.core.records.answer import Answer, Question, RecordKind, Reply, lines_of, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

MAX_SERVERS = 13


@dataclass(frozen=True, slots=True)
class Server:
    """A name server, and what it said when it was asked by itself."""

    name: str
    addresses: tuple[Answer, ...]  # What A and AAAA of its name gave.
    soa: Answer | None  # None: it has no address, so it was not asked.
    answers: tuple[Answer, ...] = ()  # Of the records that matter for mail.


def questions(domain: str, selectors: Sequence[str]) -> list[Question]:
    """What each name server is asked for, besides the SOA record of the zone."""
    return [
        Question(domain, RecordKind.MX),
        Question(domain, RecordKind.TXT),
        Question(f"_dmarc.{domain}", RecordKind.TXT),
        *(Question(f"{each}._domainkey.{domain}", RecordKind.TXT) for each in selectors),
    ]


def evaluate(domain: str, ns: Answer, servers: Sequence[Server]) -> list[Check]:
    """A check for each name server; one about the domain where they are not known."""
    if not servers:
        return [_unlisted(domain, ns)]
    newest = max((_serial(server) for server in servers), default=0)
    usual = _usual(servers)
    return [
        concluded(
            CheckKind.NS,
            server.name,
            _remarks(server, newest, usual),
            well=f"{server.name} has the zone, as the others do.",
            evidence=[*_seen(server), *lines_of([ns])],
            records=ns.records,  # Not the version, which is another with each change of the zone.
        )
        for server in servers
    ]


def _unlisted(domain: str, ns: Answer) -> Check:
    known = ns.is_known
    state = CheckState.FAIL if known else CheckState.ERROR
    said = f"No name server of {domain} is known." if known else unknown([ns])
    return concluded(CheckKind.NS, domain, [Remark(state, said)], well="", evidence=lines_of([ns]))


def _seen(server: Server) -> list[str]:
    return lines_of([*([server.soa] if server.soa else server.addresses), *server.answers])


def _remarks(server: Server, newest: int, usual: Mapping[Question, frozenset[str]]) -> list[Remark]:
    if server.soa is None:
        if sentence := unknown(server.addresses):
            return [Remark(CheckState.ERROR, sentence)]
        return [Remark(CheckState.FAIL, f"The name server {server.name} has no address.")]
    if sentence := unknown([server.soa]):
        return [Remark(CheckState.ERROR, f"{server.name} does not answer. {sentence}")]
    if not (server.soa.authoritative and server.soa.records):
        return [Remark(CheckState.FAIL, f"{server.name} does not have the zone (lame delegation).")]
    remarks = [
        remark
        for answer in server.answers
        if (remark := _difference(server, answer, usual[_anywhere(answer)]))
    ]
    if (serial := _serial(server)) != newest:
        said = f"{server.name} has the zone's version {serial}, another has {newest}."
        remarks.append(Remark(CheckState.WARN, said))
    return remarks


def _difference(server: Server, answer: Answer, usual: frozenset[str]) -> Remark | None:
    """How an answer differs from that of most of the others."""
    if sentence := unknown([answer]):
        return Remark(CheckState.ERROR, f"{server.name} does not answer. {sentence}")
    about = f"the {answer.question.kind} record of {answer.question.name}"
    said = _content(answer)
    if said == usual:
        return None
    if not said:
        return Remark(CheckState.FAIL, f"{server.name} does not have {about}, and others do.")
    return Remark(CheckState.FAIL, f"{server.name} has another version of {about}.")


def _usual(servers: Sequence[Server]) -> dict[Question, frozenset[str]]:
    """What most servers say to each question, among those who have anything."""
    counts: dict[Question, Counter[frozenset[str]]] = {}
    for server in servers:
        for answer in server.answers:
            counter = counts.setdefault(_anywhere(answer), Counter())
            if answer.is_known:
                counter[_content(answer)] += 1
    return {
        question: max(counter, key=lambda said: (bool(said), counter[said], sorted(said)))
        if counter
        else frozenset()
        for question, counter in counts.items()
    }


def _anywhere(answer: Answer) -> Question:
    return Question(answer.question.name, answer.question.kind)


def _content(answer: Answer) -> frozenset[str]:
    """What an answer amounts to, in whatever order; an alias is content too."""
    return frozenset((*answer.records, *(f"alias of {each}" for each in answer.aliases)))


def _serial(server: Server) -> int:
    """The version of the zone: the third field of its SOA record."""
    if server.soa is None or server.soa.reply is not Reply.FOUND:
        return 0
    fields = server.soa.records[0].split()
    return int(fields[2]) if len(fields) > 2 and fields[2].isdecimal() else 0
