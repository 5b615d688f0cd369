"""Whose message this is, by the traces of a tag in it.

A token may stand in X-Mailprobe fields, in the Message-ID and in a line of the body; its short
id in the Subject, the Return-Path and, of an answer to a probe, in the address it was sent to.
Relays lose or rewrite any of them, so one that verifies is enough. Where they contradict each
other the message is taken for somebody else's, because only our own mail may be touched.

An answer to a probe (a bounce, a vacation note, a reply) quotes Subject and body: there only the
fields that no answer copies count, and the address. So a body speaks only under our Subject.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from probe.core import tag
from probe.core.header import Field, address, fields, first, values
from probe.core.mime import kind, leaves
from probe.core.model import Tag, UnmatchedCause

_FLAGS = re.IGNORECASE | re.ASCII
_TRACE = re.compile(
    rb"^x-mailprobe|<mailprobe\.|\[[a-z2-7]{24}\]|\+[a-z2-7]{24}@", re.IGNORECASE | re.MULTILINE
)
_MESSAGE_ID = re.compile(r"<mailprobe\.([^@>]*)", _FLAGS)
_BODY_LINE = re.compile(r"^Tag: ([a-z2-7]{66})[ \t\r]*$", _FLAGS | re.MULTILINE)
_SUBJECT = re.compile(r"[^:]{,80}\bDelivery check .{,40}\[([a-z2-7]{24})\]", _FLAGS)
_ANSWER = re.compile(r".{,80}: ?Delivery check ", _FLAGS)  # Re:, Undeliverable:, ...
_VERP = re.compile(r"\+([a-z2-7]{24})@", _FLAGS)
_SERVERS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "maildaemon"})
_ADDRESSED = frozenset({"to", "delivered-to", "x-original-to", "x-delivered-to", "envelope-to"})


@dataclass(frozen=True, slots=True)
class Ours:
    """A message of this instance and this journal."""

    tag: Tag
    token: str  # In lower case.


@dataclass(frozen=True, slots=True)
class Renamed:
    """A message of this journal from when the instance had another name.

    A copy of the journal may be in use elsewhere under that name: the journal knows its token, or
    it is not ours.
    """

    tag: Tag
    token: str  # In lower case.


@dataclass(frozen=True, slots=True)
class OurShort:
    """Only a short id was found: whether it is ours the journal knows."""

    sequence: int
    short: str  # In lower case.
    answer: bool = False  # Sent to the address of a probe: a bounce or a reply, not the probe.


@dataclass(frozen=True, slots=True)
class Conflict:
    """A message of a second prober that runs under our name: younger than our journal."""

    tag: Tag


@dataclass(frozen=True, slots=True)
class OldJournal:
    """A message of a journal that we had before this one: an orphan of ours."""

    tag: Tag
    token: str  # In lower case.


@dataclass(frozen=True, slots=True)
class Expired:
    """A message of this instance by a tag that is too old, or from the future.

    It may be replayed. It may also be on its way while our clock was set.
    """

    tag: Tag
    token: str  # In lower case.


@dataclass(frozen=True, slots=True)
class NotOurs:
    """A message with a tag that is not one of ours."""

    cause: UnmatchedCause


@dataclass(frozen=True, slots=True)
class Untagged:
    """A message without any trace of a tag; it is not counted."""


Recognised: TypeAlias = (
    Ours | Renamed | OurShort | Conflict | OldJournal | Expired | NotOurs | Untagged
)


@dataclass(frozen=True, slots=True)
class _Claim:
    """What stands in a place where a token should."""

    token: str
    names: str = ""  # The instance that its X-Mailprobe field names.


@dataclass(frozen=True, slots=True, order=True)
class _Signer:
    """Whose tag is looked for."""

    name: str  # As it stands in an X-Mailprobe field.
    digest: str


@dataclass(frozen=True, slots=True)
class _Shorts:
    """The short ids in the places of a probe itself, or nothing."""

    subject: str = ""  # Relays put `[EXT]` and the like before ours.
    return_path: str = ""

    @property
    def all(self) -> list[str]:
        return [short for short in (self.subject, self.return_path) if short]


def might_be_tagged(header: bytes) -> bool:
    """Whether `recognise` could find anything in this header; cheap, and says yes too often."""
    return _TRACE.search(header) is not None


def is_report(header: bytes) -> bool:
    """Whether this may be a bounce or another answer to a probe (RFC 3464, RFC 3834)."""
    return _is_report(fields(header))


def recognise(
    header: bytes,
    keys: Sequence[bytes],
    *,
    instance: str,
    journal: str,
    journal_created_wall: float,
    wall: float,
    lifetime: float,
    body: bytes = b"",
) -> Recognised:
    """Whose message this is; moments are Unix times, `lifetime` is how long a tag is good (s)."""
    found = fields(header)
    shorts = _Shorts() if _is_answer(found) else _shorts(found)
    claims = list(_claims(found, body if shorts.subject else b""))
    if not claims:
        return _by_short(shorts, addressed(found))
    us = _Signer(tag.spelled(instance), tag.digest_of_instance(instance))
    agreed = _agreed(claims, shorts, keys, us)
    if renamed := agreed is UnmatchedCause.FOREIGN:
        agreed = _agreed_of_journal(claims, shorts, keys, journal)
    if isinstance(agreed, UnmatchedCause):
        return NotOurs(agreed)
    token, told = agreed
    if not tag.is_current(told, wall=wall, lifetime=lifetime):
        return Expired(told, token)
    if renamed:
        return Renamed(told, token)
    if told.journal == journal:
        return Ours(told, token)
    return OldJournal(told, token) if told.time / 100 < journal_created_wall else Conflict(told)


def addressed(found: Sequence[Field]) -> list[str]:
    """The short ids in the addresses that a message was sent to: it answers these probes."""
    addresses = " ".join(field.value for field in found if field.name in _ADDRESSED)
    return [match[1].lower() for match in _VERP.finditer(addresses)]


def is_from_server(found: Sequence[Field]) -> bool:
    """Whether a mail server says that it wrote this itself."""
    return address(first(found, "from")).partition("@")[0] in _SERVERS


def _is_report(found: Sequence[Field]) -> bool:
    return (
        kind(found) == "multipart/report"
        or first(found, "auto-submitted").lower().startswith("auto-replied")
        or "<>" in values(found, "return-path")
        or is_from_server(found)
        or bool(addressed(found))
        or _ANSWER.match(first(found, "subject")) is not None
    )


def _is_answer(found: Sequence[Field]) -> bool:
    replies = any(field.name in {"in-reply-to", "references"} for field in found)
    return replies or _is_report(found)


def _claims(found: Sequence[Field], body: bytes) -> Iterator[_Claim]:
    """Every token, one for each place."""
    for value in values(found, "x-mailprobe"):
        stated = dict(_statement(text) for text in value.split(";"))
        yield _Claim(stated.get("token", ""), stated.get("instance", ""))
    for value in values(found, "message-id"):
        yield from (_Claim(match[1]) for match in _MESSAGE_ID.finditer(value))
    if body:
        texts = (leaf.text for leaf in leaves(found, body) if leaf.kind == "text/plain")
        yield from (_Claim(match[1]) for text in texts for match in _BODY_LINE.finditer(text))


def _statement(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip()


def _agreed(
    claims: Sequence[_Claim], shorts: _Shorts, keys: Sequence[bytes], signer: _Signer
) -> tuple[str, Tag] | UnmatchedCause:
    """The one token of this signer that verifies, unless more places speak against it than for."""
    name = signer.name
    named = {claim.names for claim in claims if claim.names}
    if named and name not in named:
        return UnmatchedCause.FOREIGN
    tokens = dict.fromkeys(claim.token.lower() for claim in claims if claim.names in {"", name})
    told_by = {token: tag.verify(token, keys) for token in tokens}
    verified = {token: told for token, told in told_by.items() if isinstance(told, Tag)}
    if not verified:
        return _flaw(claims, signer.digest)
    token, told = next(iter(verified.items()))
    speaks_for = [claim.token.lower() == token and claim.names in {"", name} for claim in claims]
    speaks_for += [tag.is_short_of(short, token) for short in shorts.all]
    if len(verified) > 1 or speaks_for.count(True) < speaks_for.count(False):
        return UnmatchedCause.MALFORMED
    return (token, told) if told.instance == signer.digest else UnmatchedCause.FOREIGN


def _agreed_of_journal(
    claims: Sequence[_Claim], shorts: _Shorts, keys: Sequence[bytes], journal: str
) -> tuple[str, Tag] | UnmatchedCause:
    """As `_agreed`, for a token of this journal, whatever its instance was called then."""
    signers = [
        _Signer(claim.names, told.instance)
        for claim in claims
        if (told := tag.read(claim.token)) and told.journal == journal
        if not claim.names or tag.digest_of_instance(claim.names) == told.instance
    ]
    if not signers:
        return UnmatchedCause.FOREIGN
    agreed = _agreed(claims, shorts, keys, max(signers))  # With a name, if one has a name.
    if isinstance(agreed, UnmatchedCause) or agreed[1].journal != journal:
        return UnmatchedCause.FOREIGN
    return agreed


def _flaw(claims: Sequence[_Claim], digest: str) -> UnmatchedCause:
    """Why none of them verifies."""
    told = [read for claim in claims if (read := tag.read(claim.token))]
    if not told:
        return UnmatchedCause.MALFORMED
    foreign = all(claimed.instance != digest for claimed in told)
    return UnmatchedCause.FOREIGN if foreign else UnmatchedCause.BAD_MAC


def _shorts(found: Sequence[Field]) -> _Shorts:
    subject = _SUBJECT.match(first(found, "subject"))
    path = _VERP.search(first(found, "return-path"))
    return _Shorts(subject[1].lower() if subject else "", path[1].lower() if path else "")


def _by_short(shorts: _Shorts, answered: Sequence[str]) -> Recognised:
    found = set(answered or shorts.all)
    if not found:
        return Untagged()
    short = found.pop()
    sequence = tag.sequence_of_short(short)
    if found or sequence is None:
        return NotOurs(UnmatchedCause.MALFORMED)
    return OurShort(sequence, short, answer=bool(answered))
