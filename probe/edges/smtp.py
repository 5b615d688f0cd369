"""Submission over SMTP: one connection for each letter, every phase timed by itself."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import cast

from aiosmtplib import SMTPException, SMTPResponse, SMTPResponseException, SMTPServerDisconnected
from aiosmtplib.protocol import SMTPProtocol

from probe.core.model import Attempt, Break, Node, Phase, Relay
from probe.core.targets import left_out, version
from probe.edges.course import CLOSING, Broken, Course, Refused
from probe.edges.dialogue import Dialogue
from probe.edges.route import KernelRoutes
from probe.edges.tcp import is_address
from probe.edges.tls import Verification
from probe.ports import Clock, Letter, ResolveFailure, Resolver, Secret

_log = logging.getLogger(__name__)

_QUIT_LIMIT = 5.0
_LINES = 500  # Of one reply; the library reads them all again with each packet.
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN)


class SmtpSubmitter:
    """Submits letters to the nodes of one relay, one connection for each."""

    def __init__(
        self, relay: Relay, secret: Secret | None, resolver: Resolver, clock: Clock
    ) -> None:
        """`secret` is the password that goes with the relay's username."""
        self._relay = relay
        self._secret = secret
        self._resolver = resolver
        self._clock = clock
        self._routes = KernelRoutes()
        # asyncio would cut a handshake after 60 s by itself: let it be later than we are.
        patience = relay.timeouts.hard + 1.0
        self._tls = Verification(relay.host, ca_file=relay.ca_file, patience=patience)

    async def submit(
        self, node: Node, letter: Letter, entered: Callable[[Phase, float], None]
    ) -> Attempt:
        """One submission, watched until `timeouts.hard`; never raises but for cancellation."""
        course = Course(self._clock, entered)
        relay = replace(self._relay, tls=node.tls or self._relay.tls)
        tls = self._tls.named(node.tls_name) if node.tls_name else self._tls
        dialogue = Dialogue(relay, self._secret, tls=tls, line=_Line(), course=course)
        try:
            attempt = await self._watched(dialogue, node, letter, course=course)
            if attempt.reply is None or attempt.reply.code == CLOSING:
                return attempt
            parted = await self._parted(dialogue)
            return replace(attempt, phases=course.phases) if parted else attempt
        finally:
            dialogue.abort()

    async def _watched(
        self, dialogue: Dialogue, node: Node, letter: Letter, *, course: Course
    ) -> Attempt:
        """The attempt up to the reply that ends it, or to whatever else ends it."""
        try:
            async with asyncio.timeout(self._relay.timeouts.hard):
                address = await self._address(node.host, course)
                return course.replied(await dialogue.submit(address, node.port, letter))
        except Refused as refused:
            return course.replied(refused.reply)
        except Broken as broken:
            return course.broken(broken.how, broken.detail)
        except (OSError, SMTPException) as error:
            return course.broken(*_translated(error, course.phase))
        except Exception as error:
            _log.exception("node %s: nobody foresaw this in %s", node.name, course.phase)
            return course.broken(Break.LOCAL, f"{type(error).__name__}: {error}")

    async def _parted(self, dialogue: Dialogue) -> bool:
        """Whether the server let us QUIT; if not, it does not matter."""
        try:
            async with asyncio.timeout(min(_QUIT_LIMIT, self._relay.timeouts.hard)):
                await dialogue.part()
        except (OSError, SMTPException, Broken):
            return False
        return True

    async def _address(self, host: str, course: Course) -> str:
        """The one address to connect to; IPv4 goes first."""
        if is_address(host):
            return host
        with course.during(Phase.DNS):
            if not host:
                raise Broken(Break.NAME_ERROR, f"no host is known for {self._relay.host}")
            try:
                found = (await self._resolver.addresses(host)).addresses
            except ResolveFailure as failure:
                raise Broken(Break.NAME_ERROR, f"{host}: {failure}") from failure
            if not found:
                raise Broken(Break.NAME_ERROR, f"{host} has no address")
            unused = left_out(self._relay.ip_version, *self._versions(found))
            usable = [each for each in found if version(each) not in unused]
            if not usable:
                wanted = self._relay.ip_version
                raise Broken(Break.NAME_ERROR, f"{host} has no IPv{wanted} address")
            return min(usable, key=version)

    def _versions(self, addresses: Iterable[str]) -> tuple[set[int], set[int]]:
        """The IP versions of these addresses, and of those that there is a route to."""
        source = self._relay.source_address
        routed = {version(each) for each in addresses if self._routes.reaches(each, source)}
        return {version(each) for each in addresses}, routed


