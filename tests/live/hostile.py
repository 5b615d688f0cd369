"""Relays and mailboxes that are played by scripts: a polite one of each, and every other kind.

They play in a process of their own, for they take all the time that they get.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from tests.edges.imap_peer import BROKEN, Mailstore, honest
from tests.edges.smtp_peer import CLOSE, SILENCE, Peer, serving

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SECRET = "a password that is nobody's"
# Markup, terminal sequences, surrogates, bytes that are no text, and what ends a line elsewhere.
EVIL = (
    b"<script>alert(\"x\")</script><img src=x onerror='alert(1)'>\x1b[31m\x00\x07\x08\x9b2J\x7f "
    b'\xed\xa0\x80 \xff\xfe \xe2\x80\xae \xe2\x80\xa8 \xc2\x85 \x0b\x0c level=error msg="forged" '
    b'\\" \\ {} %s %(x)d "} 1\rmailprobe_forged_total{x="y"} 1'
)
TEN_MEGABYTES = 10 << 20
ROOT = Path(__file__).resolve().parents[2]


def says(first: bytes, *, then: bytes = b"", pause: float = 0.0) -> Talk:
    """A server that says something, and then the other thing again and again, whatever it hears."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        while then:
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


def drips(text: bytes) -> Talk:
    """A server that says one byte a second."""

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in text:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)

    return talk


def taking(store: Mailstore, **replies: object) -> Talk:
    """A relay that delivers what it takes."""
    peer = Peer(**replies)
    peer.messages = store
    return peer.talk


def rude_nodes() -> dict[str, tuple[Talk, set[str]]]:
    """Nodes that break every rule, and the reasons for which probes through them may fail."""
    garbage, lost, refused = {"protocol_error"}, {"connection_lost"}, {"perm_reject"}
    long = b"x" * TEN_MEGABYTES + b"\r\n"
    nodes: dict[str, tuple[Talk, set[str]]] = {
        "endless_greeting": (says(b"", then=b"220-" + EVIL + b"\r\n"), garbage),
        "long_greeting": (says(b"220 " + long), garbage),
        "binary": (says(os.urandom(50_000)), garbage),
        "binary_lines": (says(b"", then=b"\xff\x00\xfe\r\n"), garbage),
        "http": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), garbage),
        "imap": (says(b"* OK ready\r\n"), garbage),
        "not_welcome": (says(b"554 " + EVIL + b"\r\n"), refused),
        "code_000": (Peer(MAIL=b"000 " + EVIL + b"\r\n").talk, garbage),
        "code_999": (Peer(RCPT=b"999 " + EVIL + b"\r\n").talk, garbage),
        "two_replies": (Peer(MAIL=b"250 Ok\r\n250 " + EVIL + b"\r\n").talk, garbage),
        "endless_ehlo": (Peer(EHLO=b"250-SIZE\r\n" * 100_000).talk, garbage),
        "long_ehlo": (Peer(EHLO=b"250 " + long).talk, garbage),
        "evil_mail": (Peer(MAIL=b"550 5.7.1 " + EVIL + b"\r\n").talk, refused),
        "evil_rcpt": (Peer(RCPT=b"550-" + EVIL + b"\r\n550 x\r\n").talk, refused),
        "evil_data": (Peer(DATA=b"554 " + EVIL * 20 + b"\r\n").talk, refused),
        "long_dot": (Peer(dot=b"250 " + long).talk, garbage),
        "close_dot": (Peer(dot=CLOSE).talk, {"ack_lost"}),
    }
    for verb in ("greeting", "EHLO", "MAIL", "RCPT", "DATA"):
        nodes[f"close_{verb.lower()}"] = (Peer(**{verb: CLOSE}).talk, lost)
    return nodes


def silent_nodes() -> dict[str, Talk]:
    """Nodes that keep us waiting."""
    steps = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", "dot")
    silent = {f"silent_{step.lower()}": Peer(**{step: SILENCE}).talk for step in steps}
    return {"drips": drips(b"220 mx.test ESMTP\r\n"), **silent}


def evil_nodes(store: Mailstore) -> dict[str, Talk]:
    """Nodes that deliver, and say evil things while they do."""
    return {
        "evil_ehlo": taking(store, EHLO=b"250-" + EVIL + b"\r\n250 DSN\r\n"),
        "evil_id": taking(store, dot=b"250 Ok: queued as " + EVIL + b"\r\n"),
        "evil_host": taking(store, greeting=b"220 " + EVIL + b"\r\n"),
        "close_quit": taking(store, QUIT=CLOSE),
    }


