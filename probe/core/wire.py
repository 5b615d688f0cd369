"""Hostile text made safe to store, log and show."""

from __future__ import annotations


def clean(text: str, limit: int) -> str:
    """`text` on one line, without control characters and surrogates, at most `limit` long."""
    kept = "".join(c if c.isprintable() else " " for c in text[: 8 * limit])
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
