"""The play on the terminal: a picture that changes, or lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from probe.core.model import State
from probe.demo.account import Account, RouteAccount
from probe.demo.course import Phase
from probe.demo.name import Name, Names

_LINES = 5.0  # Between two lines (s).
_COLOURS = {State.OK: "green", State.DEGRADED: "yellow", State.DOWN: "red"}
_OTHER = "grey50"
_PHASE_COLOURS = {Phase.FAULT: "red", Phase.RECOVERY: "yellow"}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be seen at one moment."""

    account: Account
    names: Names
    phase: Phase
    elapsed: float  # s


class Screen:
    """Shows scenes while it is entered."""

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

    def show(self, scene: Scene) -> None:
        """This, from now on."""
        if self._live:
            self._live.update(picture(scene, self._duration), refresh=True)
        elif scene.elapsed >= self._next_line:
            self._next_line = scene.elapsed + _LINES
            self.say(line(scene))

    def say(self, text: str) -> None:
        """Print a line for good, above what changes."""
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)


def line(scene: Scene) -> str:
    """The scene in one line."""
    routes = ", ".join(
        f"{r.route} {r.arrived} of {r.sent} arrived{_bracketed(r)}" for r in scene.account.routes
    )
    return f"{scene.elapsed:6.1f} s {scene.phase}: {routes or 'no route yet'}"


def picture(scene: Scene, duration: float | None) -> RenderableType:
    """The routes as a table, what is named, the phase, and how far the demo has come."""
    colour = _PHASE_COLOURS.get(scene.phase, "green")
    phase = Text.assemble((scene.phase, f"bold {colour}"), f"  {scene.elapsed:.0f} s")
    if duration is None:
        end: RenderableType = Text("until Ctrl-C", style="dim")
    else:
        end = ProgressBar(duration, min(scene.elapsed, duration), width=60)
    return Group(_table(scene.account), *_named(scene.names), phase, end)


def _table(account: Account) -> Table:
    table = Table("route", box=None, pad_edge=False)
    for heading in ("sent", "arrived", "in flight", "wrong", "last delay"):
        table.add_column(heading, justify="right")
    table.add_column("state")
    table.add_column("", width=12)
    for route in account.routes:
        colour = _COLOURS.get(State(route.state), _OTHER)
        table.add_row(
            Text(route.route),
            str(route.sent),
            str(route.arrived),
            str(route.in_flight),
            str(route.wrong),
            _delay(route),
            Text(route.state, style=colour),
            ProgressBar(
                route.sent or 1, route.arrived, complete_style=colour, finished_style=colour
            ),
        )
    return table


def _named(names: Names) -> Iterator[Text]:
    """A line for each component that is named."""
    if not names.standing:
        yield Text("nothing is named", style="dim")
    yield from (Text(_blame(name), style="red" if name.decided else "") for name in names.standing)


def _blame(name: Name) -> str:
    doubt = "" if name.decided else ", or another: it cannot tell yet"
    evidence = "".join(f": {line}" for line in name.evidence[:1])
    return f"{name.component} is {', '.join(name.faults)}{doubt}{evidence}"


def _delay(route: RouteAccount) -> str:
    return "" if route.last_delay is None else f"{route.last_delay:.3f} s"


def _bracketed(route: RouteAccount) -> str:
    waiting = f"{route.in_flight} in flight" if route.in_flight else ""
    return f" ({', '.join(filter(None, (_delay(route), waiting, route.state)))})"
