"""`python deploy/release/audit.py PIP-AUDIT`: known vulnerabilities of what is locked.

The exit code is 1 if there is one. Where no source of vulnerabilities can be asked this is said,
and is no failure, so that a machine without access can be worked on; with `--required` it is one.
pip-audit itself says "No known vulnerabilities found" there, which is why it is not taken at its
word: what it has skipped was not audited.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements-run.lock"
PATIENCE = 120.0  # s


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found out."""

    vulnerable: tuple[str, ...] = ()  # A line for each.
    audited: int = 0
    skipped: tuple[str, ...] = ()
    trouble: str = ""  # Why nothing was found out at all.

    @property
    def is_complete(self) -> bool:
        """Whether every package was audited."""
        return bool(self.audited) and not self.skipped

    def exit_code(self, *, required: bool) -> int:
        """1 for a vulnerability and, if it is `required`, for what was not audited."""
        return int(bool(self.vulnerable) or (required and not self.is_complete))

    def sentences(self) -> list[str]:
        """What is to be said."""
        if not self.audited:
            why = f" ({self.trouble})" if self.trouble else ""
            return [f"NOT AUDITED: no source of vulnerabilities could be asked{why}."]
        said = [f"{self.audited} packages audited, {len(self.vulnerable)} known vulnerabilities."]
        if self.skipped:
            said.append(f"NOT AUDITED: nothing was told of {', '.join(self.skipped)}.")
        return [*said, *self.vulnerable]


def read(report: str) -> Audit:
    """What pip-audit has written as JSON."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audit(trouble="pip-audit did not come to an end")
    asked = [one for one in packages if "skip_reason" not in one]
    return Audit(
        vulnerable=tuple(
            f"{one['name']} {one['version']}: {vulnerability['id']}, mended in"
            f" {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
            for one in asked
            for vulnerability in one["vulns"]
        ),
        audited=len(asked),
        skipped=tuple(one["name"] for one in packages if "skip_reason" in one),
    )


def ask(program: str, lock: Path = LOCK) -> Audit:
    """Have pip-audit ask for everything in the lock file."""
    command = [program, "--requirement", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        end = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        return Audit(trouble="pip-audit is not installed")
    except subprocess.TimeoutExpired:
        return Audit(trouble=f"no answer within {PATIENCE:g} s")
    return read(end.stdout)


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit, and say what was found; the exit code."""
    parser = argparse.ArgumentParser(description="known vulnerabilities of what is locked")
    parser.add_argument("program", help="pip-audit, with its path")
    parser.add_argument("--required", action="store_true", help="not to know is a failure, too")
    chosen = parser.parse_args(arguments)
    found = ask(chosen.program)
    print(*found.sentences(), sep="\n")
    return found.exit_code(required=chosen.required)


if __name__ == "__main__":
    sys.exit(main())
