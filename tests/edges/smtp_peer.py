"""An SMTP server on a real socket that says what it is told to, right or wrong."""

import asyncio
from contextlib import asynccontextmanager, suppress

from probe.core.model import Node, Relay, Timeouts, TlsMode
from probe.edges.clock import SystemClock
from probe.edges.smtp import SmtpSubmitter
from probe.ports import Addresses, Letter
from tests.secret import FixedSecret

CLOSE = object()  # Close the connection instead of a reply.
SILENCE = object()  # Say nothing until the client goes away.

OFFERS = ("SIZE 1000000", "DSN")


class Peer:
    """A server with a reply for each verb; `greeting` and `.` (after the final dot) are verbs too.

    What is not told otherwise is answered politely.
    """

    def __init__(self, *, offers=OFFERS, tls=None, implicit=False, **replies):
        self.offers = offers
        self.replies = replies
        self.commands = []
        self.messages = []
        self.gone = asyncio.Event()  # The client has gone away.
        self.port = 0
        self._tls = tls
        self._implicit = implicit

    async def talk(self, reader, writer):
        """Serve one client."""
        if self._implicit:
            await writer.start_tls(self._tls)
        if not await self._say(writer, reader, "greeting", b"220 mx.test ESMTP\r\n"):
            return
        while line := await reader.readline():
            self.commands.append(line.decode("utf-8", "replace").rstrip())
            verb = line.split()[0].upper().decode("utf-8", "replace")
            if not await self._say(writer, reader, verb, self._polite(verb)):
                return
            if verb == "STARTTLS" and self._tls is not None:
                await writer.start_tls(self._tls)
            if verb == "DATA" and not await self._take(reader, writer):
                return
            if verb == "QUIT":
                return

    async def _take(self, reader, writer):
        if "DATA" in self.replies:
            return True
        content = b""
        while not content.endswith(b"\r\n.\r\n"):
            line = await reader.readline()
            if not line:
                return False
            content += line
        self.messages.append(content)
        return await self._say(writer, reader, "dot", b"250 2.0.0 Ok: queued as ABC123\r\n")

    async def _say(self, writer, reader, verb, polite):
        reply = self.replies.get(verb, polite)
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if reply is SILENCE:
            await reader.read()
        if reply in (SILENCE, CLOSE):
            return False
        writer.write(reply)
        await writer.drain()
        return True

    def _polite(self, verb):
        if verb == "EHLO":
            lines = ["mx.test", *self.offers]
            heads = ["250-"] * (len(lines) - 1) + ["250 "]
            return "".join(f"{h}{x}\r\n" for h, x in zip(heads, lines, strict=True)).encode()
        return {
            "STARTTLS": b"220 2.0.0 Ready\r\n",
            "AUTH": b"235 2.7.0 Welcome\r\n",
            "DATA": b"354 Go on\r\n",
            "QUIT": b"221 2.0.0 Bye\r\n",
        }.get(verb, b"250 2.0.0 Ok\r\n")


@asynccontextmanager
async def serving(talk, gone=None):
    """The port on which `talk(reader, writer)` serves every client, until the end."""
    serving = set()

    async def serve(reader, writer):
        serving.add(asyncio.current_task())
        try:
            with suppress(ConnectionError, TimeoutError, asyncio.IncompleteReadError, OSError):
                await talk(reader, writer)
            writer.close()
            with suppress(Exception):
                while await reader.read(65536):
                    pass
            if gone is not None:
                gone.set()
        except asyncio.CancelledError:
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


@asynccontextmanager
async def serving_peer(peer):
    """A Peer that serves, with its port."""
    async with serving(peer.talk, peer.gone) as peer.port:
        yield peer


class Names:
    """A resolver that knows these names; an exception instead of addresses is raised."""

    def __init__(self, **names):
        self._names = names

    async def addresses(self, name):
        found = self._names[name]
        if isinstance(found, Exception):
            raise found
        return Addresses(tuple(found), 60.0)


LETTER = Letter(
    sender="probe@shop.test",
    recipient="probe+x@box.test",
    content=b"Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n",
    envelope_id="id=1",
)


class Client:
    """A submitter with a relay on loopback, and what it told about its phases."""

    def __init__(self, *, secret=None, names=None, hard=10.0, **relay):
        relay = {"tls": TlsMode.NONE, "host": "mx.test"} | relay
        self.relay = Relay(name="pool", port=25, timeouts=Timeouts(hard=hard), **relay)
        secret = None if secret is None else FixedSecret(secret)
        self.submitter = SmtpSubmitter(self.relay, secret, names or Names(), SystemClock())
        self.entered = []

    async def submit(self, port, host="127.0.0.1", letter=LETTER, entered=None, **node):
        self.entered = []
        node = Node("pool", "n1", host, port, **node)

        def tell(phase, _):
            self.entered.append(phase)
            if entered is not None:
                entered(phase)

        return await self.submitter.submit(node, letter, tell)
