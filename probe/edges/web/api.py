"""The status as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from probe.core.records.report import report
from probe.core.rfc3339 import rfc3339
from probe.core.status import ComponentStatus, DomainStatus, RouteStatus, Status


def status_json(status: Status) -> str:
    """The object of `/api/v1/status`."""
    return json.dumps(
        {
            "state": status.state,
            "since": rfc3339(status.since),
            "components": [_component(component) for component in status.components],
            "routes": [_route(route) for route in status.routes],
            "dns": [_domain(domain) for domain in status.domains],
        }
    )


def _component(status: ComponentStatus) -> dict[str, object]:
    return {
        **asdict(status.component),
        "state": status.state,
        "faults": [one.fault for one in status.faults],
        "confirmed": any(one.confirmed for one in status.faults),
        "since": rfc3339(status.since),
        "failing_share": None,  # What is a fact has none.
        "alternatives": [],
        "evidence": [line for one in status.faults for line in one.evidence],
    }


def _domain(status: DomainStatus) -> dict[str, object]:
    """As `mailprobe dns --json` has it, with what changed last."""
    changes = [
        {
            "check": change.unit.kind,
            "subject": change.unit.subject,
            "when": rfc3339(change.when),
            "old": change.old,
            "new": change.new,
        }
        for change in status.changes
    ]
    return {**report(status.domain, status.checks), "changes": changes}


def _route(route: RouteStatus) -> dict[str, str | int | None]:
    return {
        "relay": route.key.relay,
        "node": route.key.node,
        "sender": route.key.sender,
        "mailbox": route.key.mailbox,
        "state": route.state,
        "in_flight": route.in_flight,
        "oldest_unanswered": _moment(route.oldest_unanswered),
        "last_success": _moment(route.last_success),
    }


def _moment(moment: float | None) -> str | None:
    return None if moment is None else rfc3339(moment)
