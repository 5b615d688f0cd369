"""What is wrong with a configuration, in words that never hold a secret.

A value is quoted only where it has the shape of what belongs there: a password that was pasted
into the wrong line has not.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

Path = tuple[str | int, ...]

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|[0-9]{1,3}|<<")
_SECRET_KEY = re.compile(r"pass|key|secret|token", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where."""

    place: str
    message: str

    def __str__(self) -> str:
        """The problem as one line."""
        return f"{self.place}: {self.message}"


class ConfigError(Exception):
    """Everything that is wrong with a configuration, at once."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(map(str, problems)))


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a path of keys; where that is written is not known yet."""

    path: Path
    message: str


def dotted(path: Path) -> str:
    """The path as people write it, entries of lists counted from 1.

    What does not look like a key, or stands below a secret, may be a secret that lacks its key.
    """
    parts: list[str] = []
    secret = False
    for part in path:
        hidden = isinstance(part, str) and (not _KEY.fullmatch(part) or (secret and part != "file"))
        parts.append("…" if hidden else str(part + 1) if isinstance(part, int) else part)
        secret = secret or (isinstance(part, str) and _SECRET_KEY.search(part) is not None)
    return ".".join(parts)


def but(value: str, shape: str) -> str:
    """`, not 'VALUE'` where all of the value has the shape of a harmless mistake, else nothing."""
    return f", not '{value}'" if re.fullmatch(shape, value) else ""


def nearest(key: str, known: Iterable[str]) -> str | None:
    """Which of the known ones was probably meant."""
    near = difflib.get_close_matches(key.lower(), sorted(known), n=1, cutoff=0.5)
    return near[0] if near else None


def suggestion(key: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or what there is, or nothing where there is nothing."""
    names = sorted(known)
    if near := nearest(key, names):
        return f"; did you mean '{near}'?"
    return f"; there is {', '.join(names)}" if names else ""
