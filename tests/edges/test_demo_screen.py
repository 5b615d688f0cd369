"""What the demo shows, on a terminal and without one."""

import io

from rich.console import Console

from probe.core.component import Component, Fault, Kind
from probe.demo.account import Account, RouteAccount
from probe.demo.course import Phase
from probe.demo.name import Name, Names
from probe.demo.screen import Scene, Screen

ACCOUNT = Account((RouteAccount("pool/node1", "ok", 3, 2, 1, 0, 0.1),))
NODE = Component(Kind.NODE, relay="pool", node="node1")


def shown(names: Names, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with Screen(console, 60) as screen:
        for elapsed in (0.0, 1.0, 5.0):
            screen.show(Scene(ACCOUNT, names, Phase.FAULT, elapsed))
        screen.say("[bold]said[/]")
    return console.file.getvalue()


def test_without_a_terminal_there_is_a_line_every_few_seconds() -> None:
    assert shown(Names(), terminal=False).splitlines() == [
        "   0.0 s fault: pool/node1 2 of 3 arrived (0.100 s, 1 in flight, ok)",
        "   5.0 s fault: pool/node1 2 of 3 arrived (0.100 s, 1 in flight, ok)",
        "[bold]said[/]",
    ]


def test_on_a_terminal_there_is_a_table_and_what_is_named() -> None:
    assert "nothing is named" in shown(Names(), terminal=True)
    name = Name(NODE, (Fault.HOLDING, Fault.INTERMITTENT), evidence=("one is late", "two are"))
    text = shown(Names((name,)), terminal=True)
    assert "last delay" in text
    assert "node pool/node1 is holding, intermittent: one is late" in text
    assert "[bold]said[/]" in text


def test_what_is_undecided_is_shown_as_such() -> None:
    name = Name(NODE, (Fault.HOLDING,), decided=False)
    text = shown(Names((name,)), terminal=True)
    assert "node pool/node1 is holding, or another: it cannot tell yet" in text
