"""What keeps a journal's file safe: a lock against a second process, and never deleting it."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path


class Trouble(Exception):
    """The file cannot be read or written as things are; the text says why."""


class JournalRefused(Trouble):
    """The journal is not ours to write, and will not be until somebody changes that."""


class JournalLocked(JournalRefused):
    """Another process has the journal; the text names it."""


class JournalForbidden(JournalRefused):
    """No file of ours can be there, which does not pass by itself; the text names it."""


class Unfit(Exception):
    """The file is no journal of ours: `kind` says in one word why, the text in more."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class FileLock:
    """An exclusive lock on a file of its own, which the kernel lets go of when we die."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock if we have it not yet. Raises JournalRefused, Trouble."""
        if self._file is not None:
            return
        file = self._open()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise JournalLocked(f"another process holds the lock {self._path}") from None
        except OSError as error:
            os.close(file)
            raise Trouble(f"cannot lock {self._path}: {error.strerror}") from error
        self._file = file

    def release(self) -> None:
        """Let go; the file stays, since removing it would let two processes in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            try:
                return os.open(self._path, os.O_RDONLY)  # Enough to lock it, on a read-only disk.
            except OSError:
                raise self._closed(error) from error

    def _closed(self, error: OSError) -> Trouble:
        if isinstance(error, PermissionError):
            us = f"as user {os.geteuid()}"
            return JournalForbidden(f"cannot open {self._path} {us}: {error.strerror}")
        return Trouble(f"cannot open {self._path}: {error.strerror}")


def set_aside(path: Path, kind: str) -> Path:
    """Rename a database and its companions to NAME.KIND-TIME; the new name. Raises Trouble."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    name = f"{path.name}.{kind}-{stamp}"
    target, copy = path.with_name(name), 1
    while target.exists():
        target, copy = path.with_name(f"{name}-{copy}"), copy + 1
    try:
        for suffix in ("-wal", "-shm", ""):  # The database last: until then it can be repeated.
            if (old := Path(f"{path}{suffix}")).exists():
                old.rename(f"{target}{suffix}")
    except OSError as error:
        raise Trouble(f"cannot set {path} aside: {error.strerror}") from error
    return target
