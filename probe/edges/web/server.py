"""The HTTP server."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import re
import ssl
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol, Self, cast

from aiohttp import web
from aiohttp.web_exceptions import (
    HTTPForbidden,
    HTTPMethodNotAllowed,
    HTTPNotFound,
    HTTPRequestEntityTooLarge,
)

from probe.core.status import Health, Status
from probe.edges.web.api import incidents_json, status_json
from probe.edges.web.certificate import Certificate
from probe.edges.web.door import Door, Visitor
from probe.edges.web.header import strict
from probe.edges.web.login import Login
from probe.edges.web.page import page
from probe.edges.web.runbook import runbook_page

LARGEST_BODY = 64 * 1024
SHUTDOWN = 2.0  # s that what is being answered gets when we stop.
RELOAD = "/-/reload"

_METHODS = ("GET", "HEAD")
_REFUSED = re.compile(r"q=0(\.0*)?")

Reload = Callable[[], Awaitable[str]]
_Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CannotListen(Exception):
    """The address is taken, or is not ours; the text says which address, and why."""


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
        reload: Reload | None = None,
    ) -> None:
        """A server for `listen`, which is `HOST:PORT`, IPv6 in brackets.

        `reload` reads the configuration again and answers what is wrong with it, or nothing.
        """
        self._listen = listen
        self._host, self._port = address(listen)
        self._exporter = exporter
        self._status = status
        self._health = health
        self._reload = reload
        self._login: Login | None = None
        self._certificate: Certificate | None = None
        self._external_url = ""
        self._runner = web.AppRunner(
            self._application(), handle_signals=False, shutdown_timeout=SHUTDOWN
        )
        self._door: Door | None = None

    def guard(
        self, *, login: Login | None, certificate: Certificate | None, external_url: str
    ) -> None:
        """From now on so: who must log in, with which TLS, and where we are seen from outside."""
        self._login, self._certificate, self._external_url = login, certificate, external_url

    async def __aenter__(self) -> Self:
        """Listen. Raises CannotListen."""
        await self._runner.setup()
        assert self._runner.server is not None
        self._door = Door(self._runner.server, self._context)
        try:
            await self._door.open(self._host, self._port)
        except OSError as error:
            await self._runner.cleanup()
            taken = error.errno == errno.EADDRINUSE
            why = "is taken by another process" if taken else f"cannot be used: {error.strerror}"
            raise CannotListen(f"web.listen: {self._listen} {why}") from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening; what is being answered gets 2 s."""
        assert self._door is not None
        await self._door.shut()
        await self._runner.cleanup()
        await self._door.empty()

    @property
    def port(self) -> int:
        """The port that is listened at: the one that was found, if `listen` said 0."""
        assert self._door is not None
        return self._door.port

    @property
    def connections(self) -> int:
        """How many there are at this moment."""
        assert self._door is not None
        return self._door.inside

    def _context(self) -> ssl.SSLContext | None:
        return None if self._certificate is None else self._certificate.context()

    def _application(self) -> web.Application:
        @web.middleware
        async def receive(request: web.Request, handler: _Answer) -> web.StreamResponse:
            self._check(request)
            return await handler(request)

        application = web.Application(client_max_size=LARGEST_BODY, middlewares=[receive])
        application.on_response_prepare.append(_harden)
        application.router.add_get("/", self._page)
        application.router.add_get("/runbooks/{alert}", self._runbook)
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get("/api/v1/status", self._api)
        application.router.add_get("/api/v1/incidents", self._incidents)
        application.router.add_get("/-/healthy", self._healthy)
        application.router.add_get("/-/ready", self._ready)
        if self._reload is not None:
            application.router.add_post(RELOAD, self._reloaded)
        return application

    def _check(self, request: web.Request) -> None:
        """Refuse who may not ask, and what nobody needs to ask."""
        cast(Visitor, request.protocol).asked()
        if self._login is not None:
            self._login.check(request)
        methods = ("POST",) if request.path == RELOAD and self._reload else _METHODS
        if request.method not in methods:
            raise HTTPMethodNotAllowed(request.method, methods)
        if (request.content_length or 0) > LARGEST_BODY:
            raise HTTPRequestEntityTooLarge(LARGEST_BODY, request.content_length or 0)

    async def _reloaded(self, request: web.Request) -> web.Response:
        assert self._reload is not None
        # A page of others, in the browser of somebody who may, says where it comes from.
        if "Origin" in request.headers:
            raise HTTPForbidden(text="this is not for browsers\n")
        if self._login is None and not is_loopback(request.remote):
            raise HTTPForbidden(text="without web.basic_auth this is for loopback only\n")
        if wrong := await self._reload():
            return web.Response(text=f"{wrong}\n", status=400)
        return web.Response(text="reloaded\n")

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

    async def _incidents(self, _: web.Request) -> web.Response:
        text = await asyncio.to_thread(incidents_json, self._status().incidents)
        return web.Response(text=text, content_type="application/json")

    async def _page(self, _: web.Request) -> web.Response:
        text = await asyncio.to_thread(page, self._status(), time.time(), self._external_url)
        return web.Response(text=text, content_type="text/html")

    async def _runbook(self, request: web.Request) -> web.Response:
        alert = request.match_info["alert"]
        text = await asyncio.to_thread(runbook_page, alert, self._external_url)
        if text is None:
            raise HTTPNotFound(text="there is no such runbook\n")
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


def is_loopback(peer: str | None) -> bool:
    """Whether a peer's address is our own machine's."""
    try:
        return ipaddress.ip_address(peer or "").is_loopback
    except ValueError:
        return False


async def _harden(request: web.Request, response: web.StreamResponse) -> None:
    """Headers of every answer, errors too; and each is the last one of its connection."""
    response.headers.update(strict(secure=request.secure))
    response.force_close()


def _plain(good: bool, word: str, detail: str) -> web.Response:
    text = f"{word}\n" if good else f"not {word}: {detail}\n"
    return web.Response(text=text, status=200 if good else 503)
