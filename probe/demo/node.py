"""The demo's SMTP nodes: each accepts, queues, and delivers a little later, by aiosmtpd."""

from __future__ import annotations

import asyncio
import hmac
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import format_datetime, localtime
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from probe.demo.behaviour import WELL, Behaviour
from probe.demo.inbox import Inbox

_DELAY = 0.020, 0.200  # From one message to the next that leaves the queue (s).
_RETRY = 1.0  # Until the queue is tried again after the mailbox took nothing (s).
_MAX_MESSAGE = 1 << 20  # bytes


class _Dialogue(SMTP):
    """A dialogue with a client whose greeting may come late."""

    def __init__(self, node: DemoNode, **settings: Any) -> None:
        """`settings` are aiosmtpd's."""
        super().__init__(node, **settings)
        self._greets_after: float | None = node.behaviour.greets_after

    async def push(self, status: Any) -> None:
        """Send a reply; the first one is the greeting."""
        delay, self._greets_after = self._greets_after, None
        if delay is not None:
            await asyncio.sleep(delay)
        await super().push(status)


@dataclass(frozen=True, slots=True)
class _Queued:
    """A message that a node has accepted, with its own Received field."""

    sender: str
    message: bytes


class DemoNode:
    """One SMTP node of the demo, with STARTTLS and AUTH, both required, and a queue."""

    def __init__(self, name: str, inbox: Inbox, *, address: str, login: LoginPassword) -> None:
        """`address` is the only one it takes mail for.

        What is random about it is the same in each run.
        """
        self.name = name
        self.host_name = f"{name}.demo.test"
        self.port = 0
        self.behaviour = WELL
        self._inbox = inbox
        self._address = address
        self._login = login
        self._delays = random.Random(name)
        self._refusals = random.Random(name)
        self._accepted = 0
        self._queue: asyncio.Queue[_Queued] = asyncio.Queue()
        self._processes = asyncio.Event()
        self._processes.set()
        self._server: asyncio.Server | None = None

    @asynccontextmanager
    async def serve(self, host: str, tls: ssl.SSLContext) -> AsyncIterator[None]:
        """Listen on a free port, for as long as the block lasts."""
        self._host, self._tls = host, tls
        async with asyncio.TaskGroup() as group:
            process = group.create_task(self._process())
            try:
                await self._open()
                yield
            finally:
                self._close()
                process.cancel()

    async def behave(self, behaviour: Behaviour) -> None:
        """Behave so from now on, to new connections and with all that is queued."""
        self.behaviour = behaviour
        self._refusals.seed(self.name)
        if behaviour.processes:
            self._processes.set()
        else:
            self._processes.clear()
        if not behaviour.listens:
            self._close()
        elif self._server is None:
            await self._open()

    async def _open(self) -> None:
        """Listen, on the former port or at first on a free one."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._dialogue, self._host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _dialogue(self) -> SMTP:
        return _Dialogue(
            self,
            hostname=self.host_name,
            ident="ESMTP demo",
            data_size_limit=_MAX_MESSAGE,
            tls_context=self._tls,
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
        """Take the one recipient there is, or put it off as often as the behaviour says."""
        if address != self._address:
            return "550 5.1.1 No such user here"
        if self._refusals.random() < self.behaviour.refuses:
            return "451 4.3.0 Temporary server error, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        """Queue the message, and say so at once."""
        self._accepted += 1
        queue_id = f"{self.name.upper()}{self._accepted:06}"
        stamp = (
            f"Received: from {session.host_name} by {self.host_name} with ESMTPSA"
            f" id {queue_id};\r\n {format_datetime(localtime())}\r\n"
        )
        message = stamp.encode() + (envelope.original_content or b"")
        self._queue.put_nowait(_Queued(envelope.mail_from or "", message))
        return f"250 2.0.0 Ok: queued as {queue_id}"

    async def _process(self) -> None:
        """Deliver what is queued, one after the other."""
        while True:
            queued = await self._queue.get()
            await asyncio.sleep(self._delays.uniform(*_DELAY))
            await self._processes.wait()
            await self._deliver(queued)

    async def _deliver(self, queued: _Queued) -> None:
        """Hand the message over to the mailbox, as soon as that takes it."""
        while True:
            try:
                await self._inbox.deliver(
                    queued.message, sender=queued.sender, client=self.host_name
                )
            except ConnectionRefusedError:
                await asyncio.sleep(_RETRY)
            else:
                return
