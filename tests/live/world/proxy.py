"""A TCP proxy before a server: what a network, or a server's outermost part, can do to us."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from itertools import repeat
from typing import Any, TypeVar

from tests.live.world.ground import LOOPBACK, World

Address = tuple[str, int]
Answer = TypeVar("Answer")

REFUSAL = b"451 4.3.0 <probe>: Temporary lookup failure\r\n"

_BACKLOG = 200
_LIMIT = 65536
_VANISHED = 0.05  # A connection within this machine takes less, or is never made (s).


class Network:
    """A thread in which proxies work; they end with it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="network")
        self._proxies: list[Proxy] = []

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def kill(self) -> None:
        """End all proxies with all their connections."""
        if self._thread.is_alive():
            for proxy in self._proxies:
                proxy.refuse()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def before(self, host: str, port: int, *, at: Address | None = None) -> Proxy:
        """A proxy that leads to a server; it listens where it is told to, or somewhere."""
        proxy = Proxy(self, repeat((host, port)), at=at or (LOOPBACK, self._world.port()))
        proxy.heal()
        self._proxies.append(proxy)
        return proxy

    def do(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """The answer of what is done in the thread of the proxies."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)


class Proxy:
    """Passes connections on as long as nothing is wrong with it."""

    def __init__(self, network: Network, servers: Iterator[Address], *, at: Address) -> None:
        self.address, self.port = at
        self._network = network
        self._servers = servers
        self._greets_after = 0.0
        self._refuses: Callable[[], bool] | None = None
        self._listener: socket.socket | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._crowd: list[socket.socket] = []  # Connections that fill the listener's queue.
        self._flowing = asyncio.Event()

    def lead_to(self, servers: Iterator[Address]) -> None:
        """Each new connection leads to the next of these: a load balancer, however it chooses."""
        self._servers = servers

    def greet_after(self, seconds: float) -> None:
        """What the server says first comes so much later."""
        self._greets_after = seconds

    def refuse_recipients(self, refuses: Callable[[], bool]) -> None:
        """Refuse a RCPT, which the server never hears, whenever this says so."""
        self._refuses = refuses

    def refuse(self) -> None:
        """As if the server had been stopped: connections are closed, and new ones refused."""
        self._network.do(self._refuse())

    def drop(self) -> None:
        """As if a firewall dropped all packets: there is no answer to anything."""
        self._network.do(self._drop())

    def heal(self) -> None:
        """Pass on as a healthy network does; what waited comes through now."""
        self._greets_after = 0.0
        self._refuses = None
        self._network.do(self._heal())

    async def _refuse(self) -> None:
        self._stop_accepting()
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        self._disperse()
        await asyncio.sleep(0)  # Whoever has just been accepted begins, so that he ends in order.
        for connection in (everyone := tuple(self._connections)):
            connection.cancel()
        await asyncio.gather(*everyone, return_exceptions=True)

    async def _drop(self) -> None:
        self._stop_accepting()
        self._flowing.clear()
        # No rights are needed for this: a listener whose queue is full answers to no SYN.
        assert self._listener is not None
        self._listener.listen(0)
        with suppress(TimeoutError):
            while True:
                async with asyncio.timeout(_VANISHED):
                    self._crowd.append(stranger := socket.socket())
                    stranger.setblocking(False)
                    await asyncio.get_running_loop().sock_connect(
                        stranger, (self.address, self.port)
                    )

    async def _heal(self) -> None:
        if self._listener is None:
            self._listener = socket.create_server((self.address, self.port), backlog=_BACKLOG)
            self._listener.setblocking(False)
        self._listener.listen(_BACKLOG)
        self._disperse()
        self._flowing.set()
        asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _disperse(self) -> None:
        for stranger in self._crowd:
            stranger.close()
        self._crowd.clear()

    def _stop_accepting(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)

    def _accept(self) -> None:
        # No task that could be cancelled between a connection and its being passed on.
        assert self._listener is not None
        with suppress(OSError):
            client, _ = self._listener.accept()
            client.setblocking(False)
            connection = asyncio.create_task(self._pass_on(client))
            self._connections.add(connection)
            connection.add_done_callback(self._connections.discard)

    async def _pass_on(self, client: socket.socket) -> None:
        from_client, to_client = await asyncio.open_connection(sock=client)
        try:
            from_server, to_server = await asyncio.open_connection(*next(self._servers))
            there = asyncio.create_task(self._there(from_client, to_server, to_client))
            back = asyncio.create_task(self._back(from_server, to_client))
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                to_server.close()
                there.cancel()
                back.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        except OSError:
            pass  # The server is gone: so is the connection.
        finally:
            to_client.close()

    async def _there(
        self,
        from_client: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
    ) -> None:
        with suppress(OSError):
            while said := await from_client.read(_LIMIT):
                await self._flowing.wait()
                is_recipient = said[:5].upper() == b"RCPT "
                if is_recipient and self._refuses is not None and self._refuses():
                    to_client.write(REFUSAL)
                else:
                    to_server.write(said)

    async def _back(
        self, from_server: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            greeting = await from_server.read(_LIMIT)
            await asyncio.sleep(self._greets_after)
            await self._flowing.wait()
            to_client.write(greeting)
            while said := await from_server.read(_LIMIT):
                await self._flowing.wait()
                to_client.write(said)
