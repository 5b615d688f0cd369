"""An SMTP dialogue, from the first packet to the reply after the final dot."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Generator
from contextlib import suppress
from typing import Protocol

from probe.core import sasl
from probe.core.model import Break, Phase, Relay, Reply, TlsMode
from probe.core.wire import dot_stuffed, greeting_host, mail_command, offers, rcpt_command
from probe.edges.course import CLOSING, REFUSALS, Broken, Course, granted
from probe.edges.tcp import dial
from probe.edges.tls import (
    CaFileUnreadable,
    CertificateRejected,
    Verification,
    certificate_end,
    explained,
)
from probe.ports import Letter, Secret, SecretUnreadable

_READY = (220,)
_DONE = range(200, 300)
_GO_ON = range(300, 400)
_START_INPUT = (354,)


class Line(Protocol):
    """A connection on which every command is answered by one reply: its code and its text."""

    async def open(self, connection: socket.socket) -> None:
        """Take over a connected socket."""

    async def open_encrypted(self, connection: socket.socket, tls: Verification) -> None:
        """Take over a connected socket, TLS from its first byte on."""

    async def encrypt(self, tls: Verification) -> None:
        """TLS from now on."""

    def encryption(self) -> ssl.SSLObject | None:
        """What encrypts the connection, unless it is lost already."""

    async def ask(self, command: str) -> tuple[int, str]:
        """The reply to a command."""

    def send(self, content: bytes) -> None:
        """Send a message with its final dot."""

    async def reply(self) -> tuple[int, str]:
        """The greeting, or the reply to what was sent."""

    def abort(self) -> None:
        """Close at once, without a word."""


class Dialogue:
    """One submission over one connection; its facts go into a Course.

    Methods raise Refused and Broken, and whatever the line and the system raise.
    """

    def __init__(
        self, relay: Relay, secret: Secret | None, *, tls: Verification, line: Line, course: Course
    ) -> None:
        """`secret` is the password that goes with the relay's username."""
        self._relay = relay
        self._secret = secret
        self._tls = tls
        self._line = line
        self._course = course
        self._socket: socket.socket | None = None
        self._offers: dict[str, tuple[str, ...]] = {}

    async def submit(self, address: str, port: int, letter: Letter) -> Reply:
        """The relay's last word on a letter."""
        await self._connect(address, port)
        with self._course.during(Phase.GREETING):
            greeting = granted(self._course.heard(*await self._line.reply()), _READY)
            self._course.greeting_host = greeting_host(greeting.text)
        await self._introduce()
        if self._relay.tls is TlsMode.STARTTLS:
            await self._start_tls()
            await self._introduce()
        if self._relay.username is not None:
            await self._log_in(self._relay.username)
        return await self._hand_over(letter)

    async def part(self) -> None:
        """Take leave as a client should."""
        with self._course.during(Phase.QUIT):
            await self._line.ask("QUIT")

    def abort(self) -> None:
        """Let go of the connection, in whatever state it is."""
        self._line.abort()
        if self._socket is not None:
            # asyncio goes on with a handshake that was cancelled before its first step.
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    async def _connect(self, address: str, port: int) -> None:
        with self._course.during(Phase.CONNECT):
            self._socket = await dial(address, port, source=self._relay.source_address)
            if self._relay.tls is not TlsMode.IMPLICIT:
                await self._line.open(self._socket)
        if self._relay.tls is TlsMode.IMPLICIT:
            with self._course.during(Phase.TLS):
                await self._verified(self._line.open_encrypted(self._socket, self._tls))

    async def _introduce(self) -> None:
        with self._course.during(Phase.EHLO):
            code, text = await self._line.ask(f"EHLO {self._relay.helo}")
            granted(self._course.heard(code, text), _DONE)
            self._offers = offers(text)

    async def _start_tls(self) -> None:
        with self._course.during(Phase.TLS):
            if "starttls" not in self._offers:
                raise Broken(Break.TLS_FAILED, "the server does not offer STARTTLS")
            reply = await self._ask("STARTTLS")
            if reply.code in REFUSALS and reply.code != CLOSING:
                said = f"{reply.code} {reply.enhanced} {reply.text}"
                raise Broken(Break.TLS_FAILED, f"STARTTLS was refused with {said}")
            granted(reply, _READY)
            await self._verified(self._line.encrypt(self._tls))

    async def _verified(self, handshake: Awaitable[None]) -> None:
        try:
            await handshake
        except CaFileUnreadable as error:
            raise Broken(Break.LOCAL, str(error)) from error
        except CertificateRejected as error:
            self._course.certificate_end = error.end
            raise Broken(Break.TLS_FAILED, explained(error, self._tls.name)) from error
        except ssl.SSLError as error:
            raise Broken(Break.TLS_FAILED, explained(error, self._tls.name)) from error
        if (encryption := self._line.encryption()) is not None:
            self._course.certificate_end = certificate_end(encryption)

    async def _log_in(self, username: str) -> None:
        with self._course.during(Phase.AUTH):
            offered = self._offers.get("auth", ())
            mechanism = sasl.mechanism(self._relay.auth, offered)
            if mechanism is None:
                there = " ".join(offered).upper() or "none"
                detail = f"no AUTH mechanism for '{self._relay.auth}': the server offers {there}"
                raise Broken(Break.NO_MECHANISM, detail)
            password = self._password()
            self._course.hidden = sasl.telling(username, password)
            lines = sasl.exchange(mechanism, username, password)
            code, text = await self._line.ask(next(lines))
            while code in _GO_ON:
                code, text = await self._line.ask(_answer(lines, text))
            granted(self._course.heard(code, text), _DONE)

    def _password(self) -> str:
        if self._secret is None:
            raise Broken(Break.LOCAL, "there is a username, and no password")
        try:
            return self._secret.read()
        except SecretUnreadable as error:
            raise Broken(Break.LOCAL, str(error)) from error

    async def _hand_over(self, letter: Letter) -> Reply:
        size, envelope_id = len(letter.content), letter.envelope_id
        mail = mail_command(letter.sender, size=size, envelope_id=envelope_id, offers=self._offers)
        with self._course.during(Phase.MAIL):
            granted(await self._ask(mail), _DONE)
        with self._course.during(Phase.RCPT):
            granted(await self._ask(rcpt_command(letter.recipient, offers=self._offers)), _DONE)
        with self._course.during(Phase.DATA):
            granted(await self._ask("DATA"), _START_INPUT)
            self._line.send(dot_stuffed(letter.content))
        # The dot counts as sent once it is written, even if the kernel has not taken it yet:
        # in doubt the message may arrive.
        with self._course.during(Phase.ACK) as self._course.dot:
            return granted(self._course.heard(*await self._line.reply()), _DONE)

    async def _ask(self, command: str) -> Reply:
        return self._course.heard(*await self._line.ask(command))


def _answer(lines: Generator[str, str, None], challenge: str) -> str:
    """What to say to a challenge."""
    try:
        return lines.send(challenge)
    except (StopIteration, ValueError) as error:
        detail = f"a challenge that has no answer: {challenge}"
        raise Broken(Break.GARBAGE, detail) from error
