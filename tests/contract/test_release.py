"""What goes out: licences that fit ours, no known vulnerability, notes for each version."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from email.message import Message
from pathlib import Path

import pytest

from deploy.release import audit, licences, notes

ROOT = Path(__file__).parents[2]


def test_everything_that_runs_may_be_combined_with_our_licence() -> None:
    found = [*licences.licences()]
    unfit = [one for one in found if not one.is_compatible]
    assert not unfit
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[>=\[]", one)[0].replace(".", "-") for one in project["dependencies"]}
    assert wanted <= {one.package for one in found if one.expression}


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("LicenseRef-Proprietary OR MIT", True),
        ("MIT AND LicenseRef-Proprietary", False),
        ("GPL-2.0-only", False),
        ("unknown", False),
    ],
)
def test_a_licence_fits_if_one_alternative_of_it_does(expression: str, fits: bool) -> None:
    assert licences.compatible(expression) is fits


def test_old_metadata_tell_their_licence_too() -> None:
    old = Message()
    old["License"] = "Everything below this line is the licence."
    old["Classifier"] = "License :: OSI Approved :: MIT License"
    assert licences.expression("some", old) == "MIT"
    assert licences.expression("some", Message()) == "unknown"


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


WELL = {"name": "good", "version": "1", "vulns": []}
SKIPPED = {"name": "other", "skip_reason": "Dependency not found on PyPI"}
BAD = {
    "name": "bad",
    "version": "2",
    "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["2.1"], "aliases": [], "description": ""}],
}


@pytest.mark.parametrize(
    ("said", "code", "required", "sentence"),
    [
        (report(WELL), 0, 0, "1 packages audited, 0 known vulnerabilities."),
        (report(WELL, BAD), 1, 1, "bad 2: PYSEC-2026-1, mended in 2.1"),
        (report(SKIPPED), 0, 1, "NOT AUDITED: no source of vulnerabilities could be asked."),
        (report(WELL, SKIPPED), 0, 1, "NOT AUDITED: nothing was told of other."),
        (report(BAD, SKIPPED), 1, 1, "NOT AUDITED: nothing was told of other."),
        ("", 0, 1, "NOT AUDITED: no source of vulnerabilities could be asked (pip-audit did not"),
    ],
)
def test_what_was_not_audited_never_seems_to_be(
    said: str, code: int, required: int, sentence: str
) -> None:
    found = audit.read(said)
    assert found.exit_code(required=False) == code
    assert found.exit_code(required=True) == required
    assert sentence in "\n".join(found.sentences())


def test_without_pip_audit_that_is_said() -> None:
    found = audit.ask("/nowhere/pip-audit")
    assert found.sentences() == [
        "NOT AUDITED: no source of vulnerabilities could be asked (pip-audit is not installed)."
    ]


def test_every_version_has_its_notes() -> None:
    text = "# Changelog\n\n## 1.1.0 – 2027-01-02\n\n### Added\n- More.\n\n## 1.0.0\n- All.\n"
    assert notes.sections(text) == {"1.1.0": "### Added\n- More.", "1.0.0": "- All."}


def test_release_notes_of_this_version_and_of_none() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    program = [sys.executable, str(ROOT / "deploy" / "release" / "notes.py")]
    found = subprocess.run([*program, version], capture_output=True, text=True, timeout=30)
    assert (found.returncode, found.stderr) == (0, "")
    assert "mailprobe run" in found.stdout and "## " + version not in found.stdout
    none = subprocess.run([*program, "9.9.9"], capture_output=True, text=True, timeout=30)
    assert none.returncode == 1
    assert none.stderr.startswith("CHANGELOG.md says nothing of version '9.9.9', but of ")
