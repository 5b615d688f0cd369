"""Passwords and keys, from the configuration itself or from a file; both fulfil ports.Secret."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from probe.ports import Secret, SecretUnreadable

MAX_BYTES = 64 * 1024

_PATH = re.compile(r"\.{0,2}/[\x21-\x7e]+")  # What is not one may be the secret itself.


@dataclass(frozen=True, slots=True)
class LiteralSecret:
    """A secret that stands in the configuration or the environment."""

    value: SecretStr

    def read(self) -> str:
        """The secret."""
        return self.value.get_secret_value()


@dataclass(frozen=True, slots=True, repr=False)
class FileSecret:
    """A secret that is read from its file each time, without the newline at its end."""

    path: Path

    def __repr__(self) -> str:
        """The file, if its name is one and not a secret that was written in its place."""
        return f"FileSecret({self.shown})"

    @property
    def shown(self) -> str:
        """The file's name for messages."""
        return f"'{self.path}'" if _PATH.fullmatch(str(self.path)) else "the secret file"

    def read(self) -> str:
        """The secret as it is now. Raises SecretUnreadable."""
        content = self._content()
        if len(content) > MAX_BYTES:
            raise SecretUnreadable(f"{self.shown} is longer than {MAX_BYTES} bytes")
        if not (secret := _decoded(content)):
            raise SecretUnreadable(
                f"{self.shown} is {'not UTF-8 text' if secret is None else 'empty'}"
            )
        return secret

    def _content(self) -> bytes:
        reason: str
        try:
            # Without O_NONBLOCK a named pipe would hold us until somebody writes to it.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return file.read(MAX_BYTES + 1)
                reason = "not a regular file"
        except OSError as error:
            reason = error.strerror or type(error).__name__
        except ValueError:
            reason = "its name holds a NUL character"
        raise SecretUnreadable(f"{self.shown} cannot be read: {reason}")


def secret(value: object, *, least: int = 1) -> Secret:
    """The secret that is meant, proven readable and of `least` characters. Raises ValueError."""
    found = _meant(value)
    problem = ""
    try:
        if len(found.read()) < least:
            problem = f"must have at least {least} characters; try `openssl rand -hex 32`"
    except SecretUnreadable as unreadable:
        problem = str(unreadable)
    if problem:
        raise ValueError(problem)
    return found


def _meant(value: object) -> Secret:
    if isinstance(value, dict) and set(value) == {"file"} and isinstance(value["file"], str):
        return FileSecret(Path(value["file"]))
    if not isinstance(value, str):
        raise ValueError("must be the secret itself, or {file: PATH}")
    if not value:
        raise ValueError("is empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("is not UTF-8 text")
    return LiteralSecret(SecretStr(value))


def _decoded(content: bytes) -> str | None:
    """The text without one newline at its end; None where it is not UTF-8."""
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    return text.removesuffix("\n").removesuffix("\r")
