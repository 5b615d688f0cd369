"""Whether a blocklist has an address, and whether the list is to be believed (RFC 5782)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from probe.core.records.answer import Answer, lines_of, unknown
from probe.core.records.check import Check, CheckKind, CheckState, Remark, concluded

# RFC 5782 §5: what every list must have, and must not have, for its users to test it.
LISTED_4, CLEAN_4 = "127.0.0.2", "127.0.0.1"
LISTED_6, CLEAN_6 = "::ffff:7f00:2", "::ffff:7f00:1"

_ANSWERS = ipaddress.ip_network("127.0.0.0/8")
# Spamhaus and others: a typing error, a public resolver, too many questions.
_REFUSALS = ipaddress.ip_network("127.255.255.0/24")


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What a list said of the addresses by which it is tested."""

    listed: Answer
    clean: Answer


def name(ip: str, zone: str) -> str:
    """Where a list would have this address (RFC 5782 §2.1, §2.4)."""
    address = ipaddress.ip_address(ip)
    if address.version == 4:
        return ".".join([*reversed(str(address).split(".")), zone])
    return ".".join([*reversed(address.packed.hex()), zone])


def test_addresses(ip: str) -> tuple[str, str]:
    """The addresses by which a list is tested for the IP version of this one: listed, clean."""
    is_six = ipaddress.ip_address(ip).version == 6
    return (LISTED_6, CLEAN_6) if is_six else (LISTED_4, CLEAN_4)


def trouble(zone: str, test: SelfTest) -> Remark | None:
    """Why a list is of no use at present, or None if its test passed."""
    for answer in (test.listed, test.clean):
        if remark := refusal(zone, answer):
            return remark
    if not test.listed.records:
        return Remark(
            CheckState.ERROR, f"{zone} does not list its own test address, so it may be dead."
        )
    if test.clean.records:
        return Remark(CheckState.ERROR, f"{zone} lists what it must not: it may list everything.")
    return None


def refusal(zone: str, answer: Answer) -> Remark | None:
    """Why an answer of a list says nothing about the address, or None if it does."""
    if sentence := unknown([answer]):
        return Remark(CheckState.ERROR, sentence)
    addresses = [ipaddress.ip_address(record) for record in answer.records]
    if refused := [each for each in addresses if each in _REFUSALS]:
        return Remark(CheckState.ERROR, f"{zone} refuses to answer this resolver ({refused[0]}).")
    if foreign := [each for each in addresses if each not in _ANSWERS]:
        said = f"{zone} answers {foreign[0]}, which no blocklist says: the name is parked."
        return Remark(CheckState.ERROR, said)
    return None


def evaluate(
    ip: str, zone: str, test: SelfTest, answer: Answer, reasons: Sequence[Answer] = ()
) -> Check:
    """The check of one address in one list; `reasons` are what TXT gave where it is listed."""
    return concluded(
        CheckKind.DNSBL,
        f"{ip} {zone}",
        _remarks(ip, zone, test, answer),
        well=f"{zone} does not list {ip}.",
        evidence=lines_of((answer, *reasons, test.listed, test.clean)),
        records=answer.records,
    )


def _remarks(ip: str, zone: str, test: SelfTest, answer: Answer) -> list[Remark]:
    broken = trouble(zone, test)
    if broken and _has_no_version_6(ip, test):
        return [Remark(CheckState.NONE, f"{zone} is not made for IPv6 addresses.")]
    if problem := broken or refusal(zone, answer):
        return [problem]
    if answer.records:
        return [Remark(CheckState.FAIL, f"{zone} lists {ip} ({', '.join(answer.records)}).")]
    return []


def _has_no_version_6(ip: str, test: SelfTest) -> bool:
    """Whether a list answers, and has no IPv6 addresses at all."""
    answers = test.listed, test.clean
    silent = all(answer.is_known and not answer.records for answer in answers)
    return silent and ipaddress.ip_address(ip).version == 6
