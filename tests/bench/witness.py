"""An LMTP proxy that notes when the mailbox said 250: `python -m tests.bench.witness PORT TO FILE`.

For each message it writes a line with the token in it and the Unix time of the reply.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from pathlib import Path
from typing import TextIO

_TOKEN = re.compile(rb"token=([a-z2-7]{66})")
_LIMIT = 65536


class Witness:
    """Passes one connection on, in both directions."""

    def __init__(self, notes: TextIO) -> None:
        self._notes = notes
        self._sent = b""  # By the client, since the last message was taken.

    async def pass_on(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter, port: int
    ) -> None:
        """Until one of the two goes away."""
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", port)
        except OSError:  # The mailbox is not there yet.
            to_client.close()
            return
        there = asyncio.ensure_future(self._there(client, to_server))
        try:
            while said := await server.read(_LIMIT):
                now = time.time()
                to_client.write(said)
                self._note(said, now)
        finally:
            there.cancel()
            to_client.close()
            to_server.close()

    async def _there(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter) -> None:
        while said := await client.read(_LIMIT):
            self._sent += said
            to_server.write(said)
        to_server.write_eof()

    def _note(self, said: bytes, now: float) -> None:
        found = _TOKEN.search(self._sent)
        if found and b"Saved" in said:  # Dovecot's 250 to a message.
            self._sent = b""
            self._notes.write(f"{found[1].decode()} {now}\n")


async def _serve(port: int, to: int, file: Path) -> None:
    with file.open("w", buffering=1) as notes:
        server = await asyncio.start_server(
            lambda reader, writer: Witness(notes).pass_on(reader, writer, to), "127.0.0.1", port
        )
        async with server:
            await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
