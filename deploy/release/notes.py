"""`python deploy/release/notes.py VERSION`: what CHANGELOG.md says of a version."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def sections(changelog: str) -> dict[str, str]:
    """The text of each version, without its heading."""
    parts = re.split(r"^## (\S+).*$", changelog, flags=re.MULTILINE)
    return dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True))


def main() -> int:
    """Print the notes of the version that is asked for; the exit code."""
    version = sys.argv[1].removeprefix("v") if len(sys.argv) == 2 else ""
    known = sections(CHANGELOG.read_text(encoding="utf-8"))
    if not known.get(version):
        print(f"CHANGELOG.md says nothing of version '{version}', but of {', '.join(known)}.",
              file=sys.stderr)  # fmt: skip
        return 1
    print(known[version])
    return 0


if __name__ == "__main__":
    sys.exit(main())
