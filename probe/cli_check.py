"""What `mailprobe check` shows: a table on a terminal, else lines, or JSON."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import assert_never

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from probe import cli_dns
from probe.app_check import Progress, Report, check
from probe.cli_text import printable
from probe.config import Settings
from probe.core.finding import Conclusion, Finding
from probe.core.record import Bad, Good, Unknown

_COLOURS = {"ok": "green", "unknown": "grey50"}
_BAD_COLOUR = "red"


def show_check(settings: Settings, timeout: float, *, as_json: bool) -> Conclusion:
    """Check, show what was found, and say what it amounts to."""
    screen = Console(highlight=False)
    report = _with_bar(
        lambda show: check(settings, timeout, show),
        timeout,
        visible=screen.is_terminal and not as_json,
    )
    if as_json:
        print(report.json)
    elif screen.is_terminal:
        screen.print(table(report))
        for domain in report.status.domains:
            screen.print(Text(f"\nThe DNS of {domain.domain}"))
            screen.print(cli_dns.table(domain.checks))
        screen.print(Text(summary(report)))
    else:
        checks = (cli_dns.lines(domain.checks) for domain in report.status.domains)
        print(*lines(report), *chain(*checks), summary(report), sep="\n")
    return report.conclusion


def _with_bar(
    work: Callable[[Callable[[Progress], None]], Report], timeout: float, *, visible: bool
) -> Report:
    """The work's report, with a bar on the terminal until it is done."""
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[count]}")
    with Bar(*columns, console=Console(stderr=True), transient=True, disable=not visible) as bar:
        task = bar.add_task("beginning", total=timeout, count="")

        def show(progress: Progress) -> None:
            count = f"{progress.settled} of {progress.routes} routes, {progress.elapsed:.0f} s"
            done = min(progress.elapsed, timeout)
            bar.update(task, description=progress.doing, completed=done, count=count)

        return work(show)


def table(report: Report) -> Table:
    """The findings for people."""
    made = Table("route", "state", box=None, pad_edge=False)
    made.add_column("arrived", justify="right")
    made.add_column("why, and how long each phase took")
    for finding in report.findings:
        state = word(finding)
        made.add_row(
            Text(str(finding.route), overflow="fold"),
            Text(state, style=_COLOURS.get(state, _BAD_COLOUR)),
            _arrived(finding),
            Text(printable(_evidence(finding)), overflow="fold"),
        )
    return made


def lines(report: Report) -> list[str]:
    """The findings, one on a line."""
    return [
        printable("  ".join(filter(None, (word(f), str(f.route), _arrived(f), _evidence(f)))))
        for f in report.findings
    ]


def summary(report: Report) -> str:
    """What it amounts to, in one sentence for each thing that matters."""
    found = (cli_dns.finding(one.domain, one.checks) for one in report.status.domains)
    domains = [sentence for sentence in found if sentence]
    said = {
        Conclusion.WELL: "All routes are well." if domains else "All is well.",
        Conclusion.FAULT: "There is a fault.",
        Conclusion.UNCLEAR: "No fault was found, but not everything could be judged.",
    }[report.conclusion]
    pointing = (str(suspect) for suspect in report.suspects)
    unread = (f"Mailbox {name} could not be read: {why}." for name, why in report.unread.items())
    return printable(" ".join((said, *pointing, *unread, *domains)))


def word(finding: Finding) -> str:
    """The state of a route in one word: the reason, where it fails."""
    match finding.verdict:
        case Good():
            return "ok"
        case Bad(reason):
            return reason.value
        case Unknown() | None:
            return "unknown"
        case _:
            assert_never(finding.verdict)


def _arrived(finding: Finding) -> str:
    return "" if finding.seconds is None else f"{finding.seconds:.3f} s"


def _evidence(finding: Finding) -> str:
    """Why a route is not well."""
    if isinstance(finding.verdict, Good):
        return ""
    phases = ", ".join(f"{timed.phase} {timed.seconds:.3f} s" for timed in finding.phases)
    return f"{finding.words} [{phases}]" if phases else finding.words
