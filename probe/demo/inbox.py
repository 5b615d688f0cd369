"""The demo's mailbox: an IMAP server in this process, in memory, by pymap.

pymap's own listener loses its connections on Python 3.13, where nothing but a task that nobody
refers to holds them; so its protocol is served here by a listener of ours. And its UID SEARCH
takes a bare set of numbers for UIDs, where they are the messages' sequence numbers.
"""

from __future__ import annotations

import asyncio
import ssl
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from proxyprotocol.result import ProxyResultLocal
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pymap.parsing.command.select import UidSearchCommand
from pymap.parsing.message import AppendMessage


class _UidSearch(UidSearchCommand):
    """UID SEARCH, in which only what follows the key UID are UIDs (RFC 3501 6.4.8)."""

    @classmethod
    def parse(cls, buf: memoryview, params: Any) -> Any:
        """The command as SEARCH is parsed."""
        return super(UidSearchCommand, cls).parse(buf, params)


@dataclass(frozen=True, slots=True)
class Inbox:
    """A mailbox with one folder, INBOX, and where its server listens."""

    username: str
    port: int
    login: Any  # pymap's.

    async def deliver(self, message: bytes) -> None:
        """Append a message; whoever IDLEs is told at once."""
        user = Namespace(name=self.username, roles=frozenset())
        identity = await self.login.authorize(user, self.username)
        async with identity.new_session() as session:
            folder = await session.mailbox_set.get_mailbox("INBOX")
            await folder.append(AppendMessage(message, datetime.now(UTC)), recent=True)


@asynccontextmanager
async def serve_inbox(
    host: str, *, username: str, password: str, tls: ssl.SSLContext
) -> AsyncIterator[Inbox]:
    """An inbox behind IMAP with implicit TLS on a free port; tasks made inside may deliver."""
    backend, config = await DictBackend.init(
        Namespace(
            host=host,
            port=0,
            debug=False,
            tls=False,
            cert=None,
            key=None,
            proxy_protocol=None,
            passlib_cfg=None,
            inherited_sockets=None,
            demo_data=False,
            demo_user=username,
            demo_password=password,
        ),
        secure_auth=False,
    )
    config.apply_context()  # Context variables, which the server and all tasks made later inherit.
    async with AsyncExitStack() as stack:
        await backend.start(stack)
        protocol = IMAPServer(backend.login, config)
        protocol.commands.register(_UidSearch)
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await protocol(
                reader, writer, SocketInfo.get(writer, ProxyResultLocal(), unique_id=uuid4().bytes)
            )

        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = asyncio.create_task(connected(reader, writer))
            connections.add(connection)
            connection.add_done_callback(connections.discard)

        server = await asyncio.start_server(accepted, host, 0, ssl=tls)
        try:
            yield Inbox(username, server.sockets[0].getsockname()[1], backend.login)
        finally:
            server.close()
            for connection in connections:
                connection.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
