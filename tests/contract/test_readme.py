"""README.md says what the program does: a metric, a page or a command that is not in it is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from probe.cli import main
from probe.demo import SCENARIOS
from probe.metrics import CATALOGUE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SHORT = {
    ("kind", "relay", "node", "sender", "mailbox", "flow"): "C",
    ("relay", "node", "sender", "mailbox"): "Q",
    ("relay", "node"): "R",
}


def written(labels: tuple[str, ...]) -> str:
    """Labels as the table writes them, the usual ones by their letter."""
    for names, letter in SHORT.items():
        if labels[: len(names)] == names:
            return ", ".join((letter, *labels[len(names) :]))
    return ", ".join(labels) or "–"


def test_every_metric_has_its_row_and_every_row_its_metric() -> None:
    rows = re.findall(r"^\| `(mailprobe_\w+)` \| (\w+) \| ([^|]+) \| (.+) \|$", README, re.M)
    known = [(m.name, str(m.kind), written(tuple(m.labels)), m.help) for m in CATALOGUE]
    assert [tuple(row) for row in rows] == known


def test_every_scenario_of_the_demo_has_its_row() -> None:
    part = README.partition("## Try it")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", part, re.MULTILINE) == [*SCENARIOS]


def test_every_link_within_the_page_leads_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    places = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(#([^)]+)\)", README)
    assert links and set(links) <= places


def test_the_configuration_that_it_calls_complete_is_good(tmp_path: Path) -> None:
    """But for the secrets, which lie where the reader puts them."""
    text = re.search(r"^```yaml\n(instance: .*?)^```", README, re.MULTILINE | re.DOTALL)
    assert text is not None
    for name in ("tag", "smtp", "imap"):
        (tmp_path / name).write_text("a secret of sixteen or more")
    file = tmp_path / "mailprobe.yaml"
    file.write_text(text[1].replace("/run/secrets", str(tmp_path)))
    assert main(["config", "check", str(file)], {}) == 0


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_what_is_to_be_made_can_be_made_and_is_there_once(page: str) -> None:
    named = re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", (ROOT / page).read_text(), re.M)
    made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    assert named
    assert {one or other for one, other in named} <= set(made)
    assert len(made) == len(set(made))
