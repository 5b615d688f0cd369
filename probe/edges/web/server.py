"""The HTTP server."""

from __future__ import annotations

import asyncio
import errno
import re
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self

from aiohttp import web
from aiohttp.web_exceptions import HTTPMethodNotAllowed, HTTPRequestEntityTooLarge

from probe.core.status import Health, Status
from probe.edges.web.api import status_json
from probe.edges.web.page import POLICY, page

_LARGEST_BODY = 64 * 1024
_METHODS = ("GET", "HEAD")
_REFUSED = re.compile(r"q=0(\.0*)?")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PortTaken(Exception):
    """Another process listens at our address; the text says which address."""


class Scrapes(Protocol):
    """Gives all metrics."""

    async def scrape(self, accept: str, *, gzipped: bool) -> tuple[bytes, str]:
        """The metrics in the format that an Accept header asks for, and their content type."""


class WebServer:
    """Listens while it is entered. `status` and `health` are asked anew for every request."""

    def __init__(
        self,
        listen: str = "127.0.0.1:9841",
        *,
        exporter: Scrapes,
        status: Callable[[], Status],
        health: Callable[[], Health],
    ) -> None:
        """A server for `listen`, which is `HOST:PORT`, IPv6 in brackets."""
        self._listen = listen
        self._host, self._port = address(listen)
        self._exporter = exporter
        self._status = status
        self._health = health
        self._runner = web.AppRunner(
            self._application(), handle_signals=False, access_log=None, shutdown_timeout=2
        )

    async def __aenter__(self) -> Self:
        """Listen. Raises PortTaken, or OSError where there is no such address or port for us."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(
                    f"web.listen: {self._listen} is taken by another process"
                ) from error
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening; what is being answered gets 2 s."""
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """The port that is listened at: the one that was found, if `listen` said 0."""
        return int(self._runner.addresses[0][1])

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_BODY, middlewares=[_refuse_unwanted])
        application.on_response_prepare.append(_harden)
        application.router.add_get("/", self._page)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/api/v1/status", self._api)
        application.router.add_get("/-/healthy", self._healthy)
        application.router.add_get("/-/ready", self._ready)
        return application

    async def _metrics(self, request: web.Request) -> web.Response:
        gzipped = takes_gzip(request.headers.get("Accept-Encoding", ""))
        accept = ",".join(request.headers.getall("Accept", []))
        body, content_type = await self._exporter.scrape(accept, gzipped=gzipped)
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if gzipped:
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)

    async def _api(self, _: web.Request) -> web.Response:
        text = await asyncio.to_thread(status_json, self._status())
        return web.Response(text=text, content_type="application/json")

    async def _page(self, _: web.Request) -> web.Response:
        text = await asyncio.to_thread(page, self._status(), time.time())
        return web.Response(text=text, content_type="text/html")

    async def _healthy(self, _: web.Request) -> web.Response:
        health = self._health()
        return _plain(health.healthy, "healthy", health.detail)

    async def _ready(self, _: web.Request) -> web.Response:
        health = self._health()
        return _plain(health.ready, "ready", health.detail)


def address(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`. Raises ValueError."""
    host, colon, port = listen.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    sound = colon and bare and bracketed == (":" in bare)
    if not sound or not (port.isascii() and port.isdecimal() and int(port) <= 65535):
        raise ValueError(f"web.listen: {listen!r} is not HOST:PORT, nor [IPV6]:PORT")
    return bare, int(port)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header offers gzip (RFC 9110 §12.5.3)."""
    for offer in accept_encoding.lower().split(","):
        coding, _, weight = (part.strip() for part in offer.partition(";"))
        if coding == "gzip":
            return not _REFUSED.fullmatch(weight)
    return False


@web.middleware
async def _refuse_unwanted(request: web.Request, handler: _Answer) -> web.StreamResponse:
    """Nothing here takes anything: what is not asked by GET or HEAD, or is large, is refused."""
    if request.method not in _METHODS:
        raise HTTPMethodNotAllowed(request.method, _METHODS)
    if (request.content_length or 0) > _LARGEST_BODY:
        raise HTTPRequestEntityTooLarge(_LARGEST_BODY, request.content_length or 0)
    return await handler(request)


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, errors too."""
    response.headers.update(_HEADERS)


def _plain(good: bool, word: str, detail: str) -> web.Response:
    text = f"{word}\n" if good else f"not {word}: {detail}\n"
    return web.Response(text=text, status=200 if good else 503)
