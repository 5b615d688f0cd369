"""The unit for systemd: it is valid, as closed as README.md says, and the program fits into it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from probe.config import load

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "mailprobe.service"
README = (ROOT / "README.md").read_text()
PROGRAM = "/opt/mailprobe/bin/mailprobe"
FILE = """\
relays: {pool: {host: smtp.example.com, username: probe}}
senders: {shop: {address: probe@shop.example}}
mailboxes:
  corp: {address: probe@corp.example, imap: {host: imap.corp.example, username: probe}}
"""


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert shutil.which("systemd-analyze"), "systemd is missing: `make test` installs it"
    command = ["systemd-analyze", "--no-pager", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """The unit, with a program in the place of ours that is there on every machine."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, "/bin/true"))
    return str(unit)


def test_systemd_finds_nothing_wrong_with_it(installed: str) -> None:
    end = analyze("verify", installed)
    assert (end.returncode, end.stdout, end.stderr) == (0, "", "")


def test_it_is_as_closed_as_readme_says(installed: str) -> None:
    end = analyze("security", "--offline=true", installed)
    exposure = re.search(r"Overall exposure level for mailprobe\.service: ([0-9.]+)", end.stdout)
    said = re.search(r"`systemd-analyze security` gives it ([0-9.]+)", README)
    assert exposure and said, end.stdout + end.stderr
    assert said[1] == exposure[1]


def test_it_calls_the_program_that_readme_installs() -> None:
    assert re.findall(r"^ExecStart=(.*)$", UNIT.read_text(), re.MULTILINE) == [
        f"{PROGRAM} run --config /etc/mailprobe/mailprobe.yaml"
    ]
    assert "python3 -m venv /opt/mailprobe" in README
    assert str(UNIT.relative_to(ROOT)) in README


def test_credentials_are_secrets_by_their_names(tmp_path: Path) -> None:
    secrets = tmp_path / "credentials"
    secrets.mkdir()
    for name in ("tag_key", "relays__pool__password", "mailboxes__corp__imap__password"):
        (secrets / name).write_text("0123456789abcdef\n")
    file = tmp_path / "mailprobe.yaml"
    file.write_text(FILE)
    variable = re.search(r"^Environment=(MAILPROBE_\w+)=%d$", UNIT.read_text(), re.MULTILINE)
    assert variable
    settings = load(str(file), {variable[1]: str(secrets)})
    assert [relay.username for relay in settings.relays] == ["probe"]
    assert not settings.warnings
