"""Moments as text (RFC 3339)."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(moment: float, *, precision: str = "seconds") -> str:
    """A Unix time as UTC text, cut to `precision` (`seconds` or `milliseconds`)."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec=precision)
    return text.replace("+00:00", "Z")
