"""Who takes the mail of a domain: that of its bounces, and of the receivers who check for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probe.core.records.answer import Answer, Reply, lines_of, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

MAX_HOSTS = 20  # Of one domain; more are not looked up.


def hosts(mx: Answer) -> tuple[str, ...]:
    """The names of the mail servers, the preferred first; without the root of a null MX."""
    ranked = sorted(map(_parsed, mx.records))
    return tuple(dict.fromkeys(host for _, host in ranked if host))[:MAX_HOSTS]


def evaluate(
    domain: str, mx: Answer, addresses: Mapping[str, Sequence[Answer]], own: Sequence[Answer]
) -> Check:
    """The check of the MX records.

    `addresses` are what A and AAAA of each host gave; `own` those of the domain itself, which
    take its mail where it has no MX (RFC 5321 §5.1).
    """
    names = hosts(mx)
    return concluded(
        CheckKind.MX,
        domain,
        _remarks(domain, mx, {name: addresses[name] for name in names}, own),
        well=f"Mail to {domain} goes to {_listed(names)}, and all of them resolve.",
        evidence=lines_of((mx, *(each for name in names for each in addresses[name]))),
        records=mx.records,
    )


def _remarks(
    domain: str, mx: Answer, addresses: Mapping[str, Sequence[Answer]], own: Sequence[Answer]
) -> list[Remark]:
    if not mx.is_known:
        return [Remark(CheckState.ERROR, unknown([mx]))]
    if not mx.records:
        return [_without(domain, mx, own)]
    found = [_host_remark(name, answers) for name, answers in addresses.items()]
    remarks = [remark for remark in found if remark]
    if any(not host for _, host in map(_parsed, mx.records)):
        # RFC 7505 §4.2: such a domain should not send either.
        remarks.append(
            Remark(
                CheckState.FAIL, f"{domain} takes no mail (null MX), so receivers may refuse it."
            )
        )
    elif not any(_has_address(answers) for answers in addresses.values()) and not unknown(
        each for answers in addresses.values() for each in answers
    ):
        remarks.append(Remark(CheckState.FAIL, f"No mail server of {domain} has an address."))
    return remarks


def _without(domain: str, mx: Answer, own: Sequence[Answer]) -> Remark:
    """What is to be said of a domain without MX records."""
    if _has_address(own):
        return Remark(
            CheckState.WARN, f"{domain} {mx.absence}; mail goes to its own address for want of one."
        )
    if sentence := unknown(own):
        return Remark(CheckState.ERROR, sentence)
    lacking = f"{mx.absence} and no address" if mx.reply is Reply.NO_DATA else mx.absence
    return Remark(CheckState.FAIL, f"{domain} {lacking}: it cannot take bounces.")


def _host_remark(name: str, answers: Sequence[Answer]) -> Remark | None:
    if _has_address(answers):
        if any(answer.aliases for answer in answers):
            return Remark(
                CheckState.WARN, f"The mail server {name} is an alias, which RFC 5321 §5.1 forbids."
            )
        return None
    if sentence := unknown(answers):
        return Remark(CheckState.ERROR, sentence)
    return Remark(CheckState.WARN, f"The mail server {name} has no address.")


def _has_address(answers: Sequence[Answer]) -> bool:
    return any(answer.records for answer in answers)


def _parsed(record: str) -> tuple[int, str]:
    preference, _, host = record.partition(" ")
    return int(preference), host


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
