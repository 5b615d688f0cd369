"""What `mailprobe check` shows of what it has found, on a terminal and elsewhere."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from probe.app_check import Report
from probe.cli_check import lines, summary, table
from probe.core.component import Component, Fault, Kind
from probe.core.finding import Conclusion, Finding
from probe.core.model import Phase, PhaseTime, Reason, RouteKey, State, UnknownCause
from probe.core.record import Bad, Good, Unknown
from probe.core.status import Status
from probe.core.suspicion import Suspect


def route(node: str) -> RouteKey:
    return RouteKey("pool", node, "shop", "corp")


REPORT = Report(
    Conclusion.FAULT,
    (
        Finding(route("n1"), Good(), seconds=0.2),
        Finding(
            route("n2"),
            Bad(Reason.TEMP_REJECT),
            "RCPT TO was refused with 450 [red]no\x1b[2J\u202e",
            phases=(PhaseTime(Phase.CONNECT, 0.0012), PhaseTime(Phase.RCPT, 1.5)),
        ),
        Finding(route("n3"), Unknown(UnknownCause.MAILBOX_UNREADABLE), "mailbox corp is dark"),
        Finding(route("n4"), None, "it was not sent"),
    ),
    {"corp": "LOGIN refused\r\n"},
    Status(State.DEGRADED, 0.0),
    (
        Suspect(
            Component(Kind.NODE, relay="pool", node="n2"),
            (Fault.REFUSING, Fault.SLOW),
            alternatives=(Component(Kind.RELAY, relay="pool"),),
        ),
    ),
)


def test_a_line_for_each_route_with_why_and_how_long() -> None:
    assert lines(REPORT) == [
        "ok  pool/n1/shop/corp  0.200 s",
        "temp_reject  pool/n2/shop/corp  RCPT TO was refused with 450 [red]no?[2J? "
        "[connect 0.001 s, rcpt 1.500 s]",
        "unknown  pool/n3/shop/corp  mailbox corp is dark",
        "unknown  pool/n4/shop/corp  it was not sent",
    ]
    assert summary(REPORT) == (
        "There is a fault."
        " This points at node pool/n2 (refusing and slow), or as well at relay pool."
        " Mailbox corp could not be read: LOGIN refused??."
    )


def test_a_table_on_a_terminal_says_the_same_and_takes_no_orders_from_servers() -> None:
    out = StringIO()
    Console(file=out, force_terminal=True, width=160, color_system=None).print(table(REPORT))

    shown = out.getvalue()
    assert "\x1b[2J" not in shown and "\u202e" not in shown
    assert "[red]no?[2J? [connect 0.001 s, rcpt 1.500 s]" in shown
    assert [line.split()[1] for line in shown.splitlines()] == [
        "state", "ok", "temp_reject", "unknown", "unknown",
    ]  # fmt: skip
