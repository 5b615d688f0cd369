"""Mailboxes, read over IMAP: opens connections, logs in, and fulfils `MailboxReader`."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from probe.core.model import Mailbox, TlsMode
from probe.core.sasl import telling
from probe.edges.imap_grammar import folder_name, junk_name, quoted, readable
from probe.edges.imap_session import ImapSession, within
from probe.edges.imap_wire import Answer, Wire
from probe.edges.tls import certificate_end, trusting
from probe.ports import (
    ImapFailure,
    ImapLoginRefused,
    Resolver,
    Secret,
)

_PARTING = 1.0  # How long a connection that we close may take to go away (s).
# RFC 5530: refusals that say nothing about our name and password.
_PASSING = ("[UNAVAILABLE]", "[INUSE]", "[LIMIT]", "[SERVERBUG]")


class ImapReader:
    """Opens sessions to one mailbox, one login for each."""

    def __init__(
        self,
        mailbox: Mailbox,
        secret: Secret,
        resolver: Resolver | None = None,
        *,
        opening: float = 15.0,
        deadline: float = 10.0,
    ) -> None:
        self.mailbox = mailbox
        self._server = mailbox.imap
        self._secret = secret
        self._resolver = resolver  # None: the system's.
        self._opening = opening  # For connect, TLS, login and SELECT together (s).
        self._deadline = deadline  # For any one command (s).

    @asynccontextmanager
    async def open(self, folder: str) -> AsyncIterator[ImapSession]:
        """Connect, log in, select `folder`. Raises ImapFailure."""
        async with self._connection() as wire:
            shown = wire.transport.get_extra_info("ssl_object")
            session = ImapSession(
                wire,
                folder_name(folder),
                self._deadline,
                certificate_end=None if shown is None else certificate_end(shown),
            )
            await session.select()
            yield session

    async def junk_folder(self) -> str | None:
        """The name of the junk folder by the configuration and SPECIAL-USE, or None."""
        if self.mailbox.junk != "auto":
            return self.mailbox.junk
        async with self._connection() as wire, within(self._deadline, "LIST"):
            selected = ("(SPECIAL-USE)",) if "SPECIAL-USE" in wire.capabilities else ()
            answer = await wire.ask("LIST", *selected, '""', '"*"', wanted=(b"LIST",))
            if answer.result != "OK" and selected:
                answer = await wire.ask("LIST", '""', '"*"', wanted=(b"LIST",))
            if answer.result != "OK":
                raise ImapFailure(f"LIST refused: {answer.text}")
            return junk_name(answer.frames)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Wire]:
        """A connection that is logged in, and gone when the block is left, however that is."""
        wire = Wire(asyncio.get_running_loop())
        try:
            async with within(self._opening, "connecting and logging in"):
                secret = self._secret.read()
                wire.hidden = (*telling(self._server.username, secret), quoted(secret)[1:-1])
                await self._connect(wire)
                await self._log_in(wire, secret)
            yield wire
            wire.leave()
            await _gone(wire)
        finally:
            wire.drop(ImapFailure("the connection was dropped"))
            await _gone(wire)

    async def _connect(self, wire: Wire) -> None:
        context = None if self._server.tls is TlsMode.NONE else await self._context()
        await self._reach(wire, context if self._server.tls is TlsMode.IMPLICIT else None)
        await wire.greet()
        if context is not None and self._server.tls is TlsMode.STARTTLS:
            await _learn(wire)
            if "STARTTLS" not in wire.capabilities:
                raise ImapFailure("the server does not offer STARTTLS")
            await wire.start_tls(context, self._server.host)
        await _learn(wire)

    async def _context(self) -> ssl.SSLContext:
        # In a thread, because it reads and parses some 140 certificates.
        return await asyncio.to_thread(trusting, self._server.ca_file)

    async def _reach(self, wire: Wire, implicit: ssl.SSLContext | None) -> None:
        """TCP, and implicit TLS, to the first address that takes it."""
        loop = asyncio.get_running_loop()
        addresses = await self._addresses()
        began = loop.time()
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = (self._opening - (loop.time() - began)) / left
            try:
                async with asyncio.timeout(share):
                    await loop.create_connection(
                        lambda: wire,
                        address,
                        self._server.port,
                        ssl=implicit,
                        server_hostname=self._server.host if implicit else None,
                    )
                    return
            except (OSError, TimeoutError):
                if left == 1:
                    raise

    async def _addresses(self) -> Sequence[str]:
        host = self._server.host
        if self._resolver is None or _is_address(host):
            return (host,)
        found = (await self._resolver.addresses(host)).addresses
        if not found:
            raise ImapFailure(f"{host} has no address")
        return sorted(found, key=lambda one: ipaddress.ip_address(one).version)

    async def _log_in(self, wire: Wire, secret: str) -> None:
        answer = await self._authenticate(wire, secret)
        if answer.result == "OK":
            wire.logged_in()
            await _learn(wire)
            return
        kind = ImapFailure if answer.text.upper().startswith(_PASSING) else ImapLoginRefused
        raise kind(f"login refused: {answer.text}")

    async def _authenticate(self, wire: Wire, secret: str) -> Answer:
        name = self._server.username
        if "AUTH=PLAIN" in wire.capabilities:
            packed = b64encode(f"\0{name}\0{secret}".encode()).decode()
            if "SASL-IR" in wire.capabilities:
                return await wire.ask("AUTHENTICATE", "PLAIN", packed)
            return await wire.ask("AUTHENTICATE", "PLAIN", rest=packed)
        if "LOGINDISABLED" in wire.capabilities:
            raise ImapFailure("the server offers no way to log in that we know")
        if not (name + secret).isascii():
            raise ImapFailure("the server takes only ASCII in a login")
        return await wire.ask("LOGIN", quoted(name), quoted(secret))


async def _learn(wire: Wire) -> None:
    """What the server can do, asked anew: what it said before TLS or login may be wrong."""
    answer = await wire.ask("CAPABILITY", wanted=(b"CAPABILITY",))
    words = b" ".join(frame.texts[0] for frame in answer.frames).split()
    wire.capabilities = {readable(word).upper() for word in words}


async def _gone(wire: Wire) -> None:
    """Wait until the connection is gone, but not for long: the peer may be dead."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PARTING):
            await wire.gone.wait()


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
