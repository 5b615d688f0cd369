"""The ground that the servers of a test stand on: a directory, free ports, and an end."""

from __future__ import annotations

import random
import shutil
import socket
import tempfile
from contextlib import ExitStack
from itertools import chain, count
from pathlib import Path
from typing import Protocol, TypeVar

LOOPBACK = "127.0.0.1"
PORTS = range(22500, 23000)  # Below those that the kernel gives to outgoing connections.


class Startable(Protocol):
    """Whatever is started, and ended with the world."""

    def start(self) -> None:
        """Start, and return when it answers."""

    def kill(self) -> None:
        """End it at once, if it runs."""


AnyStartable = TypeVar("AnyStartable", bound=Startable)


class World:
    """A directory that is gone at the end, ports of our own, and the servers that use them."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        # Servers run as users of their own, who cannot enter pytest's tmp_path.
        self.directory = Path(tempfile.mkdtemp(prefix="mailprobe-"))
        self.directory.chmod(0o755)
        self._ends.callback(shutil.rmtree, self.directory, ignore_errors=True)

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    def run(self, server: AnyStartable) -> AnyStartable:
        """Start a server, and end it with the world."""
        self._ends.callback(server.kill)
        server.start()
        return server

    def folder(self, name: str) -> Path:
        """A new directory, `name` or `name-2` and so on, that every user may enter."""
        numbered = (self.directory / f"{name}-{number}" for number in count(2))
        folder = next(
            path for path in chain((self.directory / name,), numbered) if not path.exists()
        )
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def port(self, *addresses: str) -> int:
        """A port that is free on all these addresses, and is ours until the end."""
        for port in random.sample(PORTS, len(PORTS)):
            if self._claim(port) and all(_is_free(host, port) for host in addresses or (LOOPBACK,)):
                return port
        raise OSError(f"no port of {PORTS} is free on {', '.join(addresses)}")

    def _claim(self, port: int) -> bool:
        # The name of an abstract socket can be taken once on a machine, and is let go with the
        # process whatever becomes of it: so two runs of the tests never take the same port.
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0mailprobe-port-{port}")
        except OSError:
            claim.close()
            return False
        self._ends.callback(claim.close)
        return True


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tcp.bind((host, port))
            udp.bind((host, port))
        except OSError:
            return False
    return True
