"""Lengths of time, for people."""

from __future__ import annotations

_UNITS = (("d", 86400.0), ("h", 3600.0), ("min", 60.0))


def in_words(seconds: float) -> str:
    """A length of time (s), as exact as it matters; less than nothing is nothing."""
    for unit, length in _UNITS:
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
