"""A plan as people read it: tables, and sentences on what was assumed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from rich.console import Console
from rich.table import Table

from probe.core.component import Kind
from probe.core.forecast import daily, daily_by_provider
from probe.core.limits import DAY
from probe.core.model import Route, RouteKey
from probe.core.planning.ailment import LATENESS, Ailment
from probe.core.planning.cost import Cost
from probe.core.planning.habit import PROBES, Pace
from probe.core.planning.outlook import BALANCED, RUNS, Prospect
from probe.core.planning.strain import Load, relay_limits, warnings
from probe.core.provider import PER_DAY

Combination = tuple[str, str, str]  # relay, sender, mailbox


@dataclass(frozen=True, slots=True)
class Forecast:
    """What it will come to."""

    load: Load
    series: int
    cost: Cost
    prospects: tuple[Prospect, ...]
    notes: tuple[str, ...]


def show(forecast: Forecast, console: Console) -> None:
    """Print all of it."""
    console.print(_messages(forecast.load))
    console.print(_routes(forecast.load))
    console.print(_detection(forecast.prospects))
    megabytes, cpu = forecast.cost.memory / 1e6, 100 * forecast.cost.cpu
    console.print(
        f"{forecast.series} series at each scrape; about {cpu:.2g} % of a core and"
        f" {megabytes:.0f} MB of memory when all is well."
    )
    for sentence in (*warnings(forecast.load), *forecast.notes):
        console.print(sentence, markup=False)
    console.print(*assumptions(forecast), sep="\n", markup=False)


def assumptions(forecast: Forecast) -> list[str]:
    """What the times rest on beside the configuration."""
    found = [
        f"Times are from the beginning of a fault, by {RUNS} rehearsals of each, or more.",
        f"Assumed: {PROBES} probes of each relay have taught what is normal, and none of them"
        " failed; on the first day everything takes a little longer.",
        f"Assumed: mail takes {_pace(Pace.LOCAL)}.",
        f"A late greeting is {LATENESS:g} s over `detection.slow_after`.",
    ]
    if forecast.load.providers:
        boxes = ", ".join(forecast.load.providers)
        found.append(f"Assumed: to {boxes}, at large providers, it takes {_pace(Pace.PUBLIC)}.")
    if any(one.by_chance is not None for one in forecast.prospects):
        found.append(f"Assumed: behind an address with nodes: greeting there are {BALANCED} nodes.")
    return found


def _pace(pace: Pace) -> str:
    return f"{pace.median:g} s as a rule, and {pace.delay(0.99):.2g} s or less 99 times of 100"


def _messages(load: Load) -> Table:
    table = Table("", "name", title="Messages a day", title_justify="left")
    for column in ("planned", "in force", "limit"):
        table.add_column(column, justify="right")
    kinds: tuple[tuple[str, Callable[[RouteKey], str], Mapping[str, float]], ...] = (
        ("relay", lambda key: key.relay, relay_limits(load.limits)),
        ("sender", lambda key: key.sender, {}),
        ("mailbox", lambda key: key.mailbox, load.limits.mailboxes),
    )
    for kind, name_of, limits in kinds:
        wanted = daily(load.wanted, name_of)
        for name, messages in daily(load.routes, name_of).items():
            limit = f"{limits[name]:.0f}" if name in limits else ""
            table.add_row(kind, name, f"{wanted[name]:.0f}", f"{messages:.0f}", limit)
    wanted_of = daily_by_provider(load.wanted, load.providers)
    for owner, messages in daily_by_provider(load.routes, load.providers).items():
        row = f"{wanted_of[owner]:.0f}", f"{messages:.0f}", str(PER_DAY)
        table.add_row("provider", str(owner), *row)
    table.add_row("all", "", *(f"{_total(some):.0f}" for some in (load.wanted, load.routes)), "")
    return table


def _total(routes: Sequence[Route]) -> float:
    return sum(DAY / route.interval for route in routes)


def _routes(load: Load) -> Table:
    """One line for each combination: its nodes have the same interval."""
    table = Table("relay", "sender", "mailbox", title="Routes", title_justify="left")
    for column in ("nodes", "every", "in force"):
        table.add_column(column, justify="right")
    nodes: dict[Combination, int] = defaultdict(int)
    first: dict[Combination, tuple[Route, Route]] = {}
    for wanted, route in zip(load.wanted, load.routes, strict=True):
        combination = (route.key.relay, route.key.sender, route.key.mailbox)
        nodes[combination] += 1
        first.setdefault(combination, (wanted, route))
    for combination, (wanted, route) in first.items():
        seconds = _interval(wanted.interval), _interval(route.interval)
        table.add_row(*combination, str(nodes[combination]), *seconds)
    return table


def _interval(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"


def _detection(prospects: Sequence[Prospect]) -> Table:
    """Relays with the same times share their lines."""
    table = Table("relay", "fault", title="Until it is named, and may page", title_justify="left")
    for column in ("named in", "95 % in", "may page in", "95 % in"):
        table.add_column(column, justify="right")
    rows: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for one in prospects:
        spans = one.named, one.confirmed
        times = (_seconds(value) for span in spans for value in (span.mean, span.p95))
        rows[one.relay].append((_what(one), *times))
    alike: dict[tuple[tuple[str, ...], ...], list[str]] = defaultdict(list)
    for relay, lines in rows.items():
        alike[tuple(lines)].append(relay)
    for shared, relays in alike.items():
        for number, line in enumerate(shared):
            table.add_row("" if number else ", ".join(relays), *line)
        table.add_section()
    return table


def _seconds(value: float) -> str:
    if value == math.inf:
        return "over 2 h"
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


def _what(one: Prospect) -> str:
    match one.kind:
        case Kind.NODE:
            who = "a node"
        case Kind.RELAY:
            who = "the relay"
        case Kind.PROBER | Kind.SENDER | Kind.MAILBOX | Kind.ROUTE:
            who = ""  # What is wrong with it says who it is.
        case _:
            assert_never(one.kind)
    turns = {None: "", True: ", nodes drawn at random", False: ", nodes in turn"}[one.by_chance]
    return f"{who} {_ails(one.ailment)}{turns}".strip()


def _ails(ailment: Ailment) -> str:
    match ailment:
        case Ailment.HOLDS:
            return "takes mail and holds it"
        case Ailment.STOPPED:
            return "refuses connections"
        case Ailment.DROPS:
            return "answers nothing"
        case Ailment.GREETS_LATE:
            return "greets late"
        case Ailment.HALF:
            return "refuses half of the mail"
        case Ailment.QUARTER:
            return "refuses a quarter of the mail"
        case Ailment.SIXTH:
            return "refuses 16 % of the mail"
        case Ailment.DUPLICATES:
            return "delivers twice"
        case Ailment.BOUNCES:
            return "returns mail"
        case Ailment.CUT_OFF:
            return "nothing answers the prober"
        case Ailment.UNREADABLE:
            return "the server of a mailbox has stopped"
        case _:
            assert_never(ailment)