def hostile_mailboxes() -> dict[str, Talk]:
    """Mailboxes that break every rule; none of them can be read."""
    never = [
        *("bye_greeting", "preauth", "http", "binary_greeting", "unknown_tag", "binary_tag"),
        *("empty_lines", "bye", "refused_select", "bad_select", "search_garbage"),
        *("search_huge_number", "endless_line", "plus_for_nothing"),
    ]
    first = "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 1] x\r\nTAG OK done\r\n"
    giant = b"* 1 FETCH (UID 9 BODY[HEADER]<0> {99999999999}\r\n" + b"x" * 100_000
    played: dict[str, Talk] = {name: BROKEN[name][0] for name in never}
    return played | {
        "giant_literal": honest(SELECT=first, FETCH=giant),
        "endless_greeting": says(b"", then=b"* OK " + EVIL),
        "endless_lines": says(b"* OK ready\r\n", then=b"* 5 EXISTS\r\n" * 1000),
        "drips": drips(b"* OK ready\r\n"),
        "long_line": says(b"* OK " + b"x" * TEN_MEGABYTES + b"\r\n"),
        "binary": says(os.urandom(100_000)),
        "silent": says(b"* OK ready\r\n", then=b" ", pause=5),
        "evil_bye": honest(NOOP=b"* BYE " + EVIL + b"\r\n"),
        "evil_login": honest(AUTHENTICATE=b"TAG NO " + SECRET.encode() + EVIL + b"\r\n"),
        "evil_select": honest(SELECT=b"TAG NO " + EVIL * 50 + b"\r\n"),
    }


def hostile_mail() -> list[bytes]:
    """Messages that anybody may send to a mailbox."""
    return [
        b"Subject: " + EVIL + b"\r\n\r\n" + EVIL,
        b"X-Mailprobe: " + EVIL + b"\r\nMessage-ID: <mailprobe." + EVIL + b"@x>\r\n\r\nx\r\n",
        b"X-Mailprobe-Control: " + EVIL + b"\r\n\r\nx\r\n",
        b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\n" + b"y" * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=x\r\n" * 1000 + b"\r\n" + b"--x\r\n" * 10_000,
        b"\x00" * 100_000,
        b"\r\n\r\n",
    ]


def bounce_of(probe: bytes) -> bytes:
    """A report that this probe was not delivered, with an evil diagnosis."""
    header = probe.partition(b"\r\n\r\n")[0]
    line = b"--limit\r\n"
    return (
        b"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.test\r\nAuto-Submitted: auto-replied\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=limit\r\n\r\n"
        + line + b"Content-Type: text/plain\r\n\r\n" + EVIL + b"\r\n"
        + line + b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\n"
        b"Final-Recipient: rfc822; x@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        b"Diagnostic-Code: smtp; 550 " + EVIL + b"\r\n\r\n"
        + line + b"Content-Type: text/rfc822-headers\r\n\r\n" + header + b"\r\n\r\n--limit--\r\n"
    )  # fmt: skip


class Bouncing:
    """Takes messages for a relay, and puts a report about each into a mailbox."""

    def __init__(self, store: Mailstore) -> None:
        self._store = store

    def append(self, content: bytes) -> None:
        """Take in a message as it came over SMTP."""
        self._store.put(bounce_of(content))


EVIL_FIELDS = (
    b"Received: from " + EVIL + b" by mx.corp.test; Sun, 22 Nov 2026 02:41:01 +0000\r\n"
    b"Received: " + EVIL + b"\r\nAuthentication-Results: mx.corp.test; spf=" + EVIL + b"\r\n"
)


class Stage:
    """The process in which they play; once it is started, their ports by name."""

    def __init__(self) -> None:
        self.ports: dict[str, dict[str, int]] = {}  # rude, silent, evil, other; mailbox.
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when all servers listen."""
        command = [sys.executable, "-m", "tests.live.hostile"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.ports = json.loads(self._process.stdout.readline())

    def kill(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


async def play() -> None:
    """Serve everything, and tell where."""
    store, plain = Mailstore(above=EVIL_FIELDS), Mailstore()
    for mail in hostile_mail():
        store.put(mail)
    bouncing = Peer()
    bouncing.messages = Bouncing(store)
    login = Peer(offers=["AUTH PLAIN"], AUTH=f"535 5.7.8 <b>{SECRET}\x1b[31m\r\n".encode())
    parts = {
        "rude": {name: talk for name, (talk, _) in rude_nodes().items()},
        "silent": silent_nodes(),
        "evil": evil_nodes(store),
        "other": {"bouncing": bouncing.talk, "login": login.talk, "polite": taking(plain)},
        "mailbox": hostile_mailboxes() | {"corp": store.talk, "plain": plain.talk},
    }
    async with AsyncExitStack() as servers:
        told: dict[str, dict[str, int]] = {part: {} for part in parts}
        for part, talks in parts.items():
            for name, talk in talks.items():
                told[part][name] = await servers.enter_async_context(serving(talk))
        print(json.dumps(told), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(play())
