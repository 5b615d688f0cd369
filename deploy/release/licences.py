"""`python deploy/release/licences.py`: the licences of all that is installed to run mailprobe.

What its metadata say is brought to SPDX expressions. The exit code is 1 if one of them cannot be
combined with GPL-3.0-or-later, or is not known here: then somebody has to read it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements-run.lock"

# Those with which a whole may be distributed under the GPL, version 3.
COMPATIBLE = frozenset(
    {
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "GPL-3.0-only",
        "GPL-3.0-or-later",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Zlib",
    }
)
# What the metadata of some call them.
_NAMES = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_READ = {"dkimpy": "Zlib"}  # Its metadata say "BSD-like", its LICENSE is that of zlib.


@dataclass(frozen=True, slots=True)
class Licence:
    """Of one package; no expression: it is not installed on this platform."""

    package: str
    version: str
    expression: str | None

    @property
    def is_compatible(self) -> bool:
        """Whether all that it demands can be met under the GPL."""
        return self.expression is None or compatible(self.expression)


def compatible(expression: str) -> bool:
    """Whether one of the alternatives of an SPDX expression has nothing but compatible parts."""
    alternatives = expression.replace("(", "").replace(")", "").split(" OR ")
    return any(set(one.split(" AND ")) <= COMPATIBLE for one in alternatives)


def licences(lock: Path = LOCK) -> Iterator[Licence]:
    """Of everything in the lock file."""
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.MULTILINE):
        try:
            yield Licence(name, version, expression(name, metadata(name)))  # type: ignore[arg-type]
        except PackageNotFoundError:
            yield Licence(name, version, None)


def expression(name: str, known: Message) -> str:
    """What the metadata say, as an SPDX expression if it can be told."""
    if name in _READ:
        return _READ[name]
    if spdx := known.get("License-Expression"):
        return spdx
    classifiers = known.get_all("Classifier") or []
    said = [one.split(" :: ")[-1] for one in classifiers if one.startswith("License ::")]
    said.append((known.get("License") or "").strip())
    told = [_NAMES.get(one, one) for one in said]
    return next((one for one in told if one in COMPATIBLE), told[-1][:40] or "unknown")


def main() -> int:
    """Print the list; the exit code."""
    found = [*licences()]
    for one in found:
        note = "" if one.is_compatible else "   <- cannot be combined with GPL-3.0-or-later"
        print(f"{one.package} {one.version}: {one.expression or 'not installed here'}{note}")
    return int(not all(one.is_compatible for one in found))


if __name__ == "__main__":
    sys.exit(main())
