"""The command `plan`: what a configuration amounts to, before anything is sent."""

from __future__ import annotations

import asyncio
import json
import math

from rich.console import Console

from probe.cli_plan_text import Forecast, assumptions, show
from probe.cli_survey import Survey, survey
from probe.config import Settings
from probe.core import provider
from probe.core.forecast import daily, daily_by_provider, planned
from probe.core.limits import DAY, fitted
from probe.core.model import Route
from probe.core.planning.cost import cost
from probe.core.planning.habit import Pace, assumed
from probe.core.planning.outlook import Outlook, Premises, Prospect, Spread
from probe.core.planning.strain import Load, relay_limits, warnings
from probe.core.provider import PER_DAY
from probe.core.sender_domain import asked_lists, domain_plans
from probe.edges.resolver import DnsResolver
from probe.metrics import Exporter


def plan(settings: Settings, *, as_json: bool) -> int:
    """Print what the configuration amounts to; the exit code."""
    forecast = asyncio.run(_forecast(settings))
    if as_json:
        print(json.dumps(_document(forecast), indent=2))
    else:
        show(forecast, Console(highlight=False))
    return 0


async def _forecast(settings: Settings) -> Forecast:
    found = await survey(settings.relays, settings.mailboxes, DnsResolver(settings.resolvers))
    limits = settings.limits
    for mailbox in settings.mailboxes:
        if provider.needs_lookup(mailbox) and mailbox.name in found.providers:
            limits = limits.with_mailboxes({mailbox.name: PER_DAY})
    names = {relay: [node.name for node in nodes] for relay, nodes in found.nodes.items()}
    wanted = planned(settings.plans, names)
    load = Load(wanted, fitted(wanted, limits), limits, found.providers)
    return Forecast(
        load,
        series=await _series(settings, found, load),
        cost=cost(load.routes),
        prospects=_prospects(settings, load),
        notes=found.notes,
    )


def _prospects(settings: Settings, load: Load) -> tuple[Prospect, ...]:
    premises = Premises(
        load.routes,
        {relay.name: relay for relay in settings.relays},
        assumed(dict.fromkeys(load.providers, Pace.PUBLIC)),
        settings.slow_after,
    )
    return tuple(Outlook(premises).prospects())


async def _series(settings: Settings, found: Survey, load: Load) -> int:
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
    for route in load.routes:
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
    load = forecast.load
    return {
        "messages_per_day": _messages(load),
        "limits_per_day": {
            "relays": _rounded(relay_limits(load.limits)),
            "mailboxes": dict(load.limits.mailboxes),
        },
        "series": forecast.series,
        "cpu_cores": round(forecast.cost.cpu, 4),
        "memory_bytes": round(forecast.cost.memory),
        "routes": [
            _entry(wanted, route) for wanted, route in zip(load.wanted, load.routes, strict=True)
        ],
        "detection": [_prospect(one) for one in forecast.prospects],
        "assumptions": assumptions(forecast),
        "warnings": [*warnings(load)],
        "notes": list(forecast.notes),
    }


def _messages(load: Load) -> dict[str, object]:
    by_provider = daily_by_provider(load.routes, load.providers)
    return {
        "total": round(sum(DAY / route.interval for route in load.routes)),
        "relays": _rounded(daily(load.routes, lambda key: key.relay)),
        "senders": _rounded(daily(load.routes, lambda key: key.sender)),
        "mailboxes": _rounded(daily(load.routes, lambda key: key.mailbox)),
        "providers": _rounded({str(owner): count for owner, count in by_provider.items()}),
    }


def _entry(wanted: Route, route: Route) -> dict[str, object]:
    key = route.key
    return {
        "relay": key.relay,
        "node": key.node,
        "sender": key.sender,
        "mailbox": key.mailbox,
        "interval": round(route.interval, 3),
        "interval_planned": round(wanted.interval, 3),
    }


def _prospect(one: Prospect) -> dict[str, object]:
    turns = None if one.by_chance is None else ("random" if one.by_chance else "in turn")
    return {
        "kind": one.kind,
        "relay": one.relay,
        "fault": one.ailment,
        "balancing": turns,
        "named": _spread(one.named),
        "confirmed": _spread(one.confirmed),
    }


def _spread(times: Spread) -> dict[str, float | None]:
    values = {"mean": times.mean, "p95": times.p95}
    return {name: round(v, 1) if v < math.inf else None for name, v in values.items()}


def _rounded(sums: dict[str, float]) -> dict[str, int]:
    return {name: round(messages) for name, messages in sums.items()}
