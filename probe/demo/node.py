"""The demo's SMTP nodes: each accepts, queues, and delivers a little later, by aiosmtpd."""

from __future__ import annotations

import asyncio
import hmac
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import format_datetime, localtime

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from probe.demo.inbox import Inbox

_DELAY = 0.020, 0.200  # From acceptance to delivery (s).
_MAX_MESSAGE = 1 << 20  # bytes


class DemoNode:
    """One SMTP node of the demo, with STARTTLS and AUTH, both required."""

    def __init__(self, name: str, inbox: Inbox, *, address: str, login: LoginPassword) -> None:
        """`address` is the only one it takes mail for; its delays are the same in each run."""
        self.name = name
        self.port = 0
        self._inbox = inbox
        self._address = address
        self._login = login
        self._random = random.Random(name)
        self._accepted = 0

    @asynccontextmanager
    async def serve(self, host: str, tls: ssl.SSLContext) -> AsyncIterator[None]:
        """Listen on a free port, for as long as the block lasts."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as deliveries:
            self._deliveries = deliveries
            server = await loop.create_server(lambda: self._protocol(tls), host, 0)
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield
            finally:
                server.close()

    def _protocol(self, tls: ssl.SSLContext) -> SMTP:
        return SMTP(
            self,
            hostname=f"{self.name}.demo.test",
            ident="ESMTP demo",
            data_size_limit=_MAX_MESSAGE,
            tls_context=tls,
            require_starttls=True,
            auth_required=True,
            authenticator=self._authenticate,
            loop=asyncio.get_running_loop(),
        )

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and (
            given.login == self._login.login
            and hmac.compare_digest(given.password, self._login.password)
        )
        return AuthResult(success=right, handled=False)  # Not handled: aiosmtpd says the 535.

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the one recipient there is."""
        if address != self._address:
            return "550 5.1.1 No such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Queue the message, and say so at once."""
        self._accepted += 1
        queue_id = f"{self.name.upper()}{self._accepted:06}"
        stamp = (
            f"Return-Path: <{envelope.mail_from}>\r\n"
            f"Received: from {session.host_name} by {self.name}.demo.test with ESMTPSA"
            f" id {queue_id};\r\n {format_datetime(localtime())}\r\n"
        )
        message = stamp.encode() + (envelope.original_content or b"")
        self._deliveries.create_task(self._deliver(message))
        return f"250 2.0.0 Ok: queued as {queue_id}"

    async def _deliver(self, message: bytes) -> None:
        await asyncio.sleep(self._random.uniform(*_DELAY))
        await self._inbox.deliver(message)
