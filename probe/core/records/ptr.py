"""The name of an address that sends: receivers want one that leads back to the address."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from probe.core.records.answer import Answer, lines_of, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

MAX_NAMES = 10  # Of one address; RFC 7208 §4.6.4 has receivers stop there.


def name(ip: str) -> str:
    """Where the PTR record of an address is."""
    return ipaddress.ip_address(ip).reverse_pointer


def names(ptr: Answer) -> tuple[str, ...]:
    """The names that are looked up to confirm it; the root of DNS is none."""
    return tuple(filter(None, ptr.records))[:MAX_NAMES]


def evaluate(ip: str, ptr: Answer, forward: Mapping[str, Sequence[Answer]], helo: str) -> Check:
    """The check of one address; `forward` is what A and AAAA of its names, and of `helo`, gave."""
    confirmed = [each for each in names(ptr) if _leads_to(forward[each], ip)]
    asked = (ptr, *(answer for answers in forward.values() for answer in answers))
    return concluded(
        CheckKind.PTR,
        ip,
        _remarks(ip, ptr, forward, confirmed) + _greeting(ip, confirmed, forward, helo),
        well=f"{ip} is {', '.join(confirmed[:3])}, and the name leads back to it.",
        evidence=lines_of(asked),
        records=ptr.records,
    )


def _remarks(
    ip: str, ptr: Answer, forward: Mapping[str, Sequence[Answer]], confirmed: Sequence[str]
) -> list[Remark]:
    if not ptr.is_known:
        return [Remark(CheckState.ERROR, unknown([ptr]))]
    if not ptr.records:
        return [Remark(CheckState.FAIL, f"{ip} has no name: {ptr.question.name} {ptr.absence}.")]
    if not names(ptr):
        return [Remark(CheckState.FAIL, f"{ip} is named with a dot, which is no name.")]
    if confirmed:
        return []
    if sentence := unknown(answer for each in names(ptr) for answer in forward[each]):
        return [Remark(CheckState.ERROR, sentence)]
    named = ", ".join(names(ptr)[:3])
    return [Remark(CheckState.FAIL, f"{ip} is named {named}, which does not lead back to {ip}.")]


def _greeting(
    ip: str, confirmed: Sequence[str], forward: Mapping[str, Sequence[Answer]], helo: str
) -> list[Remark]:
    """What is to be said of the name that the server gives of itself."""
    if not helo or helo in confirmed or _leads_to(forward[helo], ip):
        return []
    if sentence := unknown(forward[helo]):
        return [Remark(CheckState.ERROR, sentence)]
    return [Remark(CheckState.WARN, f"The HELO name {helo} does not lead to {ip}.")]


def _leads_to(answers: Sequence[Answer], ip: str) -> bool:
    wanted = ipaddress.ip_address(ip)
    return any(
        ipaddress.ip_address(record) == wanted for answer in answers for record in answer.records
    )
