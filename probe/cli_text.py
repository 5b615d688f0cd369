"""Text that strangers wrote, on its way to a terminal."""

from __future__ import annotations

import sys


def printable(text: str) -> str:
    """The text fit for a terminal and for one line: no control characters, nothing unencodable."""
    encoding = sys.stdout.encoding or "ascii"
    visible = "".join(c if c.isprintable() else "?" for c in text)
    return visible.encode(encoding, "backslashreplace").decode(encoding)
