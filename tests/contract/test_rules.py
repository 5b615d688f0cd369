"""The rules that ship: Prometheus takes them, and they speak of nothing that is not exported."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from probe.metrics import CATALOGUE
from probe.metrics.catalogue import Kind, Metric

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = sorted((DEPLOY / "prometheus/rules").glob("*.yml"))
TESTS = sorted((DEPLOY / "prometheus/tests").glob("*.yml"))
PATIENCE = 300.0  # s: promtool takes ten where nothing else runs.
LEAST_RANGE = 60.0  # s: four scrapes of 15 s, wherever the range ends.
SUFFIXES = ("_bucket", "_count", "_sum")
OF_THE_TARGET = {"job", "instance"}  # What Prometheus adds by itself.
COMPONENT = {"kind", "fault", "relay", "node", "sender", "mailbox"}

Rule = dict[str, Any]


def groups(path: Path) -> list[dict[str, Any]]:
    return list(YAML(typ="safe", pure=True).load(path)["groups"])


def rules() -> Iterator[Rule]:
    for path in RULES:
        for group in groups(path):
            yield from group["rules"]


ALERTS = [rule for rule in rules() if "alert" in rule]


def promtool(*arguments: str | Path) -> None:
    assert shutil.which("promtool"), "promtool is missing: `make test` installs it"
    command = ["promtool", *map(str, arguments)]
    end = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert end.returncode == 0, end.stdout + end.stderr


# ---- as they ship


def test_what_is_committed_is_what_make_rules_writes() -> None:
    written = runpy.run_path(str(DEPLOY / "prometheus/render.py"))["render"](DEPLOY / "prometheus")
    assert written == {path.name: path.read_text() for path in RULES}


@pytest.mark.timeout(PATIENCE + 30)
def test_prometheus_takes_them() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES)


@pytest.mark.timeout(PATIENCE + 30)
@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_they_fire_and_do_not_fire_as_they_should(path: Path) -> None:
    promtool("test", "rules", path)


def test_every_alert_is_tested_to_fire_and_not_to() -> None:
    fires, silent = set(), set()
    for path in TESTS:
        for test in YAML(typ="safe", pure=True).load(path)["tests"]:
            for case in test["alert_rule_test"]:
                (fires if case.get("exp_alerts") else silent).add(case["alertname"])
    names = {rule["alert"] for rule in ALERTS}
    assert fires == names
    assert silent == names - {"MailProbeWatchdog"}


def test_what_old_servers_do_not_know_is_not_used() -> None:
    for path in RULES:
        for group in groups(path):
            assert group.keys() == {"name", "rules"}, path


def test_what_prometheus_3_changed_is_not_used() -> None:
    """Ranges lost their first moment, `.` takes in line ends, names may be quoted."""
    for expression in expressions():
        for seconds in map(in_seconds, re.findall(r"\[(\w+)\]", expression)):
            assert seconds >= LEAST_RANGE, f"at its end one sample less is seen: {expression}"
        patterns = re.findall(r"""[=!]~["']([^"']*)""", expression)
        assert not [one for one in patterns if "." in one], expression
        for gone in (r"""\{\s*["']""", "holt_winters", r"\[[^]]*:"):
            assert not re.search(gone, expression), expression


def in_seconds(duration: str) -> float:
    """A duration of PromQL."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([smhd])", duration))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_all_that_it_should(alert: Rule) -> None:
    name = alert["alert"]
    assert name.startswith("MailProbe")
    assert alert["labels"]["severity"] in ("critical", "warning", "info")
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert alert["annotations"]["runbook_url"].endswith(f"/runbooks/{name}")
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["description"].endswith(".")


def test_no_page_waits_where_counting_damps_it_already() -> None:
    waiting = {
        rule["alert"]
        for rule in ALERTS
        if "for" in rule and rule["labels"]["severity"] == "critical"
    }
    assert waiting == {
        "MailProbeAbsent",
        "MailProbeRelaySlowAccept",
        "MailProbeDNSCheckFailing",
        "MailProbeCertificateExpiringSoon",
    }


# ---- what they speak of


def exported() -> dict[str, Metric]:
    """Every series name, with its metric."""
    names: dict[str, Metric] = {}
    for metric in CATALOGUE:
        suffixes = SUFFIXES if metric.kind is Kind.HISTOGRAM else ("",)
        names |= {metric.name + suffix: metric for suffix in suffixes}
    return names


def expressions() -> Iterator[str]:
    """Every expression of the rules, and those in their texts."""
    for rule in rules():
        yield rule["expr"]
        for text in rule.get("annotations", {}).values():
            yield from re.findall(r'printf "([^"]*mailprobe[^"]*)"', text)


def selectors(expression: str) -> Iterator[tuple[str, str]]:
    """Metrics with the text between their braces."""
    return (
        (name, inner)
        for name, inner in re.findall(r"(?<![\w:])(mailprobe_\w+)(?:\{([^}]*)\})?", expression)
    )


def test_every_metric_and_label_is_exported() -> None:
    known = exported()
    for expression in expressions():
        for name, inner in selectors(expression):
            assert name in known, f"{name} in {expression}"
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inner))
            extra = {"le"} if name.endswith("_bucket") else set()
            unknown = labels - set(known[name].labels) - OF_THE_TARGET - extra
            assert not unknown, f"{name} has no {unknown}: {expression}"


def test_every_bound_is_that_of_a_bucket() -> None:
    known = exported()
    found = 0
    for expression in expressions():
        for name, inner in selectors(expression):
            for bound in re.findall(r'\ble="([^"]*)"', inner):
                assert bound in map(str, map(float, known[name].buckets)), expression
                found += 1
    assert found


def test_every_recorded_series_that_is_asked_for_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {
        name
        for expression in expressions()
        for name in re.findall(r"\w+:mailprobe_\w+:\w+", expression)
    }
    assert asked == recorded


def test_every_dashboard_and_variable_of_a_link_exists() -> None:
    boards = {}
    for path in (DEPLOY.parent / "dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        boards[board["uid"]] = {one["name"] for one in board["templating"]["list"]}
    for alert in ALERTS:
        url = alert["annotations"]["dashboard_url"]
        uid = url.partition("?")[0].rpartition("/")[2]
        assert set(re.findall(r"var-(\w+)=", url)) <= boards[uid], url
