"""The log: one line for each record, as logfmt or JSON, whatever text it is made of.

Fields are given as `log.info("settled", extra={"fields": {"route": key, "seconds": 0.2}})`.
"""

from __future__ import annotations

import json
import logging
import math
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import TextIO, assert_never

from probe.core.rfc3339 import rfc3339

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("logfmt", "json")

_OURS = "probe"
# Below WARNING these write down whole dialogues, passwords too.
_LIBRARIES = ("aiohttp", "aioimaplib", "aiosmtplib", "asyncio")

_LONGEST = 16_384  # Characters of a value.
_LARGEST = 2**63  # What a JSON reader may be expected to take for an integer.
_OF_EVERY_LINE = ("ts", "level", "logger", "msg", "error", "stack")
_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_.]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NEEDS_QUOTES = re.compile(r'[\s"=\\]')

_Value = str | int | float | None


def configure(level: str, format: str, stream: TextIO | None = None) -> None:  # noqa: A002
    """Write our records from `level` on, and warnings of libraries, to `stream` (or stderr)."""
    if level not in LEVELS:
        raise ValueError(f"log level {level!r}: must be one of {', '.join(LEVELS)}")
    if format not in FORMATS:
        raise ValueError(f"log format {format!r}: must be one of {', '.join(FORMATS)}")
    output = _Output(stream or sys.stderr)
    output.setFormatter(_Json() if format == "json" else _Logfmt())
    output.addFilter(_is_fit)
    root = logging.getLogger()
    for former in [handler for handler in root.handlers if isinstance(handler, _Output)]:
        root.removeHandler(former)
    root.addHandler(output)
    logging.getLogger(_OURS).setLevel(level.upper())
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Output(logging.StreamHandler[TextIO]):
    """Where the lines go."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """A full disk or a closed pipe costs the line: there is nobody left to be told."""


def _is_fit(record: logging.LogRecord) -> bool:
    """Whether a record is ours, or at least a warning: libraries may reset their own levels."""
    return f"{record.name}.".startswith(f"{_OURS}.") or record.levelno >= logging.WARNING


class _Logfmt(logging.Formatter):
    """`ts=… level=info logger=probe.engine.reaper msg=settled route=… seconds=0.2`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return " ".join(f"{key}={_logfmt(value)}" for key, value in _line(record).items())


class _Json(logging.Formatter):
    """One object, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return json.dumps(_line(record))


def _line(record: logging.LogRecord) -> dict[str, _Value]:
    """What a record says, in order. A field never takes the place of what every line has."""
    line: dict[str, _Value] = {
        "ts": rfc3339(record.created, precision="milliseconds"),
        "level": record.levelname.lower(),
        "logger": _text(lambda: record.name),
        "msg": _text(record.getMessage),
    }
    fields = getattr(record, "fields", {})
    for key, value in fields.items() if isinstance(fields, Mapping) else (("fields", fields),):
        line[_key(key)] = _value(value)
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        line["error"] = _text(lambda: "".join(traceback.format_exception(error)))
    if record.stack_info:
        line["stack"] = _text(lambda: record.stack_info)
    return line


def _key(key: object) -> str:
    name = _NOT_IN_KEYS.sub("_", _text(lambda: key)) or "_"
    return f"{name}_" if name in _OF_EVERY_LINE else name


def _value(value: object) -> _Value:
    """Numbers as numbers where JSON has them, all else as text."""
    match value:
        case None | bool():
            return value
        case int() if -_LARGEST <= value < _LARGEST:
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case _:
            return _text(lambda: value)


def _text(give: Callable[[], object]) -> str:
    """What `give` gives as sound and bounded text, even if it raises: a line must be written."""
    try:
        text = str(give())
    except Exception as error:
        text = f"<not printable: {type(error).__name__}>"
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text[:_LONGEST])


def _logfmt(value: _Value) -> str:
    """A value on one line: quoted where it must be, with everything unprintable escaped."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            if value and value.isprintable() and not _NEEDS_QUOTES.search(value):
                return value
            quoted = json.dumps(value, ensure_ascii=False)
            return "".join(c if c.isprintable() else _escaped(c) for c in quoted)
        case _:
            assert_never(value)


def _escaped(character: str) -> str:
    """One character in ASCII."""
    return character.encode("unicode_escape").decode()
