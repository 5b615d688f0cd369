"""Bounces: what a report says about the delivery of one of our messages (RFC 3464, RFC 6522).

Standard reports are read by their fields. Others (qmail, old Exim, appliances) are taken for a
bounce only if a mail server speaks of a failure in them, and they reached an address of a probe
or return its header: a vacation note does the one and not the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from probe.core import tag
from probe.core.header import Field, fields, first, unstructured, values
from probe.core.mime import Leaf, kind, leaves
from probe.core.recognise import addressed, is_from_server
from probe.core.wire import clean

_CANDIDATES = 8
_TEXT_LIMIT = 300
_GUESSED_FROM = 8000  # Enough of the text to say what it is about (characters).
_FLAGS = re.IGNORECASE | re.ASCII
_ACTIONS = ("failed", "delayed", "expanded", "relayed", "delivered")  # The worst first.
_ACTION_OF_CLASS = {"2": "delivered", "4": "delayed", "5": "failed"}
_STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_TOKEN = re.compile(r"(?<![a-z2-7])[a-z2-7]{66}(?![a-z2-7])", _FLAGS)
_SHORT = re.compile(r"(?:\[|\+)([a-z2-7]{24})(?:\]|@)", _FLAGS)
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])", re.ASCII)
_LIKELY_STATUS = re.compile(r"(?<![\d.])[45]\.[0-7]\.\d{1,3}(?![\d.])", re.ASCII)
_DIAGNOSTIC_TYPE = re.compile(r"^[a-z0-9.-]{1,30} ?; ?", _FLAGS)
_EMPTY_LINE = re.compile(r"\n[ \t]*\r?\n")
_DELAYED = re.compile(
    r"message.{,40} delayed|delivery.{,20} delayed|delayed mail|will be retried"
    r"|not (?:yet )?been delivered yet|not yet been delivered|still trying",
    _FLAGS,
)
_FAILED = re.compile(
    r"undeliver|failure notice|returned mail|returned to sender|permanent error"
    r"|(?:could not|cannot|can't) be delivered|unable to deliver|wasn't able to deliver"
    r"|delivery (?:status notification|has failed|failed|failure)",
    _FLAGS,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a bounce says. The ids in it are claims: the journal knows whose they are."""

    action: str  # failed, delayed, expanded, relayed or delivered.
    status: str  # 5.1.1, or empty.
    text: str  # The diagnostic, cleaned and cut.
    envelope_id: str  # Original-Envelope-Id, cleaned and cut; or empty.
    shorts: tuple[str, ...]  # In the order to try: the address's, the envelope's, the returned.
    tokens: tuple[str, ...]  # Whole ones: the envelope's, the returned.


@dataclass(frozen=True, slots=True)
class _Told:
    """What a report says, whichever way it says it."""

    action: str
    status: str
    text: str
    envelope_id: str = ""


def parse(header: bytes, body: bytes) -> Report | None:
    """The report in this message; None where it is something else, such as a probe itself."""
    found = fields(header)
    if values(found, "x-mailprobe"):
        return None
    parts = leaves(found, body)
    standard = _standard(parts)
    told = standard or _guessed(found, parts)
    if told is None:
        return None
    returned = "\n".join(part.text for part in parts)
    tokens = _distinct(filter(tag.read, _TOKEN.findall(f"{told.envelope_id}\n{returned}")))
    shorts = _distinct(
        [*addressed(found), *(tag.short(token) for token in tokens), *_SHORT.findall(returned)]
    )
    if not (standard or shorts):
        return None
    return Report(told.action, told.status, told.text, told.envelope_id, shorts, tokens)


def _standard(parts: Sequence[Leaf]) -> _Told | None:
    """What the fields of a delivery status say; the worst, where there are several recipients."""
    groups = [
        fields(block.strip().encode())
        for part in parts
        if part.kind in _STATUS_KINDS
        for block in _EMPTY_LINE.split(part.text)
    ]
    recipients = [told for group in groups if (told := _recipient(group))]
    if not recipients:
        return None
    worst = min(recipients, key=lambda told: _ACTIONS.index(told.action))
    envelope = next(
        (said for group in groups if (said := first(group, "original-envelope-id"))), ""
    )
    return _Told(
        action=worst.action,
        status=worst.status,
        text=worst.text or clean(parts[0].text, _TEXT_LIMIT),
        envelope_id=clean(envelope, _TEXT_LIMIT),
    )


def _recipient(group: Sequence[Field]) -> _Told | None:
    """What the fields of one recipient say; None where they are not such fields."""
    diagnostic = clean(first(group, "diagnostic-code"), 2 * _TEXT_LIMIT)
    status = _STATUS.search(first(group, "status")) or _STATUS.search(diagnostic)
    code = status[0] if status else ""
    action = first(group, "action").partition(" ")[0].lower()
    if action not in _ACTIONS:
        action = _ACTION_OF_CLASS.get(code[:1], "")
    text = clean(_DIAGNOSTIC_TYPE.sub("", diagnostic), _TEXT_LIMIT)
    return _Told(action, code, text) if action else None


def _guessed(found: Sequence[Field], parts: Sequence[Leaf]) -> _Told | None:
    """What a report without a delivery status says in words; None where it is no bounce."""
    if kind(found) == "multipart/report" and not _is_of_delivery(found):
        return None
    texts = [part.text for part in parts if part.kind == "text/plain"]
    text = texts[0][:_GUESSED_FROM] if texts else ""
    subject = unstructured(first(found, "subject"))
    status = _LIKELY_STATUS.search(text)
    code = status[0] if status else ""
    gone = bool(values(found, "x-failed-recipients"))  # Exim's.
    if not (gone or is_from_server(found) or code):
        return None
    action = "failed" if gone else _action_in_words(subject) or _action_in_words(text)
    action = action or _ACTION_OF_CLASS.get(code[:1], "")
    return _Told(action, code, clean(text or subject, _TEXT_LIMIT)) if action else None


def _is_of_delivery(found: Sequence[Field]) -> bool:
    """Whether a multipart/report is no read receipt, complaint or the like."""
    said = first(found, "content-type").lower()
    return "report-type" not in said or "delivery-status" in said


def _action_in_words(text: str) -> str:
    # A warning says both: it could not be delivered so far, and will be retried.
    line = " ".join(text.split())
    if _DELAYED.search(line):
        return "delayed"
    return "failed" if _FAILED.search(line) else ""


def _distinct(found: Iterable[str]) -> tuple[str, ...]:
    """Each once, in lower case, in their order, and not too many."""
    return tuple(dict.fromkeys(text.lower() for text in found))[:_CANDIDATES]
