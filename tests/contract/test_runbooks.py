"""Runbooks: one for each alert, all alike, readable at three in the morning."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from probe.core.component import Component, Fault, Kind
from probe.core.runbook import runbook
from probe.edges.web.runbook import runbook_page, shelf
from tests.runbook_commands import PLACEHOLDERS, PROGRAMS, commands

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/runbooks"
PAGES = {path.stem: path.read_text() for path in sorted(FOLDER.iterdir())}
HEADINGS = [
    "What is broken for users",
    "Confirm in 60 seconds, without the prober",
    "What rules out a false alarm",
    "First action",
    "Whom to call next",
]
LONGEST = 60  # Lines: what is longer is not read at night.
URGENCY = {
    "critical": "Pages at any hour.",
    "warning": "A ticket, for the next working hours.",
    "info": "For information; nobody is woken up.",
}
BOTH = "A ticket; pages when it is urgent."

every_page = pytest.mark.parametrize("name", PAGES)


def alerts() -> list[dict[str, Any]]:
    """All alerts of all rules."""
    files = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
    groups = [group for file in files for group in YAML(typ="safe").load(file)["groups"]]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def severities(name: str) -> set[str]:
    return {rule["labels"]["severity"] for rule in alerts() if rule["alert"] == name}


def section(name: str, heading: str) -> str:
    return PAGES[name].partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_there_is_one_for_each_alert_and_none_too_many() -> None:
    assert {rule["alert"] for rule in alerts()} == set(PAGES)
    assert all(path.suffix == ".md" for path in FOLDER.iterdir())


def test_alerts_lead_to_their_own() -> None:
    for rule in alerts():
        assert rule["annotations"]["runbook_url"].endswith(f"/runbooks/{rule['alert']}")


def test_alerts_lead_to_a_dashboard_with_what_can_be_chosen_there() -> None:
    boards = (json.loads(path.read_text()) for path in (ROOT / "dashboards").glob("*.json"))
    known = {
        board["uid"]: {variable["name"] for variable in board["templating"]["list"]}
        for board in boards
    }
    for rule in alerts():
        address = urlsplit(rule["annotations"]["dashboard_url"])
        chosen = set(re.findall(r"\bvar-(\w+)=", address.query))
        assert chosen <= known[address.path.rpartition("/")[2]], rule["alert"]


@every_page
def test_all_are_built_alike(name: str) -> None:
    lines = PAGES[name].splitlines()
    assert re.fullmatch(r"# [A-Z].*[^.]", lines[0])
    assert [line[3:] for line in lines if line.startswith("## ")] == HEADINGS
    assert all(section(name, heading).strip() for heading in HEADINGS)
    assert len(lines) <= LONGEST


@every_page
def test_the_page_says_how_urgent_it_is_as_its_alert_does(name: str) -> None:
    found = severities(name)
    said = URGENCY[next(iter(found))] if len(found) == 1 else BOTH
    assert PAGES[name].splitlines()[2] == f"`{name}` · {said}"


@every_page
def test_a_page_that_wakes_somebody_says_whom_to_call_now(name: str) -> None:
    if "critical" in severities(name):
        called = section(name, HEADINGS[-1])
        assert re.search(r"on\s+call|emergency\s+line|Who can change|Who runs", called)
        assert re.search(r"(?i)\bnow\b|at\s+once|five\s+minutes|without\s+waiting", called)


@every_page
def test_commands_are_such_as_there_are(name: str) -> None:
    found = commands(PAGES[name])
    assert found
    for command in found:
        assert command.split()[0] in PROGRAMS, command
        assert set(re.findall(r"\b[A-Z][A-Z_]+\b", command)) <= PLACEHOLDERS, command


@every_page
def test_links_lead_to_other_runbooks(name: str) -> None:
    for target in re.findall(r"\]\(([^)]*)\)", PAGES[name]):
        assert urlsplit(target).path.removesuffix(".md") in PAGES, target


@every_page
def test_every_runbook_is_shown_whole(name: str) -> None:
    page = runbook_page(name)
    assert page is not None
    for heading in HEADINGS:
        assert f"<h2>{heading}</h2>" in page
    assert page == runbook_page(f"{name}.md")
    inline = [
        t for token in MarkdownIt("commonmark").parse(PAGES[name]) for t in token.children or ()
    ]
    assert not [t.content for t in inline if t.type == "html_inline"]


@pytest.mark.parametrize(
    "name", ["", "MailProbeNone", "..", "../CHANGELOG", "a" * 999, "x/y", "\0"]
)
def test_there_are_no_others(name: str) -> None:
    assert runbook_page(name) is None


def test_the_shelf_is_that_of_the_checkout() -> None:
    assert {entry.name for entry in shelf().iterdir()} == {f"{name}.md" for name in PAGES}


def test_a_package_has_them_all(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory"]
    subprocess.run([*build, str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    [wheel] = tmp_path.iterdir()
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".md")}
    assert packed == {f"probe/edges/web/runbooks/{name}.md" for name in PAGES}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("kind", Kind)
def test_each_fault_of_each_component_has_one(kind: Kind, fault: Fault) -> None:
    assert runbook(Component(kind), fault) in PAGES


@pytest.mark.parametrize("kind", Kind)
def test_it_is_that_of_the_alert_for_this_kind_of_component(kind: Kind) -> None:
    """The alerts of the prober's verdicts select by kind, and by fault what is of quality."""
    [rule] = [r for r in alerts() if r["alert"] == runbook(Component(kind), Fault.HOLDING)]
    assert f'{{kind="{kind}"}}' in rule["expr"]


@pytest.mark.parametrize("fault", [Fault.MISFILING, Fault.DUPLICATING, Fault.ALTERING])
def test_what_is_no_good_mail_has_a_page_of_its_own(fault: Fault) -> None:
    rules = {rule["alert"]: rule["expr"] for rule in alerts()}
    assert fault in rules[runbook(Component(Kind.RELAY, relay="pool"), fault)]
    verdicts = [expr for name, expr in rules.items() if name.endswith("AtFault")]
    assert not any(fault in expr for expr in verdicts)
