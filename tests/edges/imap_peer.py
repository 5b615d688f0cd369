"""IMAP servers on real sockets: one that answers as it should but for what it is told, and one
that keeps a mailbox.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Read = asyncio.StreamReader
Write = asyncio.StreamWriter
Script = Callable[[Read, Write], Awaitable[None]]

CONTENT = b"Subject: x\r\n\r\nbody\r\n"
CAPABILITIES = "IMAP4rev1 QUOTA IDLE UIDPLUS SPECIAL-USE AUTH=PLAIN SASL-IR"


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[int]:
    """A server that plays `script` on every connection; yields its port."""

    async def play(reader: Read, writer: Write) -> None:
        try:
            with suppress(ConnectionError, ValueError):
                await script(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def keep(reader: Read, writer: Write) -> None:
        players.append(asyncio.create_task(play(reader, writer)))

    players: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(keep, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for player in players:
            player.cancel()
        await asyncio.gather(*players, return_exceptions=True)


def honest(**special: str | bytes) -> Script:
    """A server that answers as it should, but for the commands named, where `TAG` is the tag."""
    replies: dict[str, str | bytes] = {
        "greeting": "* OK ready\r\n",
        "CAPABILITY": f"* CAPABILITY {CAPABILITIES}\r\nTAG OK done\r\n",
        "AUTHENTICATE": "TAG OK [CAPABILITY IMAP4rev1] in\r\n",
        "LOGIN": "TAG OK in\r\n",
        "LIST": '* LIST (\\Junk) "/" "Spam \\"x\\""\r\nTAG OK\r\n',
        "SELECT": "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 12] x\r\nTAG OK done\r\n",
        "NOOP": "TAG OK\r\n",
        "SEARCH": "* SEARCH 9 11 10\r\nTAG OK\r\n",
        "FETCH": "TAG OK\r\n",
        "literal": "+ go on\r\n",
        "APPEND": "TAG OK [APPENDUID 7 12] in\r\n",
        "STORE": "TAG OK\r\n",
        "EXPUNGE": "TAG OK\r\n",
        "GETQUOTAROOT": "* QUOTAROOT INBOX x\r\n* QUOTA x (STORAGE 1 4)\r\nTAG OK\r\n",
        "IDLE": "+ idling\r\n",
        "DONE": "TAG OK done\r\n",
        "LOGOUT": "* BYE\r\nTAG OK\r\n",
    } | special

    async def script(reader: Read, writer: Write) -> None:
        def say(what: str, tag: str) -> None:
            reply = replies[what]
            raw = reply if isinstance(reply, bytes) else reply.encode("latin-1")
            writer.write(raw.replace(b"TAG", tag.encode()))

        say("greeting", "")
        tag = ""
        while line := (await reader.readline()).decode().strip():
            if line == "DONE":
                say("DONE", tag)
                continue
            tag, words = line.split(" ", 1)
            literal = re.search(r"\{(\d+)\}$", words)
            if literal:
                say("literal", tag)
                if not replies["literal"].startswith("+"):  # type: ignore[arg-type]
                    continue
                await reader.readexactly(int(literal[1]) + 2)
            say(words.removeprefix("UID ").split(" ")[0], tag)
            await writer.drain()

    return script


BROKEN = {
    "bye_greeting": (honest(greeting="* BYE too busy\r\n"), "too busy"),
    "preauth": (honest(greeting="* PREAUTH hi\r\n"), "PREAUTH"),
    "http": (honest(greeting="HTTP/1.1 400 Bad Request\r\n\r\n"), "HTTP/1.1 400"),
    "binary_greeting": (honest(greeting=b"\x00\xff\x1b[2J\xed\xa0\x80\r\n"), "greets"),
    "unknown_tag": (honest(NOOP="ZZZ9 OK hm\r\n"), "does not speak IMAP"),
    "binary_tag": (honest(NOOP=b"\xff\xfe OK\r\n"), "does not speak IMAP"),
    "empty_lines": (honest(NOOP="\r\n\r\n"), "does not speak IMAP"),
    "bye": (honest(NOOP="* BYE \x1b[31mshutting down\x00\r\n"), "shutting down"),
    "refused_select": (honest(SELECT="TAG NO no such folder\r\n"), "no such folder"),
    "bad_select": (honest(SELECT="* 3 EXISTS\r\nTAG OK\r\n"), "UIDVALIDITY"),
    "refused_idle": (honest(IDLE="TAG NO not now\r\n"), "not now"),
    "search_garbage": (honest(SEARCH="* SEARCH 1 two\r\nTAG OK\r\n"), "garbage"),
    "search_huge_number": (honest(SEARCH=f"* SEARCH {'9' * 5000}\r\nTAG OK\r\n"), "garbage"),
    "giant_literal": (
        honest(FETCH=b"* 1 FETCH (UID 9 BODY[HEADER]<0> {99999999999}\r\n" + b"x" * 100_000),
        "literal of 99999999999",
    ),
    "endless_literal_number": (
        honest(FETCH="* 1 FETCH (UID 9 BODY[TEXT] {" + "9" * 5000 + "}\r\n"),
        "FETCH: no end",
    ),
    "many_literals": (honest(FETCH="* 1 FETCH (" + "X {1}\r\na" * 20 + ")\r\n"), "literal"),
    "too_much": (
        honest(FETCH=("* 1 FETCH (UID 9 BODY[HEADER] {60000}\r\n" + "x" * 60000 + ")\r\n") * 40),
        "more than was asked for",
    ),
    "endless_line": (honest(NOOP="* " + "x" * 3_000_000), "line of more than"),
    "plus_for_nothing": (honest(NOOP="+ go on\r\n"), "nobody offered"),
    "silent_quota": (honest(GETQUOTAROOT=""), "GETQUOTAROOT: no end"),
    "append_bye": (honest(APPEND="* BYE not here\r\n"), "not here"),
    "append_plus_twice": (honest(literal="+ a\r\n+ b\r\n"), "nobody offered"),
    "silent_expunge": (honest(EXPUNGE=""), "EXPUNGE: no end"),
}


class Mailstore:
    """A mailbox with one folder, and a server of it that knows what the prober asks."""

    def __init__(self, above: bytes = b"") -> None:
        """`above`: header fields that are put above every message that comes."""
        self.mails: dict[int, bytes] = {}
        self.came: list[bytes] = []  # Everything that was ever put in.
        self._above = above

    def append(self, content: bytes) -> None:
        """Take in a message as it came over SMTP."""
        self.put(content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))

    def put(self, content: bytes) -> int:
        """Take in a message; its UID."""
        self.came.append(self._above + content)
        self.mails[len(self.came)] = self.came[-1]
        return len(self.came)

    async def talk(self, reader: Read, writer: Write) -> None:
        """Serve one client."""
        writer.write(b"* OK ready\r\n")
        told = 0  # How many have come, as this client knows it.
        while line := (await reader.readline()).decode():
            tag, words = line.strip().split(" ", 1)
            literal = re.search(r"\{(\d+)\}$", words)
            content = b""
            if literal:
                writer.write(b"+ go on\r\n")
                content = (await reader.readexactly(int(literal[1]) + 2))[:-2]
            name, _, rest = words.removeprefix("UID ").partition(" ")
            writer.write(self._answer(name, rest, content))
            if len(self.came) != told and name in ("SELECT", "NOOP", "APPEND"):
                told = len(self.came)
                writer.write(b"* %d EXISTS\r\n" % len(self.mails))
            writer.write(tag.encode() + self._end(name))
            await writer.drain()

    def _end(self, name: str) -> bytes:
        code = b"[APPENDUID 7 %d] " % len(self.came) if name == "APPEND" else b""
        return b" OK " + code + b"done\r\n"

    def _answer(self, name: str, rest: str, content: bytes) -> bytes:
        match name:
            case "CAPABILITY":
                return b"* CAPABILITY IMAP4rev1 UIDPLUS AUTH=PLAIN SASL-IR\r\n"
            case "SELECT":
                uidnext = len(self.came) + 1
                return b"* OK [UIDVALIDITY 7]\r\n* OK [UIDNEXT %d]\r\n" % uidnext
            case "APPEND":
                self.put(content)
            case "SEARCH":
                return b"* SEARCH " + b" ".join(b"%d" % uid for uid in self._found(rest)) + b"\r\n"
            case "FETCH":
                uids, _, items = rest.partition(" ")
                return b"".join(self._fetched(uid, items) for uid in self._named(uids))
            case "EXPUNGE":
                for uid in self._named(rest):
                    del self.mails[uid]
        return b""

    def _found(self, criteria: str) -> list[int]:
        by_uid = re.fullmatch(r"UID (\d+):\*", criteria)
        if by_uid:
            return [uid for uid in self.mails if uid >= int(by_uid[1])]
        return [uid for uid, mail in self.mails.items() if b"X-Mailprobe" in mail]

    def _named(self, uids: str) -> list[int]:
        ranges = [(part.split(":")[0], part.split(":")[-1]) for part in uids.split(",")]
        wanted = {uid for low, high in ranges for uid in range(int(low), int(high) + 1)}
        return sorted(wanted & self.mails.keys())

    def _fetched(self, uid: int, items: str) -> bytes:
        header, _, body = self.mails[uid].partition(b"\r\n\r\n")
        answer = b"* 1 FETCH (UID %d RFC822.SIZE %d" % (uid, len(self.mails[uid]))
        answer += _literal(b" BODY[HEADER]<0>", header + b"\r\n\r\n")
        if "BODY.PEEK[TEXT]" in items:
            answer += _literal(b" BODY[TEXT]<0>", body)
        return answer + b")\r\n"


def _literal(item: bytes, content: bytes) -> bytes:
    content = content[:65536]
    return b"%b {%d}\r\n%b" % (item, len(content), content)
