"""Writes the rules that ship: `make rules`. The templates are in `source/`, the addresses below.

A template is a file of rules in which two kinds of marks are replaced:
`@links BOARD LABEL...` by the links of the alert that it stands in, to its runbook and to a
dashboard with these labels filled in, and `[[NAME]]`
by a phrase of `source/phrases.txt`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
HEAD = "# Written by `make rules` from {source}: change it there.\n"
LINKS = """\
{indent}runbook_url: '{runbooks}/{alert}'
{indent}dashboard_url: '{dashboards}/mailprobe-{board}?{variables}'
"""

_ALERT = re.compile(r"\s*- alert: (\w+)$")
_LINKS = re.compile(r"( *)@links (.+)$")
_PHRASE = re.compile(r"\[\[(\w+)\]\]")


def render(folder: Path) -> dict[str, str]:
    """Every file of rules by its name, from the templates in `folder/source`."""
    urls = _pairs(folder / "base_urls.txt")
    phrases = _pairs(folder / "source" / "phrases.txt")
    return {
        path.name: HEAD.format(source=f"source/{path.name}")
        + "".join(_lines(path.read_text(encoding="utf-8"), urls, phrases))
        for path in sorted((folder / "source").glob("*.yml"))
    }


def _lines(template: str, urls: dict[str, str], phrases: dict[str, str]) -> Iterator[str]:
    alert = ""
    for line in template.splitlines():
        if match := _ALERT.match(line):
            alert = match[1]
        if match := _LINKS.match(line):
            board, *labels = match[2].split()
            variables = "".join(_variables("job", "instance", *labels))
            yield LINKS.format(
                indent=match[1], alert=alert, board=board, variables=variables, **urls
            )
        else:
            yield _phrased(line, phrases) + "\n"


def _variables(*labels: str) -> Iterator[str]:
    """What chooses them on a dashboard: where a label is empty, all stay chosen."""
    for number, label in enumerate(labels):
        between = "&" if number else ""
        value = "{{ urlquery . }}"
        yield f"{{{{ with $labels.{label} }}}}{between}var-{label}={value}{{{{ end }}}}"


def _phrased(line: str, phrases: dict[str, str]) -> str:
    """The line with its phrases, which may hold others."""
    while match := _PHRASE.search(line):
        line = line.replace(match[0], phrases[match[1]])
    return line


def _pairs(path: Path) -> dict[str, str]:
    """The lines `NAME = TEXT` of a file; one that begins with a space goes on with that before."""
    pairs: dict[str, str] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            pairs[name] += line.removeprefix(" ")
        elif line and not line.startswith("#"):
            name, _, text = line.partition(" = ")
            pairs[name] = text
    return pairs


def main() -> int:
    """Write them."""
    for name, text in render(HERE).items():
        (HERE / "rules" / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
