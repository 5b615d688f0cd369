"""An LMTP server that refuses every recipient: what was accepted before it bounces."""

from __future__ import annotations

from collections.abc import Sequence

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server, greets


class RefusingSink(Server):
    """Postfix's smtp-sink, which says 550 to every RCPT."""

    def __init__(self, world: World, reply: str = "550 5.1.1 nobody of this name") -> None:
        super().__init__(world.folder("sink"), binary="/usr/sbin/smtp-sink", package="postfix")
        self.port = world.port()
        self._reply = reply

    def _configure(self) -> None:
        pass

    def _arguments(self) -> Sequence[str]:
        refusal = ["-f", "RCPT", "-B", self._reply]
        return ["-u", "postfix", "-L", *refusal, f"{LOOPBACK}:{self.port}", "100"]

    def _is_ready(self) -> bool:
        return greets(LOOPBACK, self.port, b"220")
