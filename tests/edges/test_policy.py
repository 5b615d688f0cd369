"""Policies of MTA-STS over real HTTPS: what senders accept, and every way they do not."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from probe.core.records.mta_sts import MAX_POLICY, Fetched
from probe.edges.policy import PATH, PolicyFetcher
from tests.certificates import CertificateAuthority

HOST = "mta-sts.shop.test"
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.shop.test\r\nmax_age: 604800\r\n"

Respond = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@asynccontextmanager
async def serving(respond: Respond, context: ssl.SSLContext) -> AsyncIterator[int]:
    application = web.Application()
    application.router.add_get("/{path:.*}", respond)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def fetched(authority: CertificateAuthority, respond: Respond, *names: str) -> Fetched:
    context = authority.issue(*(names or (HOST,))).server_context()
    async with serving(respond, context) as port:
        fetcher = PolicyFetcher(ca_file=str(authority.ca_file), port=port)
        return await fetcher.fetch(HOST, ["127.0.0.1"])


async def good(request: web.Request) -> web.Response:
    assert request.path == PATH
    assert request.host.split(":")[0] == HOST
    return web.Response(text=POLICY, content_type="text/plain")


async def elsewhere(request: web.Request) -> web.Response:
    raise web.HTTPFound("https://mta-sts.shop.test/other")


async def gone(request: web.Request) -> web.Response:
    raise web.HTTPNotFound


async def endless(request: web.Request) -> web.Response:
    return web.Response(text="x" * (MAX_POLICY + 1), content_type="text/plain")


async def breaking_off(request: web.Request) -> web.Response:
    assert request.transport
    request.transport.abort()
    return web.Response()


async def test_a_policy_is_fetched(authority: CertificateAuthority) -> None:
    assert await fetched(authority, good) == Fetched(POLICY, "text/plain")


@pytest.mark.parametrize(
    ("respond", "said"),
    [
        (elsewhere, "redirects to elsewhere"),
        (gone, "answers 404"),
        (endless, "more than 65536 octets"),
    ],
)
async def test_what_senders_do_not_accept(
    authority: CertificateAuthority, respond: Respond, said: str
) -> None:
    found = await fetched(authority, respond)
    assert said in found.refused
    assert not found.text


async def test_the_certificate_must_be_for_the_name(authority: CertificateAuthority) -> None:
    found = await fetched(authority, good, "other.test")
    assert "do not trust the web server mta-sts.shop.test" in found.refused


async def test_the_certificate_must_come_from_a_known_authority(
    authority: CertificateAuthority,
) -> None:
    async with serving(good, authority.issue(HOST).server_context()) as port:
        found = await PolicyFetcher(port=port).fetch(HOST, ["127.0.0.1"])
    assert "do not trust" in found.refused


async def test_who_cannot_be_reached_is_unknown(authority: CertificateAuthority) -> None:
    found = await PolicyFetcher(ca_file=str(authority.ca_file), port=1).fetch(HOST, ["127.0.0.1"])
    assert "could not be reached: " in found.unknown


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "500"})
    await response.prepare(request)
    await response.write(b"version: STSv1\r\n")
    return await breaking_off(request)


@pytest.mark.parametrize("respond", [breaking_off, half])
async def test_who_breaks_off_is_unknown(authority: CertificateAuthority, respond: Respond) -> None:
    found = await fetched(authority, respond)
    assert "broke off" in found.unknown


async def test_who_is_silent_is_unknown(authority: CertificateAuthority) -> None:
    left = asyncio.Semaphore(0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.release()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        fetcher = PolicyFetcher(ca_file=str(authority.ca_file), port=port, deadline=0.2)
        found = await fetcher.fetch(HOST, ["127.0.0.1"])
        for _ in range(2):
            await left.acquire()
    assert found.unknown == "The web server mta-sts.shop.test did not answer within 0.2 s."
