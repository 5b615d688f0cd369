"""Slow, many, large and senseless connections to the pages, over raw sockets."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from probe.core.model import State
from probe.core.status import Health, Status
from probe.edges.web import BadCertificate, Certificate, WebServer, door
from tests.certificates import Certificate as Issued
from tests.certificates import CertificateAuthority

REQUEST = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
STRICT = {
    "cache-control": "no-store",
    "connection": "close",
    "referrer-policy": "no-referrer",
    "server": "mailprobe",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class LargeMetrics:
    """More than fits into the buffers of a connection."""

    async def scrape(self, accept: str, *, gzipped: bool) -> tuple[bytes, str]:
        return b"#" * 50_000_000, "text/plain"


@asynccontextmanager
async def serving(certificate: Certificate | None = None) -> AsyncIterator[WebServer]:
    server = WebServer(
        "127.0.0.1:0",
        exporter=LargeMetrics(),
        status=lambda: Status(State.OK, 0.0),
        health=lambda: Health(healthy=True, ready=True),
    )
    server.guard(login=None, certificate=certificate, external_url="")
    async with server:
        yield server


@pytest.fixture
async def server() -> AsyncIterator[WebServer]:
    async with serving() as server:
        yield server


class Client:
    """A connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, request: bytes = REQUEST) -> tuple[int, dict[str, str]]:
        """The status and the headers of the answer."""
        self.writer.write(request)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, str]]:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.strip().split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value for name, value in pairs}

    async def is_ended(self) -> bool:
        """Wait for the end; whether it came with nothing before it."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def connected(
    server: WebServer, context: ssl.SSLContext | None = None
) -> AsyncIterator[Client]:
    name = "pages.test" if context else None
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", server.port, ssl=context, server_hostname=name
    )
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def ask(server: WebServer, request: bytes = REQUEST) -> tuple[int, dict[str, str]]:
    async with connected(server) as client:
        return await client.ask(request)


# ---- slow


async def test_one_byte_at_a_time_does_not_keep_a_connection(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REQUEST_TIME", 0.5)
    began = time.monotonic()
    async with connected(server) as client:

        async def drip() -> None:
            for byte in b"GET / HTTP/1.1\r\n" + b"X-Slow: yes\r\n" * 100:
                client.writer.write(bytes([byte]))
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        assert await client.is_ended()
        dripping.cancel()
    assert 0.4 < time.monotonic() - began < 9.0


def test_the_times_are_what_an_operator_is_told() -> None:
    assert (door.MOST, door.REQUEST_TIME, door.ANSWER_TIME) == (100, 10.0, 60.0)


async def test_a_silent_connection_is_ended(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REQUEST_TIME", 0.2)
    async with connected(server) as client:
        assert await client.is_ended()


async def test_who_does_not_read_the_answer_is_ended(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ANSWER_TIME", 0.3)
    async with connected(server) as client:
        client.writer.write(REQUEST.replace(b"/-/healthy", b"/metrics"))
        await until(lambda: not server.connections)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.reader.readexactly(50_000_000)


async def test_a_body_that_never_ends_is_not_waited_for(server: WebServer) -> None:
    endless = REQUEST.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    async with connected(server) as client:
        assert (await client.ask(endless))[0] == 200
        async with asyncio.timeout(30):
            while server.connections:
                client.writer.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
                await asyncio.sleep(0.01)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - it asks the server, which tells nobody.
            await asyncio.sleep(0.01)


# ---- many


async def test_a_hundred_silent_connections_do_not_keep_others_out(server: WebServer) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(150)]
    await until(lambda: server.connections == door.MOST)
    for _ in range(20):
        assert (await ask(server))[0] == 200
    assert server.connections <= door.MOST
    ended = 0
    for reader, writer in silent:
        ended += reader.at_eof() or reader.exception() is not None
        writer.transport.abort()
    assert 50 <= ended <= 70, "the oldest went first"
    await until(lambda: server.connections == 0)


async def test_where_all_are_being_answered_one_more_is_not_let_in(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "MOST", 2)
    async with connected(server) as one, connected(server) as other:
        for busy in (one, other):
            busy.writer.write(REQUEST.replace(b"/-/healthy", b"/metrics"))
            assert (await busy.answer())[0] == 200
        async with connected(server) as third:
            assert await third.is_ended()
        assert server.connections == 2
    await until(lambda: server.connections == 0)
    assert (await ask(server))[0] == 200


async def test_each_connection_is_for_one_request(server: WebServer) -> None:
    async with connected(server) as client:
        client.writer.write(REQUEST * 3)
        await client.answer()
        assert (await client.reader.read()) == b"healthy\n"


# ---- large, and senseless


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (REQUEST.replace(b"\r\n\r\n", b"\r\nX: " + b"a" * 5000 + b"\r\n\r\n"), 400),
        (REQUEST.replace(b"\r\n\r\n", b"\r\nX: a" * 100 + b"\r\n\r\n"), 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"hello\r\n\r\n", 400),
        (REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: 65537\r\n\r\n"), 413),
        (REQUEST.replace(b"\r\n\r\n", b"\r\nContent-Length: -1\r\n\r\n"), 400),
    ],
    ids=["line", "field", "fields", "tls", "greeting", "body", "negative"],
)
async def test_what_is_too_large_or_no_request_is_refused_strictly_and_quietly(
    server: WebServer, request_: bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    code, headers = await ask(server, request_)
    assert code == status
    assert headers.items() >= STRICT.items()
    assert "strict-transport-security" not in headers
    assert caplog.messages == []


async def test_an_endless_header_is_not_kept(server: WebServer) -> None:
    async with connected(server) as client:
        client.writer.write(b"GET / HTTP/1.1\r\nX: ")
        with pytest.raises(ConnectionError):
            for _ in range(1000):
                client.writer.write(b"a" * 10_000)
                await client.writer.drain()
                await asyncio.sleep(0)
        assert server.connections <= 1


# ---- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


class Files:
    """A certificate and its key, in files that change."""

    def __init__(self, folder: Path, issued: Issued) -> None:
        self.certificate, self.key = folder / "our.pem", folder / "our.key"
        self.now = 1000.0
        self.put(issued)

    def put(self, issued: Issued) -> None:
        self.certificate.write_bytes(issued.chain_file.read_bytes())
        self.key.write_bytes(issued.key_file.read_bytes())

    def read(self) -> Certificate:
        return Certificate(str(self.certificate), str(self.key), now=lambda: self.now)


@pytest.fixture
def files(tmp_path: Path, authority: CertificateAuthority) -> Files:
    return Files(tmp_path, authority.issue("pages.test"))


def trusting(authority: CertificateAuthority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca_file)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


async def serial(server: WebServer, authority: CertificateAuthority) -> str:
    """The serial number of the certificate that the server shows now."""
    async with connected(server, trusting(authority)) as client:
        return str(client.writer.get_extra_info("peercert")["serialNumber"])


async def test_over_tls_answers_are_as_strict_and_say_so(
    files: Files, authority: CertificateAuthority
) -> None:
    async with serving(files.read()) as server, connected(server, trusting(authority)) as client:
        assert client.writer.get_extra_info("cipher")[1] in ("TLSv1.2", "TLSv1.3")
        code, headers = await client.ask()
        assert code == 200
        assert headers.items() >= STRICT.items()
        assert headers["strict-transport-security"] == "max-age=86400"
    async with serving(files.read()) as server, connected(server, trusting(authority)) as client:
        code, headers = await client.ask(b"hello\r\n\r\n")
        assert (code, headers["strict-transport-security"]) == (400, "max-age=86400")


def test_old_tls_is_refused(files: Files) -> None:
    assert files.read().context().minimum_version is ssl.TLSVersion.TLSv1_2


async def test_a_renewed_certificate_is_shown_without_a_restart(
    files: Files, authority: CertificateAuthority
) -> None:
    async with serving(files.read()) as server:
        first = await serial(server, authority)
        files.put(authority.issue("pages.test"))
        assert await serial(server, authority) == first, "it is looked at once a second"
        files.now += 1.0
        assert await serial(server, authority) != first


async def test_a_bad_renewal_changes_nothing_and_is_said_once(
    files: Files, authority: CertificateAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(files.read()) as server:
        first = await serial(server, authority)
        good = authority.issue("pages.test")
        files.certificate.write_bytes(good.chain_file.read_bytes())
        for _ in range(3):
            files.now += 1.0
            assert await serial(server, authority) == first
        assert ["the former certificate stays" in message for message in caplog.messages] == [True]
        files.key.write_bytes(good.key_file.read_bytes())
        files.now += 1.0
        assert await serial(server, authority) != first
        files.key.unlink()
        files.now += 1.0
        assert await serial(server, authority) != first


async def test_a_handshake_that_is_never_finished_is_ended(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "REQUEST_TIME", 0.2)
    async with serving(files.read()) as server, connected(server) as client:
        client.writer.write(b"\x16\x03\x01")
        assert await client.is_ended()
        await until(lambda: server.connections == 0)


async def test_clear_text_to_tls_is_ended(files: Files) -> None:
    async with serving(files.read()) as server:
        async with connected(server) as client:
            client.writer.write(REQUEST)
            await client.reader.read()
        await until(lambda: server.connections == 0)


async def test_silent_handshakes_do_not_keep_others_out(
    files: Files, authority: CertificateAuthority
) -> None:
    async with serving(files.read()) as server:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(120)]
        await until(lambda: server.connections == door.MOST)
        async with connected(server, trusting(authority)) as client:
            assert (await client.ask())[0] == 200
        for _, writer in silent:
            writer.transport.abort()
        await until(lambda: server.connections == 0)


@pytest.mark.parametrize("wrong", ["missing", "garbage", "another key"])
def test_bad_files_are_no_certificate(
    files: Files, authority: CertificateAuthority, wrong: str
) -> None:
    match wrong:
        case "missing":
            files.key.unlink()
        case "garbage":
            files.certificate.write_text("x")
        case _:
            files.key.write_bytes(authority.issue("other").key_file.read_bytes())
    with pytest.raises(BadCertificate, match=r"web\.tls: .*our\.pem and .*our\.key "):
        files.read()
