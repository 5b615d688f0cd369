"""How metrics are written: the text format 0.0.4 and OpenMetrics 1.0."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

from probe.metrics.catalogue import Kind, Metric

_LONGEST_LABEL = 255


class Format(StrEnum):
    """A way to write metrics, as its content type."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


Names = tuple[str, ...]
Writing = Callable[[Format], Iterator[str]]  # Numbers of one moment, ready to be written.


def negotiate(accept: str) -> Format:
    """The format for an Accept header: OpenMetrics 1.0 where it is asked for, else text."""
    if any(_wants_openmetrics(entry) for entry in accept.lower().split(",")):
        return Format.OPENMETRICS
    return Format.TEXT


def _wants_openmetrics(entry: str) -> bool:
    media, *parameters = (part.strip() for part in entry.split(";"))
    named = dict(part.split("=", 1) for part in parameters if "=" in part)
    return (
        media == "application/openmetrics-text"
        and named.get("version", "1.0.0").strip('"') == "1.0.0"
        and named.get("q", "1").strip("0.") != ""
    )


def escape(value: str) -> str:
    """A label value as it stands between quotes: bounded, and valid UTF-8 whatever it was."""
    sound = value[:_LONGEST_LABEL].encode("utf-8", "backslashreplace").decode()
    return sound.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def pairs(names: Iterable[str], values: Iterable[str]) -> str:
    """Labels as they stand between braces."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in zip(names, values, strict=True))


def number(value: float) -> str:
    """A sample's value."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"


def headline(metric: Metric, form: Format) -> str:
    """The HELP and TYPE lines. In OpenMetrics a counter's family has no `_total`."""
    name = metric.name
    if form is Format.OPENMETRICS and metric.kind is Kind.COUNTER:
        name = name.removesuffix("_total")
    return f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n"
