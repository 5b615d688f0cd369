"""A complete file with comments, made from the types of file.py."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from probe.config.file import File, Route
from probe.config.shape import Kind, as_section

_NAMES = {"relays": "pool", "senders": "shop", "mailboxes": "corp"}
_REQUIRED = frozenset({"tag_key"})
_WIDTH = 96
_HEAD = """\
The configuration of mailprobe, in YAML 1.2 (JSON is YAML too). A key that is commented out \
shows its default or, where there is none, an example. Every value can also come from the \
environment: MAILPROBE_RELAYS__POOL__PASSWORD wins over relays: pool: password here. \
Nothing is replaced in values: a $ is a $.
"""


def example() -> str:
    """The text of the file. It is a good configuration as it stands."""
    head = textwrap.wrap(_HEAD, _WIDTH, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([*head, "", *_section(File, "")]).rstrip() + "\n"


def _section(kind: Kind, indent: str) -> list[str]:
    """The lines of a mapping's keys; at the top, with a line between them."""
    defaults = kind.model_construct().model_dump(mode="json", warnings=False)
    lines: list[str] = []
    for key, field in kind.model_fields.items():
        lines += _prose(field, indent, known=_has_default(key, field, defaults.get(key)))
        lines += _key(key, field, defaults.get(key), indent)
        lines += [] if indent else [""]
    return lines


def _key(key: str, field: FieldInfo, default: Any, indent: str) -> list[str]:
    """The lines of one key: live where it must be there, else commented out."""
    section = as_section(field.annotation)
    entry = (
        as_section(get_args(field.annotation)[1]) if get_origin(field.annotation) is dict else None
    )
    if section is not None:
        inner = _section(section, f"{indent}  ")
        nested = field.is_required() or field.default_factory is not None
        return _block(key, inner if nested else _commented(inner), indent)
    if entry is not None:
        inner = _section(entry, f"{indent}    ")
        return [f"{indent}{key}:", *_block(_NAMES[key], inner, f"{indent}  ")]
    if key == "routes":
        return [f"{indent}#{key}: [{{{_route()}}}]"]
    value = default if default not in (None, []) else field.examples[0] if field.examples else ""
    return [f"{indent}{'' if _is_live(key, field) else '#'}{key}: {_written(value)}"]


def _block(key: str, inner: list[str], indent: str) -> list[str]:
    """A mapping, live if anything in it is: one without a value would be an error."""
    live = any(not line.lstrip().startswith("#") for line in inner)
    return [f"{indent}{'' if live else '#'}{key}:", *inner]


def _commented(lines: list[str]) -> list[str]:
    """The lines of a mapping that is left out."""
    return [re.sub(r"^( *)(?! |#)", r"\1#", line) for line in lines]


def _prose(field: FieldInfo, indent: str, *, known: bool) -> list[str]:
    start = f"{indent}# "
    text = f"{field.description}{'' if known else ' For example:'}"
    return textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=start)


def _is_live(key: str, field: FieldInfo) -> bool:
    return field.is_required() or key in _REQUIRED


def _has_default(key: str, field: FieldInfo, default: Any) -> bool:
    """Whether the line needs no word that it is an example."""
    nested = field.default_factory is not None
    return _is_live(key, field) or nested or default not in (None, [])


def _route() -> str:
    fields = Route.model_fields.items()
    return ", ".join(f"{key}: {field.examples[0]}" for key, field in fields if field.examples)


def _written(value: Any) -> str:
    """The value in YAML."""
    return json.dumps(value) if isinstance(value, (list, bool)) else str(value)
