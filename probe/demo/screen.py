"""The live account on the terminal: a table that changes, or lines where there is no terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from probe.core.model import State
from probe.demo.account import Account, RouteAccount

_LINES = 5.0  # Between two lines (s).
_COLOURS = {State.OK: "green", State.DEGRADED: "yellow", State.DOWN: "red"}
_OTHER = "grey50"


class Screen:
    """Shows accounts while it is entered."""

    def __init__(self, console: Console, duration: float | None) -> None:
        """`duration` (s) is how long it will go on, if that is known."""
        self._console = console
        self._duration = duration
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._next_line = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave what was shown last."""
        if self._live:
            self._live.stop()

    def show(self, account: Account, elapsed: float) -> None:
        """The account after so many seconds."""
        if self._live:
            self._live.update(picture(account, elapsed, self._duration), refresh=True)
        elif elapsed >= self._next_line:
            self._next_line = elapsed + _LINES
            self._console.print(line(account, elapsed), soft_wrap=True, highlight=False)


def line(account: Account, elapsed: float) -> str:
    """The account in one line."""
    routes = ", ".join(
        f"{r.route} {r.arrived} of {r.sent} arrived{_bracketed(r)}" for r in account.routes
    )
    return f"{elapsed:6.1f} s: {routes or 'no route yet'}"


def picture(account: Account, elapsed: float, duration: float | None) -> RenderableType:
    """The account as a table, and how far the demo has come."""
    table = Table("route", box=None, pad_edge=False)
    for heading in ("sent", "arrived", "wrong", "last delay"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    table.add_column("", width=12)
    for route in account.routes:
        colour = _COLOURS.get(State(route.state), _OTHER)
        table.add_row(
            Text(route.route),
            str(route.sent),
            str(route.arrived),
            str(route.wrong),
            _delay(route),
            Text(route.state, style=colour),
            ProgressBar(
                route.sent or 1, route.arrived, complete_style=colour, finished_style=colour
            ),
        )
    if duration is None:
        return Group(table, Text(f"{elapsed:.0f} s, until Ctrl-C", style="dim"))
    return Group(table, ProgressBar(duration, min(elapsed, duration), width=60))


def _delay(route: RouteAccount) -> str:
    return "" if route.last_delay is None else f"{route.last_delay:.3f} s"


def _bracketed(route: RouteAccount) -> str:
    delay = _delay(route)
    return f" ({delay}, {route.state})" if delay else f" ({route.state})"
