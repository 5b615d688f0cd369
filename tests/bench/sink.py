"""A relay and its mailboxes in one small process: SMTP in, IMAP out, nothing in between.

It costs the prober nothing of its own CPU, and is quicker than any real server; a message can be
read as long after its acceptance as with Postfix and Dovecot.

    python -m tests.bench.sink SMTP_PORT IMAP_PORT [CERTIFICATE KEY]
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from base64 import b64decode
from email.utils import formatdate

DELIVERY = 0.011  # From acceptance to mailbox, as Postfix and Dovecot do it in the median (s).

_RECEIVED = """\
Return-Path: <{sender}>\r
Delivered-To: {recipient}\r
Received: from relay.test\r
\tby mailbox.test with LMTP\r
\tid WFFpEMkGHGrBGQAAxHxrfA\r
\t(envelope-from <{sender}>)\r
\tfor <{recipient}>; {date}\r
Received: from prober.test (unknown [127.0.0.1])\r
\tby relay.test (Postfix) with ESMTP id 4dXhQn3rQmz1DDq\r
\tfor <{recipient}>; {date} (UTC)\r
"""
_ADDRESS = re.compile(r"<([^>]*)>")
_OFFERS = """\
250-relay.test\r
250-PIPELINING\r
250-SIZE 10240000\r
{tls}250-ENHANCEDSTATUSCODES\r
250 DSN"""
_CAPABILITIES = "IMAP4rev1 SASL-IR AUTH=PLAIN IDLE UIDPLUS LITERAL+ SPECIAL-USE"


class Folder:
    """Messages by their UIDs."""

    def __init__(self) -> None:
        self.messages: dict[int, tuple[bytes, bytes]] = {}
        self.uidnext = 1
        self.readers: set[Imap] = set()

    def put(self, header: bytes, body: bytes) -> None:
        """A message has come; whoever is in IDLE is told."""
        self.messages[self.uidnext] = header, body
        self.uidnext += 1
        for reader in self.readers:
            if reader.idling:
                reader.announce()


class Store:
    """Every address has a mailbox, whose folders are made as they are asked for."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, str], Folder] = {}

    def folder(self, address: str, name: str = "INBOX") -> Folder:
        """A folder of an address."""
        return self._folders.setdefault((address, name), Folder())

    def deliver(self, sender: str, recipient: str, content: bytes) -> None:
        """A message reaches the mailbox in a while."""
        trace = _RECEIVED.format(sender=sender, recipient=recipient, date=formatdate())
        header, _, body = content.partition(b"\r\n\r\n")
        put = self.folder(recipient).put
        whole = trace.encode() + header + b"\r\n\r\n"
        asyncio.get_running_loop().call_later(DELIVERY, put, whole, body)


