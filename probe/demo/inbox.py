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
from datetime import UTC, datetime
from email.utils import format_datetime, localtime
from typing import Any
from uuid import uuid4

from proxyprotocol.result import ProxyResultLocal
from proxyprotocol.sock import SocketInfo
from pymap.backend.dict import DictBackend
from pymap.imap import IMAPServer
from pymap.parsing.command.select import UidSearchCommand
from pymap.parsing.message import AppendMessage

_HOST_NAME = "mx.corp.demo.test"


class _UidSearch(UidSearchCommand):
    """UID SEARCH, in which only what follows the key UID are UIDs (RFC 3501 6.4.8)."""

    @classmethod
    def parse(cls, buf: memoryview, params: Any) -> Any:
        """The command as SEARCH is parsed."""
        return super(UidSearchCommand, cls).parse(buf, params)


class Inbox:
    """A mailbox with one folder, INBOX; its server can be closed, and opened on the same port."""

    def __init__(self, username: str, login: Any, protocol: IMAPServer) -> None:
        """`login` and `protocol` are pymap's."""
        self.port = 0
        self._username = username
        self._login = login
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._taken = 0

    @property
    def is_open(self) -> bool:
        """Whether it takes connections and mail."""
        return self._server is not None

    async def open(self, host: str, tls: ssl.SSLContext) -> None:
        """Listen, on the former port or at first on a free one."""
        self._server = await asyncio.start_server(self._accepted, host, self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Take neither connections nor mail any more, and end the connections there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def deliver(self, message: bytes, *, sender: str, client: str) -> None:
        """Take a message from a mail server; whoever IDLEs is told at once.

        Raises ConnectionRefusedError while it is closed.
        """
        if self._server is None:
            raise ConnectionRefusedError(f"{_HOST_NAME} is down")
        self._taken += 1
        stamp = (
            f"Return-Path: <{sender}>\r\n"
            f"Received: from {client} by {_HOST_NAME} with ESMTP id MX{self._taken:06};\r\n"
            f" {format_datetime(localtime())}\r\n"
        )
        user = Namespace(name=self._username, roles=frozenset())
        identity = await self._login.authorize(user, self._username)
        async with identity.new_session() as session:
            folder = await session.mailbox_set.get_mailbox("INBOX")
            taken = AppendMessage(stamp.encode() + message, datetime.now(UTC))
            await folder.append(taken, recent=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = SocketInfo.get(writer, ProxyResultLocal(), unique_id=uuid4().bytes)
        await self._protocol(reader, writer, peer)


@asynccontextmanager
async def make_inbox(*, username: str, password: str) -> AsyncIterator[Inbox]:
    """An inbox that is still closed, behind IMAP with implicit TLS; in the end it is closed."""
    backend, config = await DictBackend.init(
        Namespace(
            host=None,
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
        inbox = Inbox(username, backend.login, protocol)
        try:
            yield inbox
        finally:
            await inbox.close()
