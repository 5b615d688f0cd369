"""The kinds of panels, each as the JSON that Grafana takes (schema 39)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboards.source.query import Query

Json = dict[str, Any]

DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, GREY = "green", "yellow", "red", "text"


@dataclass(frozen=True, slots=True)
class Meaning:
    """A value in a word; its colour says nothing that the word does not."""

    value: int
    word: str
    colour: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel, without its place."""

    kind: str
    title: str
    description: str
    width: int  # Of 24 columns.
    height: int
    queries: tuple[Query, ...]
    unit: str
    shape: Json = field(default_factory=dict)  # What only this kind has.
    defaults: Json = field(default_factory=dict)  # How its fields are shown.
    overrides: tuple[Json, ...] = ()
    target: Json = field(default_factory=dict)  # How its answers are read.

    def json(self, number: int, x: int, y: int) -> Json:
        """The panel at its place."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATA_SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {
                "defaults": {"unit": self.unit, **self.defaults},
                "overrides": list(self.overrides),
            },
            **self.shape,
            "targets": [self._target(*one) for one in zip("ABCDEF", self.queries, strict=False)],
        }

    def _target(self, name: str, query: Query) -> Json:
        return {
            "refId": name,
            "datasource": DATA_SOURCE,
            "expr": query.expr,
            "legendFormat": query.legend or "__auto",
            "range": True,
            **self.target,
        }


def number(
    title: str,
    description: str,
    query: str,
    *,
    unit: str,
    steps: Sequence[tuple[float, str]] = (),
    means: Sequence[Meaning] = (),
) -> Panel:
    """One number, large, as of now; `steps`: from which value on it has which colour."""
    colours = [{"color": GREEN, "value": None}, *({"color": c, "value": v} for v, c in steps)]
    return Panel(
        "stat", title, description, 4, 4, (Query(query),), unit,
        shape={
            "options": {
                "colorMode": "background",
                "graphMode": "none",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            }
        },
        defaults={
            "noValue": "none",
            "mappings": mappings(means),
            "thresholds": {"mode": "absolute", "steps": colours},
        },
        target={"instant": True, "range": False},
    )  # fmt: skip


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    width: int = 12,
    height: int = 8,
    bars: bool = False,
    limit: float | None = None,
) -> Panel:
    """Lines over time, or with `bars` stacked bars; `limit`: where a red line is drawn."""
    custom: Json = {"fillOpacity": 10, "lineWidth": 1, "showPoints": "auto", "spanNulls": False}
    if bars:
        custom = {"drawStyle": "bars", "fillOpacity": 80, "stacking": {"mode": "normal"}}
    defaults: Json = {"min": 0, "custom": custom}
    if limit is not None:
        custom["thresholdsStyle"] = {"mode": "line"}
        steps = [{"color": GREEN, "value": None}, {"color": RED, "value": limit}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
    return Panel(
        "timeseries", title, description, width, height, queries, unit,
        shape={"options": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}}},
        defaults=defaults,
    )  # fmt: skip


def timeline(
    title: str,
    description: str,
    query: Query,
    means: Sequence[Meaning],
    *,
    width: int = 24,
    height: int = 8,
) -> Panel:
    """A row for each series, coloured and labelled by what its value means."""
    return Panel(
        "state-timeline", title, description, width, height, (query,), "none",
        shape={
            "options": {
                "mergeValues": True,
                "showValue": "auto",
                "alignValue": "left",
                "rowHeight": 0.9,
                "perPage": 20,
                "legend": _LEGEND,
                "tooltip": {"mode": "single", "sort": "none"},
            }
        },
        defaults={"custom": {"fillOpacity": 70, "lineWidth": 0}, "mappings": mappings(means)},
    )  # fmt: skip


def heatmap(title: str, description: str, query: str, *, width: int = 12) -> Panel:
    """How often which duration came, from the buckets of a histogram."""
    return Panel(
        "heatmap", title, description, width, 8, (Query(query, "{{le}}"),), "s",
        shape={
            "options": {
                "calculate": False,
                "cellGap": 1,
                "color": {"mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "steps": 64},
                "filterValues": {"le": 1e-9},
                "legend": {"show": True},
                "tooltip": {"mode": "single"},
                "yAxis": {"unit": "s"},
            }
        },
        target={"format": "heatmap"},
    )  # fmt: skip


def table(
    title: str,
    description: str,
    *queries: Query,
    columns: Sequence[Json],
    unit: str = "none",
    width: int = 12,
    height: int = 8,
) -> Panel:
    """A line for each set of labels, as of now; `columns`: how the values are shown."""
    return Panel(
        "table", title, description, width, height, queries, unit,
        shape={
            "options": {"showHeader": True},
            "transformations": [
                {"id": "merge", "options": {}},
                {"id": "organize", "options": {"excludeByName": {"Time": True}}},
            ],
        },
        overrides=tuple(columns),
        target={"format": "table", "instant": True, "range": False},
    )  # fmt: skip


def column(query: str, title: str, *, unit: str = "none", means: Sequence[Meaning] = ()) -> Json:
    """How a table shows the values of one of its queries (`A`, `B`, …)."""
    properties: list[Json] = [
        {"id": "displayName", "value": title},
        {"id": "unit", "value": unit},
    ]
    if means:
        properties.append({"id": "mappings", "value": mappings(means)})
    return {
        "matcher": {"id": "byName", "options": f"Value #{query}"},
        "properties": properties,
    }


def mappings(means: Sequence[Meaning]) -> list[Json]:
    """Words for values, as Grafana has them."""
    words: Mapping[str, Json] = {
        str(one.value): {"text": one.word, "color": one.colour, "index": index}
        for index, one in enumerate(means)
    }
    return [{"type": "value", "options": words}] if words else []


_LEGEND = {"showLegend": True, "displayMode": "list", "placement": "bottom"}
