"""The command `plan`: what a configuration amounts to, before anything is sent."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from probe.cli_survey import Survey, survey
from probe.config import Settings
from probe.core import provider
from probe.core.allowance import Limits
from probe.core.forecast import daily, daily_by_provider, detection, planned
from probe.core.limits import DAY, fitted
from probe.core.model import Route, RouteKey
from probe.core.provider import PER_DAY
from probe.core.sender_domain import asked_lists, domain_plans
from probe.edges.resolver import DnsResolver
from probe.metrics import Exporter

ESTIMATE = (
    "The detection times are estimates, for one node of several that takes mail and holds it, with"
    " deliveries that usually take under a second. A fault of a part of the mail takes longer."
)

Combination = tuple[str, str, str]  # relay, sender, mailbox


@dataclass(frozen=True, slots=True)
class Forecast:
    """What it will come to."""

    survey: Survey
    limits: Limits
    wanted: list[Route]  # As planned.
    routes: list[Route]  # As the limits allow, in the same order.
    series: int


def plan(settings: Settings, *, as_json: bool) -> int:
    """Print what the configuration amounts to; the exit code."""
    forecast = asyncio.run(_forecast(settings))
    if as_json:
        print(json.dumps(_document(forecast), indent=2))
    else:
        _show(forecast, Console(highlight=False))
    return 0


async def _forecast(settings: Settings) -> Forecast:
    found = await survey(settings.relays, settings.mailboxes, DnsResolver(settings.resolvers))
    limits = settings.limits
    for mailbox in settings.mailboxes:
        if provider.needs_lookup(mailbox) and mailbox.name in found.providers:
            limits = limits.with_mailboxes({mailbox.name: PER_DAY})
    names = {relay: [node.name for node in nodes] for relay, nodes in found.nodes.items()}
    wanted = planned(settings.plans, names)
    routes = fitted(wanted, limits)
    return Forecast(found, limits, wanted, routes, await _series(settings, found, routes))


async def _series(settings: Settings, found: Survey, routes: list[Route]) -> int:
    """How many series there will be at start: counted where they are made."""
    exporter = Exporter()
    for relay in settings.relays:
        exporter.add_relay(relay)
        for node in found.nodes[relay.name]:
            exporter.add_node(node)
    for sender in settings.senders:
        exporter.add_sender(sender)
    for mailbox in settings.mailboxes:
        exporter.add_mailbox(mailbox)
    for route in routes:
        exporter.add_route(route)
    plans = domain_plans(settings.domains, {}, settings.dnsbls).values()
    for plan in plans:
        exporter.domains.add_domain(plan.domain)
    exporter.domains.show_lists(*asked_lists(plans))
    text, _ = await exporter.scrape("", gzipped=False)
    return sum(not line.startswith(b"#") for line in text.splitlines())


# ---- for programs


def _document(forecast: Forecast) -> dict[str, object]:
    """The forecast as JSON has it: messages are rounded, times are in seconds."""
    routes = forecast.routes
    return {
        "messages_per_day": {
            "total": round(sum(DAY / route.interval for route in routes)),
            "relays": _rounded(daily(routes, _relay)),
            "senders": _rounded(daily(routes, _sender)),
            "mailboxes": _rounded(daily(routes, _mailbox)),
            "providers": {
                str(owner): round(messages)
                for owner, messages in daily_by_provider(routes, forecast.survey.providers).items()
            },
        },
        "series": forecast.series,
        "routes": [
            _entry(wanted, route) for wanted, route in zip(forecast.wanted, routes, strict=True)
        ],
        "detection": ESTIMATE,
        "notes": list(forecast.survey.notes),
    }


def _entry(wanted: Route, route: Route) -> dict[str, object]:
    key, expected = route.key, detection(route.interval)
    return {
        "relay": key.relay,
        "node": key.node,
        "sender": key.sender,
        "mailbox": key.mailbox,
        "interval": round(route.interval, 3),
        "interval_planned": round(wanted.interval, 3),
        "detection": {"mean": round(expected.mean, 1), "p95": round(expected.late, 1)},
    }


def _rounded(sums: dict[str, float]) -> dict[str, int]:
    return {name: round(messages) for name, messages in sums.items()}


# ---- for people


def _show(forecast: Forecast, console: Console) -> None:
    console.print(_messages(forecast))
    console.print(_routes(forecast))
    console.print(f"{forecast.series} series at each scrape. {ESTIMATE}", soft_wrap=False)
    for note in forecast.survey.notes:
        console.print(note, markup=False)


def _messages(forecast: Forecast) -> Table:
    table = Table("", "name", title="Messages a day", title_justify="left")
    for column in ("messages", "limit"):
        table.add_column(column, justify="right")
    relays = {name: limits.per_day for name, limits in forecast.limits.relays.items()}
    mailboxes: dict[str, int | None] = {**forecast.limits.mailboxes}
    kinds: tuple[tuple[str, Callable[[RouteKey], str], dict[str, int | None]], ...] = (
        ("relay", _relay, relays),
        ("sender", _sender, {}),
        ("mailbox", _mailbox, mailboxes),
    )
    for kind, name_of, limits in kinds:
        for name, messages in daily(forecast.routes, name_of).items():
            limit = limits.get(name)
            table.add_row(kind, name, f"{messages:.0f}", "" if limit is None else str(limit))
    return table


def _routes(forecast: Forecast) -> Table:
    """One line for each combination: its nodes have the same interval."""
    table = Table("relay", "sender", "mailbox", title="Routes", title_justify="left")
    for column in ("nodes", "every", "in force", "named in", "95 % in"):
        table.add_column(column, justify="right")
    nodes: dict[Combination, int] = defaultdict(int)
    first: dict[Combination, tuple[Route, Route]] = {}
    for wanted, route in zip(forecast.wanted, forecast.routes, strict=True):
        combination = (route.key.relay, route.key.sender, route.key.mailbox)
        nodes[combination] += 1
        first.setdefault(combination, (wanted, route))
    for combination, (wanted, route) in first.items():
        expected = detection(route.interval)
        table.add_row(
            *combination,
            str(nodes[combination]),
            _seconds(wanted.interval),
            _seconds(route.interval),
            f"{expected.mean:.0f} s",
            f"{expected.late:.0f} s",
        )
    return table


def _seconds(interval: float) -> str:
    return f"{interval:.3g} s" if interval < 100 else f"{interval:.0f} s"


def _relay(key: RouteKey) -> str:
    return key.relay


def _sender(key: RouteKey) -> str:
    return key.sender


def _mailbox(key: RouteKey) -> str:
    return key.mailbox
