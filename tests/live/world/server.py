"""A server as processes: started, watched, stopped, frozen and killed by their ids."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from tests.live.world.ground import LOOPBACK


class ServerMissing(Exception):
    """A server that the tests need is not on this machine; the text says how to get it."""


class ServerFailed(Exception):
    """A server did not do what it was told to; the text says what, and ends with its log."""


def wait_until(condition: Callable[[], bool], what: str, *, within: float = 10.0) -> None:
    """Return as soon as the condition holds; raises TimeoutError, which says what was awaited."""
    end = time.monotonic() + within
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {within:g} s: {what}")
        time.sleep(0.01)


def greets(host: str, port: int, greeting: bytes) -> bool:
    """Whether a server speaks first, and begins with these bytes; with none, whether it listens."""
    try:
        with socket.create_connection((host, port), timeout=5.0) as connection:
            return not greeting or connection.recv(len(greeting)) == greeting
    except OSError:
        return False


def is_ready(port: int) -> bool:
    """Whether a server on loopback says that it is ready, as those of Prometheus do over HTTP."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Server(ABC):
    """A daemon in the foreground of a session of its own, which tells all its processes."""

    def __init__(self, home: Path, *, binary: str, package: str) -> None:
        self.home = home
        self.log = home / "log"
        self._binary = binary
        self._package = package
        self._process: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {self.home.name}>"

    def start(self) -> None:
        """Start, and return when it answers."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start without waiting, so that several servers can come up at once."""
        if self._process is not None:
            raise ServerFailed(f"{self!r} is running already")
        if not shutil.which(self._binary):
            raise ServerMissing(
                f"{self._binary} is missing: it comes with the Debian package {self._package}; "
                "`make test` installs it"
            )
        if os.geteuid() != 0:
            raise ServerFailed(f"{self!r} starts as root only: `sudo make test` runs the tests so")
        self._configure()
        # A file, never a pipe: daemons keep it open, and a reader would wait for ever.
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._binary, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self) -> None:
        """Return when it answers."""
        self.expect(lambda: not self._is_running() or self._is_ready(), "it answers")
        if not self._is_running():
            raise ServerFailed(f"{self!r} ended at once:\n{self.log_end()}")

    def stop(self) -> None:
        """End it as its init script would, and what is left of it after 3 s by force."""
        if self._process is None:
            return
        self._process.terminate()
        self.resume()  # A stopped process does not hear SIGTERM.
        with suppress(TimeoutError):
            wait_until(lambda: not self._is_running() and not self.processes(), "end", within=3.0)
        self.kill()

    def kill(self) -> None:
        """End all its processes at once, as a power cut would."""
        if self._process is None:
            return
        self.signal(signal.SIGKILL)
        self._process.wait()
        self.expect(lambda: not self.processes(), "its processes are gone")
        self._process = None

    def pause(self) -> None:
        """Freeze it: the kernel still accepts connections, nobody answers."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals, *, command: str = "") -> None:
        """Send a signal to its processes, all of them or those that run this command."""
        for process in self.processes(command=command):
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def hang_up(self, *, command: str = "") -> None:
        """Send SIGHUP to its first process; return when the others have made way for new ones.

        Until then they may still serve by what they knew before. Where some of them stay,
        `command` tells which do not.
        """
        if self._process is None:
            raise ServerFailed(f"{self!r} does not run, so it cannot reload")
        old = set(self.processes(command=command)) - {self._process.pid}
        self._process.send_signal(signal.SIGHUP)
        self.expect(lambda: old.isdisjoint(self.processes()), "its old processes leave")

    def processes(self, *, command: str = "") -> list[int]:
        """The ids of its living processes, all of them or those that run this command."""
        if self._process is None:
            return []
        session = self._process.pid
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                name, state, of_session = _stat(stat.read_text(errors="replace"))
                if of_session == session and state not in "ZX" and command in ("", name):
                    found.append(int(stat.parent.name))
        return found

    def expect(self, condition: Callable[[], bool], what: str, *, within: float = 10.0) -> None:
        """Return as soon as the condition holds; ServerFailed tells what was awaited."""
        try:
            wait_until(condition, what, within=within)
        except TimeoutError as late:
            raise ServerFailed(f"{self!r}: {late}\n{self.log_end()}") from None

    def log_end(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-20:])

    def _is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @abstractmethod
    def _configure(self) -> None:
        """Write its files."""

    @abstractmethod
    def _arguments(self) -> Sequence[str]:
        """What follows the binary on the command line."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether it answers."""


def _stat(line: str) -> tuple[str, str, int]:
    """Command, state and session of a line of /proc/PID/stat (proc(5))."""
    name, _, rest = line.partition("(")[2].rpartition(")")
    fields = rest.split()
    return name, fields[0], int(fields[3])
