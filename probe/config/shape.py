"""Which keys there are in which place of the file, asked of the types."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from probe.config.file import File
from probe.config.problem import Path, suggestion
from probe.config.section import Section
from probe.ports import Secret

Kind = type[File] | type[Section]

LATER = "is not available in this version"


def kind_at(path: Path) -> Any:
    """The type of what belongs at this path, or None where nothing does."""
    kind: Any = File
    for key in path:
        if (section := as_section(kind)) is not None:
            known = section.model_fields.get(str(key))
            kind = known.annotation if known else None
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        elif get_origin(kind) is tuple:
            kind = get_args(kind)[0]
        else:
            return None
    return kind


def as_section(kind: Any) -> Kind | None:
    """The type, if it is a mapping with keys of its own, which may be left out."""
    kinds = [each for each in get_args(kind) if each is not NoneType] or [kind]
    found = kinds[0] if len(kinds) == 1 else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None  # type: ignore[return-value]


def is_secret(path: Path) -> bool:
    """Whether a password or a key belongs at this path."""
    kinds = [kind_at(path)]  # It may be one of several, and annotated.
    while kinds and Secret not in kinds:
        kinds = [inner for kind in kinds for inner in get_args(kind)]
    return bool(kinds)


def unknown(path: Path) -> str:
    """What to say about a key that does not belong here."""
    section = as_section(kind_at(path[:-1]))
    key = str(path[-1])
    if section is None:
        return "does not belong here"
    if key == "<<":
        return "merge keys are not part of YAML 1.2"
    if key in section.later:
        return LATER
    return f"unknown key{suggestion(key, section.model_fields)}"


def variables() -> Iterator[str]:
    """The paths with `__` of all values that need no name of a relay, sender or mailbox."""
    yield from _values(File, "")


def _values(kind: Kind, before: str) -> Iterator[str]:
    for key, value in kind.model_fields.items():
        if (section := as_section(value.annotation)) is not None:
            yield from _values(section, f"{before}{key}__")
        elif get_origin(value.annotation) is not dict:
            yield f"{before}{key}"
