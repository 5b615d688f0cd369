"""Lets connections in: a bounded number, each for one request, and none that takes its time."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from http import HTTPStatus

from aiohttp import web
from aiohttp.web_request import BaseRequest

from probe.edges.web.header import strict

MOST = 100
"""Connections at a time."""

REQUEST_TIME = 10.0
"""s, from the first packet to the end of the request's header, the TLS handshake included."""

ANSWER_TIME = 60.0
"""s that the answer may take from then on, to its last byte."""

_LONGEST_LINE = 4096
_MOST_HEADERS = 64
_LINGER = 1.0  # s that what is sent after a request is still read, and dropped.
_BACKLOG = 128
_PAUSE = 1.0  # s after the system had no connection to give.

log = logging.getLogger("probe.web")


class Visitor(web.RequestHandler):
    """One connection."""

    __slots__ = ("_admitted", "gone")

    def __init__(self, server: web.Server, admitted: Callable[[Visitor], None]) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            logger=log,
            access_log=None,  # type: ignore[arg-type]
            lingering_time=_LINGER,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
            max_headers=_MOST_HEADERS,
        )
        self._admitted = admitted
        self.gone = asyncio.Event()

    def asked(self) -> None:
        """There is a request: the answer has its own time."""
        self._admitted(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The connection has ended."""
        super().connection_lost(exc)
        self.gone.set()

    def cut(self) -> None:
        """End the connection, whatever is still to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request; only what is our own fault leaves a trace."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            response = super().handle_error(request, status, exc, message)
        else:
            log.debug("What %s sent is no request: %s", request.remote, type(exc).__name__)
            response = web.Response(status=status, text=f"{HTTPStatus(status).phrase}\n")
            response.force_close()
        response.headers.update(strict(secure=self.ssl_context is not None))
        return response


class Door:
    """The listening sockets, and everybody who has come in."""

    def __init__(self, server: web.Server, context: Callable[[], ssl.SSLContext | None]) -> None:
        """`context` gives the TLS for the next connection, or None for none."""
        self._server = server
        self._context = context
        self._tasks = asyncio.TaskGroup()
        self._accepting: list[asyncio.Task[None]] = []
        self._limits: dict[Visitor, asyncio.Timeout] = {}
        self._visits: dict[Visitor, asyncio.Task[None]] = {}
        self._waiting: dict[Visitor, None] = {}  # Those without a request, the oldest first.
        self.port = 0

    @property
    def inside(self) -> int:
        """How many connections there are."""
        return len(self._visits)

    async def open(self, host: str, port: int) -> None:
        """Listen at every address that the host has. Raises OSError."""
        sockets = await _listening(host, port)
        self.port = int(sockets[0].getsockname()[1])
        await self._tasks.__aenter__()
        self._accepting = [self._tasks.create_task(self._accept(each)) for each in sockets]

    async def shut(self) -> None:
        """Let nobody in any more."""
        for task in self._accepting:
            task.cancel()
        if self._accepting:
            await asyncio.wait(self._accepting)

    async def empty(self) -> None:
        """Send away who is still here."""
        for task in self._visits.values():
            task.cancel()
        if self._accepting:
            await self._tasks.__aexit__(None, None, None)

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with listening:
            while True:
                try:
                    connection, _ = await loop.sock_accept(listening)
                except ConnectionAbortedError:
                    continue
                except OSError as error:
                    log.warning("No connection can be taken: %s.", error.strerror)
                    await asyncio.sleep(_PAUSE)
                    continue
                self._admit(connection)
                await asyncio.sleep(0)  # The visit must have begun before it can be ended.

    def _admit(self, connection: socket.socket) -> None:
        """Let one more in; if there is no room, who has waited longest with its request must go."""
        if len(self._visits) >= MOST:
            if not self._waiting:
                connection.close()
                return
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            self._visits[longest].cancel()
        visitor = Visitor(self._server, self._admitted)
        self._waiting[visitor] = None
        self._visits[visitor] = self._tasks.create_task(self._visit(visitor, connection))

    async def _visit(self, visitor: Visitor, connection: socket.socket) -> None:
        """One connection, from its beginning to its end."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(REQUEST_TIME) as self._limits[visitor]:
                await loop.connect_accepted_socket(lambda: visitor, connection, ssl=self._context())
                await visitor.gone.wait()
        except OSError as error:  # A TimeoutError, or of TLS.
            log.debug("A connection was ended: %s", error)
        finally:
            visitor.cut()
            self._waiting.pop(visitor, None)
            del self._limits[visitor], self._visits[visitor]

    def _admitted(self, visitor: Visitor) -> None:
        """Take note of a request."""
        self._waiting.pop(visitor, None)
        limit = self._limits.get(visitor)
        if limit is not None and not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time() + ANSWER_TIME)


async def _listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen, one for each address of the host. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            sockets.append(listening := socket.socket(family, kind, protocol))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.setblocking(False)
            listening.bind(address)
            listening.listen(_BACKLOG)
    except OSError:
        for each in sockets:
            each.close()
        raise
    return sockets
