"""A dashboard: its panels in their places, its variables, and its way to the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.source.panel import DATA_SOURCE, Json, Panel

COLUMNS = 24
SCHEMA = 39  # Of Grafana 10.4; newer ones bring it up to theirs by themselves.

# Variable: its label, where its values come from, and what `All` stands for. What does not apply
# to a series is an empty label, so all relays, nodes, senders and mailboxes include none.
VARIABLES = {
    "job": ("Job", "label_values(mailprobe_build_info, job)", ".+"),
    "instance": ("Instance", 'label_values(mailprobe_build_info{job=~"$job"}, instance)', ".+"),
    "relay": ("Relay", 'label_values(mailprobe_relay_info{job=~"$job"}, relay)', ".*"),
    "node": (
        "Node",
        'label_values(mailprobe_component_state{job=~"$job",kind="node",relay=~"$relay"}, node)',
        ".*",
    ),
    "sender": ("Sender", 'label_values(mailprobe_sender_info{job=~"$job"}, sender)', ".*"),
    "domain": ("Domain", 'label_values(mailprobe_sender_info{job=~"$job"}, domain)', ".*"),
    "mailbox": ("Mailbox", 'label_values(mailprobe_imap_up{job=~"$job"}, mailbox)', ".*"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A heading, and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; its file and its address are called by its name."""

    name: str
    title: str
    description: str
    choices: tuple[str, ...]  # Besides data source, job and instance.
    rows: tuple[Row, ...]

    def json(self) -> Json:
        """The dashboard as Grafana takes it."""
        return {
            "uid": f"mailprobe-{self.name}",
            "title": f"mailprobe / {self.title}",
            "description": self.description,
            "tags": ["mailprobe"],
            "schemaVersion": SCHEMA,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "",
            "links": [_LINK],
            "annotations": {"list": [_ALERTS]},
            "templating": {
                "list": [_DATA_SOURCES, *map(_variable, ("job", "instance", *self.choices))]
            },
            "panels": list(_placed(self.rows)),
        }


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Rows below each other; in each, panels from left to right as they fit."""
    y, number = 0, 0
    for row in rows:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        y += 1
        x = highest = 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, highest = 0, y + highest, 0
            number += 1
            yield panel.json(number, x, y)
            x, highest = x + panel.width, max(highest, panel.height)
        y += highest


def _variable(name: str) -> Json:
    label, query, everything = VARIABLES[name]
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": query,
        "refresh": 2,  # When the time range changes.
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": everything,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


_DATA_SOURCES = {
    "name": "datasource",
    "label": "Data source",
    "type": "datasource",
    "query": "prometheus",
    "current": {},
}

_LINK = {
    "type": "dashboards",
    "title": "mailprobe",
    "tags": ["mailprobe"],
    "asDropdown": False,
    "includeVars": True,
    "keepTime": True,
}

_ALERTS = {
    "name": "Alerts",
    "enable": True,
    "iconColor": "red",
    "datasource": DATA_SOURCE,
    "expr": 'ALERTS{alertname=~"MailProbe.*",alertstate="firing",severity="critical"}',
    "titleFormat": "{{alertname}}",
    "textFormat": "{{kind}} {{relay}} {{node}} {{sender}} {{mailbox}} {{fault}}",
}