class _Line(SMTPProtocol):
    """An SMTP connection; fulfils `dialogue.Line`."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._lines = 0  # Heard since the last command.

    def data_received(self, data: bytes) -> None:
        self._lines += data.count(b"\n")
        if self._lines > _LINES:
            self.abort()
        else:
            super().data_received(data)

    async def open(self, connection: socket.socket) -> None:
        await self._loop.create_connection(lambda: self, sock=connection)

    async def open_encrypted(self, connection: socket.socket, tls: Verification) -> None:
        await self._loop.create_connection(
            lambda: self,
            sock=connection,
            ssl=tls.context,
            server_hostname=tls.name,
            ssl_handshake_timeout=tls.patience,
        )

    async def encrypt(self, tls: Verification) -> None:
        self._take_turn()  # RFC 3207 §4.2: what was injected before must not be believed.
        if self.transport is None:
            raise SMTPServerDisconnected("Connection lost")
        self.transport = await self._loop.start_tls(
            cast(asyncio.WriteTransport, self.transport),
            self,
            tls.context,
            server_hostname=tls.name,
            ssl_handshake_timeout=tls.patience,
        )

    def encryption(self) -> ssl.SSLObject | None:
        return self.transport.get_extra_info("ssl_object") if self.transport else None

    async def ask(self, command: str) -> tuple[int, str]:
        self._take_turn()
        return await self._heard(self.execute_command(command.encode("ascii")))

    def send(self, content: bytes) -> None:
        self._take_turn()
        self.write(content)

    async def reply(self) -> tuple[int, str]:
        return await self._heard(self.read_response())

    def abort(self) -> None:
        if self.transport is not None:
            cast(asyncio.WriteTransport, self.transport).abort()

    async def _heard(self, response: Awaitable[SMTPResponse]) -> tuple[int, str]:
        try:
            return await response
        except SMTPServerDisconnected as error:
            if self._lines > _LINES:
                raise Broken(Break.GARBAGE, f"a reply of over {_LINES} lines") from error
            raise

    def _take_turn(self) -> None:
        """Speak only if the server has no more to say, or replies would shift. Raises Broken."""
        if self._buffer:
            text = self._buffer.decode("utf-8", "replace")
            raise Broken(Break.GARBAGE, f"more than one reply at once: {text}")
        self._lines = 0


def _translated(error: OSError | SMTPException, phase: Phase) -> tuple[Break, str]:
    """What an exception of the library or the system says, most specific first."""
    match error:
        case SMTPServerDisconnected():
            reset = isinstance(error.__cause__, ConnectionResetError)
            return Break.LOST, "reset by the server" if reset else "closed by the server"
        case SMTPResponseException():
            return Break.GARBAGE, error.message
        case TimeoutError():
            return Break.TIMED_OUT, ""
        case ConnectionResetError() | ConnectionAbortedError():
            return Break.LOST, "reset by the server"
        case ConnectionRefusedError() if phase is Phase.CONNECT:
            return Break.REFUSED, "connection refused"
        case OSError() if phase is Phase.CONNECT and error.errno in _NO_ROUTE:
            return Break.NO_ROUTE, os.strerror(error.errno).lower()
        case OSError() if phase not in (Phase.DNS, Phase.CONNECT):
            return Break.LOST, str(error)
        case _:
            return Break.LOCAL, str(error)
