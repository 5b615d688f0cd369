"""aioimaplib's protocol, hardened: one connection that answers, fails at once, or is dropped.

The sending half is the library's: commands, tags, the states in which they are legal. The receiving
half is ours, because the library's recurses, copies, keeps without bound and wakes nobody when the
connection is lost. It touches private names: the library is pinned, the scenarios are tests.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aioimaplib.aioimaplib import (
    AUTH,
    CONNECTED,
    NONAUTH,
    SELECTED,
    AioImapException,
    Command,
    IMAP4ClientProtocol,
)

from probe.core.wire import masked
from probe.edges.imap_grammar import Frame, Framer, readable
from probe.ports import ImapFailure

_FLOOD_LIMIT = 2 << 20  # Bytes since the last command that were not asked for.
_RESPONSE_COST = 256  # Bytes that a response counts for beside its own: the work that it makes.
_KEPT_LIMIT = 2 << 20  # Bytes of an answer, where no more was asked for.


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command led to."""

    result: str  # OK, NO, BAD
    text: str  # What stands behind it, cleaned.
    frames: tuple[Frame, ...]  # The untagged responses that were wanted.


class Wire(IMAP4ClientProtocol):  # type: ignore[misc]  # The library is not typed.
    """One IMAP connection. Whoever times out or is cancelled in an `ask` must `drop` it."""

    transport: Any

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.exists = 0
        self.announced = 0  # How many EXISTS have come.
        self.gone = asyncio.Event()  # The transport is closed.
        self.hidden: tuple[str, ...] = ()  # What no text may tell, whoever echoes it.
        self._framer = Framer()
        self._failure: ImapFailure | None = None
        self._stirred = asyncio.Event()  # Anything has happened.
        self._greeting: Frame | None = None
        self._farewell = ""  # What a BYE said.
        self._wanted: tuple[bytes, ...] = ()
        self._kept: list[Frame] = []
        self._room = 0  # Bytes that may yet be kept.
        self._received = 0  # Bytes since the last command, and what responses count for.
        self._flood = _FLOOD_LIMIT  # How many of them are too many.
        self._spoken = False  # An untagged response has come since IDLE was sent.
        self._continued = False  # The server waits for the rest of our command.
        self._rest = ""  # What to send when it does.
        self._sealed = False  # Whatever comes now was injected before TLS.

    # ---- what the event loop calls

    def data_received(self, data: bytes) -> None:
        """Bytes from the server, of any kind."""
        try:
            self._charge(len(data))
            for frame in self._framer.feed(data):
                if self._failure is not None:
                    return
                self._charge(_RESPONSE_COST)
                self._take(frame)
        except ImapFailure as failure:
            self.drop(failure)
        except (AioImapException, ValueError, LookupError) as error:
            self.drop(ImapFailure(f"the server does not speak IMAP: {self._said(str(error))}"))
        finally:
            self._stirred.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed: everybody who waits is told."""
        why = self._farewell or (readable(str(exc)) if exc else "the server closed the connection")
        self._fail(ImapFailure(f"connection lost: {why}"))
        self.gone.set()

    # ---- what the session calls

    async def greet(self) -> None:
        """Wait for the greeting."""
        await self._until(lambda: self._greeting is not None)

    async def start_tls(self, context: ssl.SSLContext, name: str) -> None:
        """STARTTLS, verified against `name`."""
        answer = await self.ask("STARTTLS")
        if answer.result != "OK":
            raise ImapFailure(f"STARTTLS refused: {answer.text}")
        if self._framer.pending:
            raise ImapFailure("the server sent text between STARTTLS and TLS")
        self.transport = await self.loop.start_tls(
            self.transport, self, context, server_hostname=name
        )
        self._sealed = False

    async def ask(
        self,
        name: str,
        *args: str,
        wanted: tuple[bytes, ...] = (),
        room: int = _KEPT_LIMIT,
        rest: str = "",
    ) -> Answer:
        """Send a command and wait for its end; of what comes before keep only what is wanted.

        `name` may begin with `UID `. `rest` is sent when the server asks for it.
        """
        prefix, _, name = name.rpartition(" ")
        await self._ready()
        self._wanted, self._kept, self._room, self._received = wanted, [], room, 0
        self._flood = room + _FLOOD_LIMIT
        self._continued, self._rest = False, rest
        try:
            command = Command(name, self.new_tag(), *args, prefix=prefix, loop=self.loop)
            response = await self.execute(command)
        except (AioImapException, ValueError) as error:
            raise ImapFailure(f"{name}: {self._said(str(error))}") from None
        text = self._said(response.lines[-1])
        return Answer(self._said(response.result), text, tuple(self._kept))

    async def begin_idle(self) -> None:
        """IDLE, until the server has taken it up."""
        await self._ready()
        self._wanted, self._kept, self._received = (), [], 0
        self._continued, self._rest, self._spoken = False, "", False
        command = Command("IDLE", self.new_tag(), loop=self.loop)
        self.pending_sync_command = command
        self.send(str(command))
        await self._until(lambda: self._continued or self.pending_sync_command is None)
        if not self._continued:
            raise ImapFailure(f"IDLE refused: {self._said(command.response.lines[-1])}")

    async def hear(self) -> None:
        """Wait until the server says anything."""
        await self._until(lambda: self._spoken or self.pending_sync_command is None)

    def end_idle(self) -> None:
        """End IDLE; the next command waits for the server's consent by itself."""
        if self.pending_sync_command is None or self._failure is not None:
            return
        if self._continued:
            self.send("DONE")
        else:
            self._rest = "DONE"

    def logged_in(self) -> None:
        """From now on a folder may be selected."""
        self.state = AUTH

    def selected(self) -> None:
        """From now on messages may be asked for."""
        self.state = SELECTED

    def drop(self, failure: ImapFailure) -> None:
        """Let go of the connection without a word; whoever waits for it gets this failure."""
        self._fail(failure)
        if self.transport is None:
            self.gone.set()
        else:
            self.transport.abort()

    def leave(self) -> None:
        """Say goodbye, and close."""
        if self._failure is None:
            self.end_idle()
            self.send(f"{self.new_tag()} LOGOUT")
            self._fail(ImapFailure("the connection was closed by us"))
            self.transport.close()

    # ---- inside

    def send(self, line: str, scrub: str | None = None) -> None:
        """A line to the server; unlike the library's it leaves no trace in any log."""
        self.transport.write(f"{line}\r\n".encode())

    async def _ready(self) -> None:
        if self._failure is None and self.pending_sync_command is not None:
            await self.pending_sync_command.wait()
        if self._failure is not None:
            raise self._failure

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            if self._failure is not None:
                raise self._failure
            self._stirred.clear()
            await self._stirred.wait()

    def _fail(self, failure: ImapFailure) -> None:
        if self._failure is not None:
            return
        self._failure = failure
        commands = [self.pending_sync_command, *self.pending_async_commands.values()]
        for command in filter(None, commands):
            command._exception = failure
            command._event.set()
        self._stirred.set()

    def _said(self, words: bytes | bytearray | str) -> str:
        """What the server said: printable, cut, without our secrets."""
        text = words if isinstance(words, str) else words.decode("utf-8", "replace")
        return readable(masked(text, self.hidden))

    def _charge(self, cost: int) -> None:
        """A flood of small responses would take the time of everybody else's."""
        self._received += cost
        if self._received > self._flood:
            raise ImapFailure("the server floods us")

    def _take(self, frame: Frame) -> None:
        line = frame.texts[0]
        if self._sealed:
            raise ImapFailure("the server sent text between STARTTLS and TLS")
        if self.state == CONNECTED:
            self._welcome(frame)
        elif line.startswith(b"* "):
            self._untagged(frame)
        elif line.startswith(b"+"):
            self._continuation(line)
        else:
            starting = self.pending_sync_command
            self._response_done(line)
            self._sealed = starting is not None and starting.name == "STARTTLS"

    def _welcome(self, frame: Frame) -> None:
        line = frame.texts[0]
        if not line.upper().startswith(b"* OK"):
            raise ImapFailure(f"the server greets with {self._said(line)!r}")
        self._greeting = frame
        self.state = NONAUTH

    def _untagged(self, frame: Frame) -> None:
        self._spoken = True
        keyword = frame.keyword
        if keyword == b"EXISTS":
            self.exists = frame.number
            self.announced += 1
        elif keyword == b"EXPUNGE":
            self.exists = max(0, self.exists - 1)
        elif keyword == b"BYE":
            self._farewell = self._said(frame.texts[0].removeprefix(b"* "))
            raise ImapFailure(f"the server said {self._farewell}")
        if keyword in self._wanted:
            self._room -= frame.size
            if self._room < 0:
                raise ImapFailure("the server sent more than was asked for")
            self._kept.append(frame)

    def _continuation(self, line: bytes) -> None:
        if self._continued or self.pending_sync_command is None:
            raise ImapFailure("the server asks for what nobody offered")
        self._continued = True
        if self._rest:
            self.send(self._rest)
