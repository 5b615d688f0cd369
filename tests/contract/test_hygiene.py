"""What every file of the project has in common."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "probe").rglob("*.py"))
LONGEST = 400
LOCKS = ("requirements.lock", "requirements-run.lock", "requirements-build.lock")


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in SOURCES}
    too_long = {str(path): lines for path, lines in lengths.items() if lines > LONGEST}
    assert not too_long, f"longer than {LONGEST} lines: {too_long}"


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_locked_has_its_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    without = [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert entries
    assert not without, f"{lock} has no hashes for {without}"
    assert "://" not in text, f"{lock} names an address; `make lock` does not"
    assert not re.search(r"^-", text, re.MULTILINE), f"{lock} has options; `make lock` has none"


def test_what_runs_and_builds_is_locked_as_it_was_tested() -> None:
    tested, *parts = (pins(ROOT / lock) for lock in LOCKS)
    other = set().union(*parts) - tested
    assert not other, f"other versions than tested: {sorted(other)}"


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^[a-z0-9._-]+==\S+", lock.read_text(), re.MULTILINE))
