"""The tree of texts to the types of file.py, with everything that is wrong, in our words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from probe.config.document import Tree, copied
from probe.config.file import File
from probe.config.problem import Finding, Path
from probe.config.shape import unknown

_WORDS = {
    "missing": "is missing",
    "model_type": "must be a mapping, of keys and values",
    "dict_type": "must be a mapping, of keys and values",
}


def validated(
    tree: dict[str, Tree], known: tuple[Finding, ...]
) -> tuple[File, tuple[Finding, ...]]:
    """The tree as types, and what is wrong with it, first what is known to be.

    What is wrong is cut out until the rest is right, so that the rest can be judged too.
    """
    rest = cast(dict[str, Tree], copied(tree))
    found = list(known)
    for key in [key for key in tree if key not in File.model_fields]:
        found.append(Finding((key,), unknown((key,))))
        del rest[key]
    while True:
        errors = _errors(rest)
        if isinstance(errors, File):
            return errors, tuple(found)
        for error in errors:
            path = tuple(part for part in error["loc"] if part != "[key]")
            missing = error["type"] == "missing"
            if not (missing and any(each.path[: len(path)] == path for each in found)):
                found.append(Finding(path, _message(error, path)))
            _cut(rest, path[:-1] if missing else path)


def _errors(tree: dict[str, Tree]) -> File | Sequence[ErrorDetails]:
    """The types, or why not. No error leaves here with the values in it."""
    try:
        return File(**cast(Any, tree))
    except ValidationError as error:
        return error.errors(include_input=False, include_url=False)


def _message(error: ErrorDetails, path: Path) -> str:
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "extra_forbidden":
            return unknown(path)
        case other:
            return _WORDS[other]


def _cut(tree: Tree, path: Path) -> None:
    """Take away what is at the path; of a list that it leads into, all; if it is gone, nothing."""
    owner: dict[str, Tree] | None = None
    last = ""
    for part in path:
        if isinstance(tree, dict) and part in tree:
            owner, last = tree, str(part)
            tree = tree[last]
        elif isinstance(tree, list) and isinstance(part, int):
            tree = tree[part]
        else:
            return
    if owner is not None:
        del owner[last]
