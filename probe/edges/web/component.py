"""The components on the page: a tile for each, with its state as colour and word."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from probe.core.component import Component, Kind
from probe.core.sentence import listed, name
from probe.core.status import ComponentStatus
from probe.edges.web.text import WORST_FIRST, safe, word

_MOST_SHOWN = 100  # Of each kind.
_HEADINGS = {
    Kind.PROBER: "Prober",
    Kind.RELAY: "Relays",
    Kind.NODE: "Nodes",
    Kind.SENDER: "Senders",
    Kind.MAILBOX: "Mailboxes",
    Kind.ROUTE: "Combinations",
}


def components(known: Sequence[ComponentStatus], *, standby: Collection[str]) -> str:
    """All of them by kind, the worst first; the relays in `standby` come last and say so.

    Of combinations there are too many: those that are well say nothing.
    """
    shown = [one for one in known if one.component.kind is not Kind.ROUTE or one.faults]
    groups = "".join(
        _group(heading, [one for one in shown if one.component.kind is kind], standby)
        for kind, heading in _HEADINGS.items()
    )
    return f"<section><h2>Components</h2><dl>{groups}</dl></section>" if groups else ""


def _group(heading: str, members: Sequence[ComponentStatus], standby: Collection[str]) -> str:
    if not members:
        return ""

    def rank(one: ComponentStatus) -> tuple[int, bool, Component]:
        return WORST_FIRST.index(one.state), one.component.relay in standby, one.component

    ordered = sorted(members, key=rank)
    tiles = "".join(_tile(one, standby) for one in ordered[:_MOST_SHOWN])
    left_out = len(ordered[_MOST_SHOWN:])
    more = f"<li>{left_out} more, none worse</li>" if left_out else ""
    return f"\n<div><dt>{heading}</dt><dd><ul>{tiles}{more}</ul></dd></div>"


def _tile(status: ComponentStatus, standby: Collection[str]) -> str:
    component = status.component
    notes = [fault.fault.value for fault in status.faults]
    if component.relay in standby and component.kind in (Kind.RELAY, Kind.NODE):
        notes.append("standby")
    small = f" <small>{', '.join(notes)}</small>" if notes else ""
    state = f'<b class="{status.state}">{word(status.state)}</b>'
    return (
        f'<li class="tile {status.state}"><span>{safe(_label(status))}</span> {state}{small}</li>'
    )


def _label(status: ComponentStatus) -> str:
    """A component's name, without its kind."""
    component = status.component
    match component.kind:
        case Kind.PROBER:
            return "this prober"
        case Kind.ROUTE if status.alternatives:
            return listed([name(one) for one in status.alternatives], "or")
        case _:
            return str(component).partition(" ")[2]