class Lines(asyncio.Protocol):
    """A server that answers lines."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.greet()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self.answer()

    def answer(self) -> None:
        """Answer all that is there."""
        while (found := self.end()) >= 0:
            said, self._buffer = self._buffer[:found], self._buffer[found:]
            self.hear(said)

    def end(self) -> int:
        """Where that which is to be answered next ends; -1 while it is not all there."""
        return self._after(b"\r\n")

    def _after(self, mark: bytes) -> int:
        found = self._buffer.find(mark)
        return found + len(mark) if found >= 0 else -1

    def say(self, text: str) -> None:
        """One line, or several."""
        self.transport.write(f"{text}\r\n".encode())

    def greet(self) -> None:
        """Speak first."""

    def hear(self, said: bytes) -> None:
        """Answer."""


class Smtp(Lines):
    """One SMTP session."""

    def __init__(self, store: Store, tls: ssl.SSLContext | None) -> None:
        super().__init__()
        self._store = store
        self._tls = tls
        self._encrypting: asyncio.Task[None] | None = None
        self._encrypted = False
        self._reading = False
        self._sender, self._recipient = "", ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._encrypting is None:
            super().connection_made(transport)

    def greet(self) -> None:
        self.say("220 relay.test ESMTP")

    def answer(self) -> None:
        # The first command can be there before the handshake's end has been noticed.
        if self._encrypting is None or self._encrypted:
            super().answer()

    def end(self) -> int:
        return self._after(b"\r\n.\r\n" if self._reading else b"\r\n")

    def hear(self, said: bytes) -> None:
        if self._reading:
            self._reading = False
            content = said[:-3].replace(b"\r\n..", b"\r\n.")
            self._store.deliver(self._sender, self._recipient, content)
            self.say("250 2.0.0 Ok: queued as 4dXhQn3rQmz1DDq")
            return
        line = said.decode().strip()
        match line.split(" ")[0].upper():
            case "EHLO":
                offered = self._tls is not None and self._encrypting is None
                self.say(_OFFERS.format(tls="250-STARTTLS\r\n" if offered else ""))
            case "STARTTLS":
                self.transport.pause_reading()
                self.say("220 2.0.0 Ready to start TLS")
                self._encrypting = asyncio.ensure_future(self._encrypt())
            case "MAIL":
                self._sender = _address(line)
                self.say("250 2.1.0 Ok")
            case "RCPT":
                self._recipient = _address(line)
                self.say("250 2.1.5 Ok")
            case "DATA":
                self._reading = True
                self.say("354 End data with <CR><LF>.<CR><LF>")
            case "QUIT":
                self.say("221 2.0.0 Bye")
                self.transport.close()
            case _:
                self.say("500 5.5.2 Error")

    async def _encrypt(self) -> None:
        assert self._tls is not None
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(self.transport, self, self._tls, server_side=True)
        assert transport is not None
        self.transport, self._encrypted = transport, True
        self.answer()


class Imap(Lines):
    """One IMAP session."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._user = ""
        self._folder = Folder()
        self._told = 0  # Messages that the client knows of.
        self._appending: tuple[str, int] | None = None  # The tag, and the bytes that are to come.
        self.idling = ""  # The tag of an IDLE that goes on.

    def greet(self) -> None:
        self.say(f"* OK [CAPABILITY {_CAPABILITIES}] ready")

    def connection_lost(self, exc: Exception | None) -> None:
        self._folder.readers.discard(self)

    def announce(self) -> None:
        """Say how many messages there are, where that is new."""
        if len(self._folder.messages) != self._told:
            self._told = len(self._folder.messages)
            self.say(f"* {self._told} EXISTS")

    def end(self) -> int:
        if self._appending is None:
            return super().end()
        whole = self._appending[1] + 2
        return whole if len(self._buffer) >= whole else -1

    def hear(self, said: bytes) -> None:
        if self._appending is not None:
            self._append(self._appending[0], said[:-2])
            return
        tag, _, command = said.decode().strip().partition(" ")
        if self.idling:
            self.say(f"{self.idling} OK Idle completed")
            self.idling = ""
            return
        words = command.split(" ")
        name = " ".join(words[:2] if words[0] == "UID" else words[:1]).upper()
        match name:
            case "APPEND":
                self._appending = tag, int(words[-1].strip("{}"))
                self.say("+ OK")
            case "IDLE":
                self.idling = tag
                self.say("+ idling")
                self.announce()
            case "LOGOUT":
                self.transport.close()
            case _:
                self._answer(name, words)
                self.say(f"{tag} OK {name} completed")

    def _answer(self, name: str, words: list[str]) -> None:
        """What is said before the end of a command."""
        match name:
            case "CAPABILITY":
                self.say(f"* CAPABILITY {_CAPABILITIES}")
            case "AUTHENTICATE":
                self._user = b64decode(words[-1]).decode().split("\0")[1]
            case "LIST":
                self.say('* LIST (\\HasNoChildren \\Junk) "/" Junk')
            case "SELECT":
                self._select(words[1].strip('"'))
            case "NOOP":
                self.announce()
            case "UID SEARCH":
                self.say(" ".join(["* SEARCH", *map(str, self._found(words[2:]))]))
            case "UID FETCH":
                for uid in self._numbers(words[2]):
                    self._fetch(uid, text="TEXT" in words[-1])
            case "UID EXPUNGE":
                for uid in self._numbers(words[2]):
                    del self._folder.messages[uid]

    def _append(self, tag: str, content: bytes) -> None:
        self._appending = None
        header, mark, body = content.partition(b"\r\n\r\n")
        self._folder.put(header + mark, body)
        self.say(f"{tag} OK [APPENDUID 1 {self._folder.uidnext - 1}] Append completed")

    def _select(self, folder: str) -> None:
        self._folder = self._store.folder(self._user, folder)
        self._folder.readers.add(self)
        self._told = len(self._folder.messages)
        self.say(f"* {self._told} EXISTS\r\n* OK [UIDVALIDITY 1] ok")
        self.say(f"* OK [UIDNEXT {self._folder.uidnext}] ok")

    def _found(self, criteria: list[str]) -> list[int]:
        """By UID, or by number and a field that every message has: here that is about the same."""
        return self._numbers(criteria[criteria[0] == "UID"])

    def _numbers(self, sequence_set: str) -> list[int]:
        numbers: list[int] = []
        for part in sequence_set.split(","):
            low, _, high = part.partition(":")
            last = self._folder.uidnext - 1 if high == "*" else int(high or low)
            numbers += range(int(low), last + 1)
        return [number for number in numbers if number in self._folder.messages]

    def _fetch(self, uid: int, *, text: bool) -> None:
        header, body = self._folder.messages[uid]
        size = len(header) + len(body)
        pieces = [
            f"* {uid} FETCH (UID {uid} RFC822.SIZE {size} ".encode(),
            b"BODY[HEADER]<0> {%d}\r\n%b" % (len(header), header),
            b" BODY[TEXT]<0> {%d}\r\n%b" % (len(body), body) if text else b"",
            b")\r\n",
        ]
        self.transport.write(b"".join(pieces))


def _address(line: str) -> str:
    found = _ADDRESS.search(line)
    return found[1] if found else ""


async def serve(smtp_port: int, imap_port: int, tls: ssl.SSLContext | None) -> None:
    """Serve on loopback for ever."""
    loop, store = asyncio.get_running_loop(), Store()
    await loop.create_server(lambda: Smtp(store, tls), "127.0.0.1", smtp_port, backlog=1000)
    await loop.create_server(lambda: Imap(store), "127.0.0.1", imap_port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    smtp_port, imap_port, *certificate = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if context is not None:
        context.load_cert_chain(*certificate)
    asyncio.run(serve(int(smtp_port), int(imap_port), context))
