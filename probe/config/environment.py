"""What comes from outside of the file: variables of the environment, and `secrets_dir`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, cast

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from probe.config.document import Tree
from probe.config.file import PREFIX, File
from probe.config.problem import Finding, Path, nearest
from probe.config.shape import LATER, is_secret, variables

NAMED = ("relays", "senders", "mailboxes")

_DELIMITER = "__"
_OTHERS = ("CONFIG", "HEALTHCHECK_URL", "REVISION")  # What the command line reads.
_NOT_OURS = ("PORT", "SERVICE_")  # What Kubernetes sets for a Service of our name.


@dataclass(frozen=True, slots=True)
class Layer:
    """A part of the configuration that does not come from the file."""

    tree: dict[str, Tree] = field(default_factory=dict)
    origins: dict[Path, str] = field(default_factory=dict)  # Where each value is from.
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()

    def below(self, path: Path) -> str:
        """Where something at or below this path is from, or nothing."""
        return next((o for p, o in self.origins.items() if p[: len(path)] == path), "")


def environment(environ: Mapping[str, str]) -> Layer:
    """What the variables say, each a text at its path."""
    origins: dict[Path, str] = {}
    known: dict[str, str] = {}
    findings: list[Finding] = []
    warnings: list[str] = []
    for name in sorted(filter(_is_ours, environ)):
        path: Path = tuple(_rest(name).split(_DELIMITER))
        if any(str(part).isdecimal() for part in path):
            origins[path] = name
            findings.append(Finding(path, "a variable cannot reach into a list: use the file"))
        elif path[0] in File.model_fields:
            origins[path] = name
            known[name.lower()] = environ[name]
        elif len(path) > 1:
            origins[path] = name
            findings.append(Finding(path, _unknown(path)))
        else:
            warnings.append(f"{name}: {_unknown(path)}")
    return Layer(_Variables(known)(), origins, tuple(findings), tuple(warnings))


def secrets_dir(directory: str, tree: Mapping[str, Tree]) -> Layer:
    """The secrets of this tree whose files lie in the directory, to be read when needed."""
    found: dict[str, Tree] = {}
    origins: dict[Path, str] = {}
    warnings: list[str] = []
    try:
        names = sorted(entry.name for entry in FilePath(directory).iterdir())
    except (OSError, ValueError):
        return Layer(findings=(Finding(("secrets_dir",), "is not a directory we can read"),))
    for name in names:
        path: Path = tuple(name.split(_DELIMITER))
        file = str(FilePath(directory) / name)
        if is_secret(path) and (len(path) == 1 or path[1] in tree.get(str(path[0]), ())):
            origins[path] = file
            _put(found, path, {"file": file})
        elif path[0] in File.model_fields and len(path) > 1:
            warnings.append(f"{file}: is not used; no secret of the configuration has this name")
    return Layer(found, origins, (), tuple(warnings))


def merged(over: Mapping[str, Tree], under: Mapping[str, Tree]) -> dict[str, Tree]:
    """Both trees; where both have a value, the first one's."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        result[key] = merged(cast(Any, value), cast(Any, below)) if both else value
    return result


class _Variables(EnvSettingsSource):
    """Lays variables out by their names, and leaves their values as they are.

    As it comes it reads JSON in some places, which would make a number of a password of digits.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        super().__init__(File)
        self.env_vars = known

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """The text."""
        return value


def _is_ours(name: str) -> bool:
    rest = name.removeprefix(PREFIX)
    return name.startswith(PREFIX) and rest not in _OTHERS and not rest.startswith(_NOT_OURS)


def _rest(name: str) -> str:
    return name.removeprefix(PREFIX).lower()


def _unknown(path: Path) -> str:
    """What is wrong with a variable whose first part is no key of the file."""
    if path[0] in File.later:
        return LATER
    first, *rest = map(str, path)
    near = nearest(first, File.model_fields if rest else [*variables(), *File.model_fields])
    meant = f"{PREFIX}{_DELIMITER.join([near, *rest]).upper()}" if near else ""
    return "unknown variable" + (f"; did you mean '{meant}'?" if near else "")


def _put(tree: dict[str, Tree], path: Path, value: Tree) -> None:
    for key in path[:-1]:
        tree = cast(Any, tree.setdefault(str(key), {}))
    tree[str(path[-1])] = value
