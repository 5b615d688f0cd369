"""The status, and the incidents, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict

from probe.core.incident import Incident, Share
from probe.core.records.report import report
from probe.core.rfc3339 import rfc3339
from probe.core.status import ComponentStatus, DomainStatus, RouteStatus, Status, newest_first


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


def incidents_json(incidents: Iterable[Incident]) -> str:
    """The list of `/api/v1/incidents`: open ones first, and the newest first among equals."""
    return json.dumps([_incident(incident) for incident in newest_first(incidents)])


def _component(status: ComponentStatus) -> dict[str, object]:
    return {
        **asdict(status.component),
        "state": status.state,
        "faults": [one.fault for one in status.faults],
        "confirmed": status.confirmed,
        "since": rfc3339(status.began),
        "failing_share": _share(status.share),
        "alternatives": [asdict(one) for one in status.alternatives],
        "evidence": status.evidence,
    }


def _incident(incident: Incident) -> dict[str, object]:
    return {
        "id": incident.id,
        "opened": rfc3339(incident.opened),
        "changed": rfc3339(incident.changed),
        "closed": _moment(incident.closed),
        "since": rfc3339(incident.since),
        "end": incident.end,
        "component": asdict(incident.component),
        "alternatives": [asdict(one) for one in incident.alternatives],
        "faults": [one.fault for one in incident.faults],
        "confirmed": incident.confirmed,
        "failing_share": _share(incident.share),
        "evidence": incident.evidence,
        "unaffected": incident.unaffected,
        "standby": incident.standby,
    }


def _share(share: Share | None) -> list[float] | None:
    return None if share is None else [round(share.low, 4), round(share.high, 4)]


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
