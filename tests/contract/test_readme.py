"""README.md says what the program does: a metric, a page or a command that is not in it is lost."""

from __future__ import annotations

import re
from pathlib import Path

from probe.demo import SCENARIOS
from probe.metrics import CATALOGUE

README = (Path(__file__).parents[2] / "README.md").read_text()
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
