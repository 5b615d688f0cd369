"""What a PromQL expression selects, read off its text; promtool says whether it is one at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from probe.metrics import CATALOGUE
from probe.metrics.catalogue import Kind, Metric

_SELECTOR = re.compile(
    r"(?P<call>\w+\()?\b(?P<name>mailprobe_\w+|ALERTS\b|up\b)"
    r"(?:\{(?P<matchers>[^}]*)\})?(?:\[(?P<range>[^\]]+)\])?"
)
_MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"')
_PARTS = {"bucket": ("le",), "count": (), "sum": ()}


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector: a name, what it asks of labels, and what is made of it at once."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]  # Label, operator, value.
    range: str
    function: str  # The one whose only argument it is; or nothing.

    def values(self, label: str) -> list[str]:
        """What is asked of a label, with the operator before it."""
        return [f"{operator}{value}" for name, operator, value in self.matchers if name == label]


def selectors(expr: str) -> Iterator[Selector]:
    """All selectors of an expression."""
    for found in _SELECTOR.finditer(expr):
        matchers = _MATCHER.findall(found["matchers"] or "")
        call = (found["call"] or "").rstrip("(")
        yield Selector(found["name"], tuple(matchers), found["range"] or "", call)


def exported() -> dict[str, tuple[Metric, tuple[str, ...]]]:
    """Every series name that there can be: its metric, and its labels."""
    series = {}
    for metric in CATALOGUE:
        if metric.kind is Kind.HISTOGRAM:
            for part, more in _PARTS.items():
                series[f"{metric.name}_{part}"] = (metric, (*metric.labels, *more))
        else:
            series[metric.name] = (metric, metric.labels)
    return series
