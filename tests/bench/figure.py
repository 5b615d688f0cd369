"""What a measurement came to, and whether that is what we want."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table."""

    what: str
    measured: str
    aim: str = ""
    met: bool | None = None  # None: there is no aim.
    failed: bool = False  # It could not be measured.


def at_most(what: str, value: float, aim: float, unit: str, note: str = "") -> Figure:
    """A figure that should be less than `aim`."""
    measured = f"{spelled(value)} {unit}" + (f" ({note})" if note else "")
    return Figure(what, measured, f"< {aim:g} {unit}", value < aim)


def spelled(value: float) -> str:
    """A number with three digits that matter."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed; NaN for none."""
    if not values:
        return math.nan
    return sorted(values)[min(len(values) - 1, math.ceil(share * len(values)) - 1)]
