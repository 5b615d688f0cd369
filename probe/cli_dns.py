"""`mailprobe dns`: the checks of a domain as a table on a terminal, else lines, or JSON."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import re
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from probe.app_dns import inspect
from probe.cli_text import printable
from probe.core.records.check import Check, CheckState, DomainPlan, overall
from probe.core.records.name import canonical, sending_address
from probe.core.records.report import exit_code, report, unknown_kinds

_COLOURS = {
    CheckState.OK: "green",
    CheckState.WARN: "yellow",
    CheckState.FAIL: "bold red",
    CheckState.ERROR: "magenta",
    CheckState.NONE: "grey50",
}
_SERVER = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:\[\]]+)(:[0-9]{1,5})?")


def plan(arguments: argparse.Namespace) -> DomainPlan:
    """What is to be checked. Raises ValueError for what cannot be."""
    return DomainPlan(
        domain=canonical(arguments.domain),
        selectors=tuple(dict.fromkeys(map(canonical, arguments.selector))),
        egress_ips=tuple(dict.fromkeys(map(sending_address, arguments.ip))),
        helo=canonical(arguments.helo) if arguments.helo else "",
        expect_includes=tuple(dict.fromkeys(map(canonical, arguments.expect_include))),
        dnsbls=tuple(dict.fromkeys(map(canonical, arguments.dnsbl))),
    )


def servers(arguments: argparse.Namespace) -> list[str] | None:
    """The DNS servers to ask; None: the system's. Raises ValueError."""
    for text in arguments.resolver:
        if not (_is_address(text) or _is_server(text)):
            raise ValueError(f"{text!r} is not a DNS server: HOST or HOST:PORT")
    return arguments.resolver or None


def show_dns(wanted: DomainPlan, nameservers: Sequence[str] | None, *, as_json: bool) -> int:
    """Check, show what was found, and say it as an exit code."""
    screen = Console(highlight=False)
    waiting = Console(stderr=True).status(f"asking DNS about {wanted.domain}", spinner="line")
    if screen.is_terminal and not as_json:
        with waiting:
            found = asyncio.run(inspect(wanted, nameservers))
        screen.print(table(found.checks))
        screen.print(Text(printable(summary(wanted, found.checks))))
    else:
        found = asyncio.run(inspect(wanted, nameservers))
        if as_json:
            print(json.dumps(report(wanted.domain, found.checks), indent=2))
        else:
            print(*lines(found.checks), summary(wanted, found.checks), sep="\n")
    return exit_code(found.checks)


def table(checks: Sequence[Check]) -> Table:
    """The checks for people; the evidence of what is not well below it."""
    made = Table("check", "subject", "state", box=None, pad_edge=False)
    made.add_column("what was found")
    for check in checks:
        said = Text(printable(check.summary), overflow="fold")
        for line in _grounds(check):
            said.append(f"\n  {printable(line)}", style="grey50")
        made.add_row(
            check.check.value,
            Text(printable(check.subject), overflow="fold"),
            Text(check.state.value, style=_COLOURS[check.state]),
            said,
        )
    return made


def lines(checks: Sequence[Check]) -> Iterator[str]:
    """The checks, one on a line, with the evidence of what is not well below it."""
    for check in checks:
        named = f"{check.state.value:5}  {check.check.value:7}  {check.subject}  {check.summary}"
        yield printable(named)
        yield from (printable(f"       {line}") for line in _grounds(check))


def summary(wanted: DomainPlan, checks: Sequence[Check]) -> str:
    """What it amounts to, and what was left out for want of something to go by."""
    said = {
        CheckState.OK: "is well",
        CheckState.WARN: "works, and something may be better",
        CheckState.FAIL: "is not well",
        CheckState.ERROR: "could not be checked completely",
        CheckState.NONE: "is well",
    }[overall(checks)]
    left_out = [
        text
        for is_given, text in (
            (wanted.selectors, "no DKIM key without --selector"),
            (wanted.egress_ips, "no sending address without --ip"),
        )
        if not is_given
    ]
    more = f" Not looked at: {', '.join(left_out)}." if left_out else ""
    return f"{wanted.domain} {said}.{more}"


def finding(domain: str, checks: Sequence[Check]) -> str:
    """What is wrong with a domain's DNS, or not known, in a sentence; nothing where all is well."""
    failing = dict.fromkeys(c.check.value for c in checks if c.state is CheckState.FAIL)
    if failing:
        return f"The DNS of {domain} is not well: {', '.join(failing)}."
    silent = ", ".join(unknown_kinds(checks))
    return f"The DNS of {domain} could not be found out: {silent}." if silent else ""


def _grounds(check: Check) -> Sequence[str]:
    """The evidence that a person needs."""
    return () if check.state in (CheckState.OK, CheckState.NONE) else check.evidence


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_server(text: str) -> bool:
    found = _SERVER.fullmatch(text)
    return found is not None and 0 < int((found[2] or ":53")[1:]) < 65536
