"""Dashboards: what https://github.com/grafana/dashboard-linter asks of them, and more.

That tool needs a newer Go than Debian has, and Grafana is in no Debian, so its rules are here, in
its words, for every kind of panel instead of some.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from dashboards.source.__main__ import BOARDS, FOLDER, written
from tests.contract.promql import Selector, exported, selectors

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
FILES = sorted(FOLDER.glob("*.json"))
NAMES = [path.stem for path in FILES]
DASHBOARDS: dict[str, Json] = {path.stem: json.loads(path.read_text()) for path in FILES}
SERIES = exported()
# Of Grafana's list, those that we have a use for.
UNITS = {"none", "short", "s", "ops", "percentunit"}
COLUMNS = 24
MOST_PANELS = 20
# Such a window is an alert's: it shows what the alert sees.
FIXED = {"10m"}

PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
TARGETS = [
    pytest.param(panel.values[0]["title"], target["expr"], id=f"{panel.id} {target['refId']}")
    for panel in PANELS
    for target in panel.values[0]["targets"]
]
every_dashboard = pytest.mark.parametrize("name", NAMES)
every_panel = pytest.mark.parametrize("panel", PANELS)
every_target = pytest.mark.parametrize(("title", "expr"), TARGETS)


def queries(dashboard: Json) -> list[Json]:
    return [v for v in dashboard["templating"]["list"] if v["type"] == "query"]


def excluded(rule: str, title: str) -> bool:
    """Whether .lint says why a panel does not keep to a rule."""
    exclusions = YAML(typ="safe").load(FOLDER / ".lint")["exclusions"]
    entries = exclusions.get(rule, {"entries": []})["entries"]
    return any(entry["panel"] == title for entry in entries)


def test_what_is_committed_is_what_is_generated() -> None:
    assert {f"{board.name}.json": written(board) for board in BOARDS} == {
        path.name: path.read_text() for path in FILES
    }, "run `make dashboards`"


def test_there_are_three_and_each_is_called_by_its_own_name() -> None:
    assert len(DASHBOARDS) >= 3
    for key in ("uid", "title"):
        assert len({dashboard[key] for dashboard in DASHBOARDS.values()}) == len(DASHBOARDS)


@every_dashboard
def test_a_dashboard_can_be_provisioned(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert re.fullmatch(r"[a-z0-9-]{1,40}", dashboard["uid"])
    assert dashboard["uid"] == f"mailprobe-{name}"
    assert dashboard.get("id") is None
    assert isinstance(dashboard["schemaVersion"], int)
    assert dashboard["editable"] is False  # uneditable-dashboard
    assert dashboard["refresh"] and dashboard["time"]
    assert "__inputs" not in dashboard
    assert "mailprobe" in dashboard["tags"]
    text = (FOLDER / f"{name}.json").read_text()
    assert "<" not in text.replace(">", "").replace("<=", ""), "a short form was not replaced"


@every_dashboard
def test_the_data_source_can_be_chosen(name: str) -> None:
    """template-datasource-rule"""
    variables = DASHBOARDS[name]["templating"]["list"]
    [source] = [v for v in variables if v["type"] == "datasource"]
    assert (source["name"], source["label"]) == ("datasource", "Data source")
    assert source["query"] == "prometheus"


@every_dashboard
@pytest.mark.parametrize("variable", ["job", "instance"])
def test_job_and_instance_can_be_chosen(name: str, variable: str) -> None:
    """template-job-rule, template-instance-rule"""
    [found] = [v for v in queries(DASHBOARDS[name]) if v["name"] == variable]
    assert found["label"] == variable.capitalize()
    assert found["datasource"]["uid"] == "${datasource}"
    assert found["multi"] is True
    assert found["allValue"] == ".+"


@every_dashboard
def test_variables_are_read_from_labels_that_exist(name: str) -> None:
    """template-label-promql-rule, template-on-time-change-reload-rule"""
    for variable in queries(DASHBOARDS[name]):
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])
        assert asked, variable["query"]
        [selector] = selectors(asked[1])
        assert {label for label, *_ in selector.matchers} <= labels(selector)
        assert asked[2] in labels(selector)
        assert variable["refresh"] == 2
        assert variable["includeAll"] is True


@every_dashboard
def test_every_variable_is_known_and_used(name: str) -> None:
    dashboard = DASHBOARDS[name]
    known = {v["name"] for v in dashboard["templating"]["list"]} | {"__rate_interval"}
    text = json.dumps(dashboard["panels"])
    assert set(re.findall(r"\$\{?(\w+)", text)) == known


@every_dashboard
def test_panels_have_places_of_their_own(name: str) -> None:
    panels = DASHBOARDS[name]["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert sum(panel["type"] != "row" for panel in panels) <= MOST_PANELS
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS, panel["title"]
    for one, other in combinations(panels, 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or below)


@every_panel
def test_a_panel_says_what_it_shows(panel: Json) -> None:
    """panel-title-description-rule, panel-no-targets-rule, panel-datasource-rule"""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["targets"]
    for part in (panel, *panel["targets"]):
        assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@every_panel
def test_a_panel_has_a_unit(panel: Json) -> None:
    """panel-units-rule"""
    fields = panel["fieldConfig"]
    units = {fields["defaults"]["unit"]} | {
        prop["value"]
        for override in fields["overrides"]
        for prop in override["properties"]
        if prop["id"] == "unit"
    }
    assert units <= UNITS


@every_panel
def test_no_meaning_is_told_by_colour_alone(panel: Json) -> None:
    for mapping in mappings(panel["fieldConfig"]):
        assert all(meaning["text"] for meaning in mapping["options"].values())
    if panel["type"] == "state-timeline":
        assert panel["fieldConfig"]["defaults"]["mappings"]
        assert panel["options"]["showValue"] != "never"


def mappings(fields: Json) -> Iterator[Json]:
    yield from fields["defaults"].get("mappings", [])
    for override in fields["overrides"]:
        for prop in override["properties"]:
            yield from prop["value"] if prop["id"] == "mappings" else []


@every_panel
def test_a_table_shows_each_of_its_queries_by_a_name(panel: Json) -> None:
    if panel["type"] == "table":
        shown = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
        assert shown == {f"Value #{target['refId']}" for target in panel["targets"]}


@every_target
def test_a_query_keeps_to_the_probers_that_were_chosen(title: str, expr: str) -> None:
    """target-job-rule, target-instance-rule"""
    found = list(selectors(expr))
    assert found
    for label in ("job", "instance"):
        if not excluded(f"target-{label}-rule", title):
            assert all(s.values(label) == [f"=~${label}"] for s in found), expr


@every_target
def test_counters_are_asked_for_their_growth(title: str, expr: str) -> None:
    """target-counter-agg-rule, target-rate-interval-rule"""
    for selector in selectors(expr):
        if selector.name.endswith(("_total", "_bucket", "_count", "_sum")):
            assert selector.function in ("rate", "increase"), expr
            windows = {"$__rate_interval"} | (FIXED if selector.function == "increase" else set())
            assert selector.range in windows, expr
        else:
            assert not selector.range, expr


@every_target
def test_what_is_asked_for_exists(title: str, expr: str) -> None:
    for selector in selectors(expr):
        if selector.name == "ALERTS":
            continue
        assert selector.name in SERIES, f"nobody exports {selector.name}"
        assert {label for label, *_ in selector.matchers} <= labels(selector), selector
        bounds = {f"{float(bound)}" for bound in SERIES[selector.name][0].buckets}
        assert {value.lstrip("=~!") for value in selector.values("le")} <= bounds, selector


@every_target
def test_what_is_grouped_by_exists(title: str, expr: str) -> None:
    there = set().union(*map(labels, selectors(expr)))
    for grouping in re.findall(r"\b(?:by|without|on|ignoring) ?\(([^)]*)\)", expr):
        assert set(grouping.split(", ")) <= there, expr


def labels(selector: Selector) -> set[str]:
    """The labels of what is selected, target labels included."""
    if selector.name == "ALERTS":
        return {"alertname", "severity", "alertstate", *SERIES["mailprobe_fault"][1]}
    return {"job", "instance", *SERIES[selector.name][1]}


@every_panel
def test_a_legend_names_what_the_answer_has(panel: Json) -> None:
    for target in panel["targets"]:
        named = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert named <= {"instance"} | set(re.findall(r"\w+", target["expr"]))


def test_no_two_panels_of_a_dashboard_are_called_the_same() -> None:
    for name, dashboard in DASHBOARDS.items():
        titles = [panel["title"] for panel in dashboard["panels"]]
        assert len(titles) == len(set(titles)), name


def test_what_grafana_loads_by_itself_fits() -> None:
    yaml = YAML(typ="safe")
    folder = FOLDER / "provisioning"
    [source] = yaml.load(folder / "datasources/prometheus.yaml")["datasources"]
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    assert source["jsonData"]["timeInterval"] == "15s", "the README's scrape interval"
    [provider] = yaml.load(folder / "dashboards/mailprobe.yaml")["providers"]
    assert provider["type"] == "file"
    assert provider["updateIntervalSeconds"] >= 10
    assert provider["options"]["path"].startswith("/")
