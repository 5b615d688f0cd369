"""The pages behind a login: who gets in, and what is said about who does not."""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from probe.core.model import State
from probe.core.status import Health, Status
from probe.edges.web import Login, WebServer
from probe.edges.web.server import is_loopback
from probe.metrics import Exporter
from probe.ports import SecretUnreadable

PAGES = ["/", "/metrics", "/api/v1/status", "/nowhere"]


@dataclass
class Changing:
    """A secret whose file can change, or go away."""

    text: str | None = "hunter2"

    def read(self) -> str:
        if self.text is None:
            raise SecretUnreadable("'/run/secrets/web' cannot be read: No such file or directory")
        return self.text


@dataclass
class World:
    """A server with a login, and somebody who asks."""

    secret: Changing = field(default_factory=Changing)
    now: float = 1000.0
    wrong: str = ""
    reloads: int = 0
    server: WebServer = field(init=False)
    client: aiohttp.ClientSession = field(init=False)

    async def reload(self) -> str:
        self.reloads += 1
        return self.wrong

    async def ask(
        self,
        path: str,
        login: tuple[str, str] | None = None,
        *,
        method: str = "GET",
        **headers: str,
    ) -> tuple[int, str, aiohttp.ClientResponse]:
        if login is not None:
            token = base64.b64encode(":".join(login).encode()).decode()
            headers["Authorization"] = f"Basic {token}"
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with self.client.request(method, url, headers=headers) as response:
            return response.status, await response.text(), response


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    world.server = WebServer(
        "127.0.0.1:0",
        exporter=Exporter(),
        status=lambda: Status(State.OK, 0.0),
        health=lambda: Health(healthy=True, ready=True),
        reload=world.reload,
    )
    async with world.server, aiohttp.ClientSession() as world.client:
        yield world


@pytest.fixture
def guarded(world: World) -> World:
    login = Login("ops", world.secret, now=lambda: world.now)
    world.server.guard(login=login, certificate=None, external_url="")
    return world


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_login_nothing_is_shown(guarded: World, path: str) -> None:
    code, text, response = await guarded.ask(path)
    assert (code, text) == (401, "401: Unauthorized")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="mailprobe", charset="UTF-8"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_who_is_not_logged_in_is_not_told_what_there_is(guarded: World, method: str) -> None:
    assert (await guarded.ask("/metrics", method=method))[0] == 401


async def test_with_it_everything_is(guarded: World) -> None:
    codes = [(await guarded.ask(path, ("ops", "hunter2")))[0] for path in PAGES]
    assert codes == [200, 200, 200, 404]


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
async def test_health_is_for_all(guarded: World, path: str) -> None:
    assert (await guarded.ask(path))[0] == 200


@pytest.mark.parametrize("path", ["/-/healthy/", "//-/healthy", "/-/healthy/../../metrics"])
async def test_what_only_looks_like_it_is_not(guarded: World, path: str) -> None:
    assert (await guarded.ask(path))[0] in (401, 404)


@pytest.mark.parametrize("login", [("ops", "hunter"), ("oops", "hunter2"), ("", "")])
async def test_a_wrong_login_is_refused(guarded: World, login: tuple[str, str]) -> None:
    assert (await guarded.ask("/metrics", login))[0] == 401


async def test_a_changed_password_holds_at_once(guarded: World) -> None:
    guarded.secret.text = "changed"
    assert (await guarded.ask("/metrics", ("ops", "hunter2")))[0] == 401
    assert (await guarded.ask("/metrics", ("ops", "changed")))[0] == 200


async def test_a_password_that_cannot_be_read_lets_nobody_in(
    guarded: World, caplog: pytest.LogCaptureFixture
) -> None:
    guarded.secret.text = None
    assert (await guarded.ask("/metrics", ("ops", "")))[0] == 401
    assert "web.basic_auth.password: '/run/secrets/web' cannot be read" in caplog.text


async def test_guessing_is_told_once_a_minute_with_where_it_comes_from(
    guarded: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for guess in ("a", "b", "c"):
        await guarded.ask("/metrics", ("ops", guess))
    told = ["A wrong login to the pages was refused, from 127.0.0.1."]
    assert caplog.messages == told
    guarded.now += 61
    await guarded.ask("/metrics", ("ops", "d"))
    assert caplog.messages == told * 2


async def test_a_browser_that_has_not_been_asked_yet_is_no_guess(
    guarded: World, caplog: pytest.LogCaptureFixture
) -> None:
    await guarded.ask("/")
    assert caplog.messages == []


# ---- /-/reload


async def test_a_reload_answers_that_it_is_done(world: World) -> None:
    assert (await world.ask("/-/reload", method="POST"))[:2] == (200, "reloaded\n")
    assert world.reloads == 1


async def test_a_reload_answers_what_is_wrong(world: World) -> None:
    world.wrong = "f.yaml:3: relays: is missing\nf.yaml:4: x: unknown key"
    assert (await world.ask("/-/reload", method="POST"))[:2] == (400, f"{world.wrong}\n")


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_only_a_post_reloads(world: World, method: str) -> None:
    code, _, response = await world.ask("/-/reload", method=method)
    assert (code, response.headers["Allow"], world.reloads) == (405, "POST", 0)


async def test_a_page_of_others_in_a_browser_here_cannot_reload(world: World) -> None:
    code, _, _ = await world.ask("/-/reload", method="POST", Origin="https://evil.example")
    assert (code, world.reloads) == (403, 0)


async def test_with_a_login_a_reload_needs_it(guarded: World) -> None:
    assert (await guarded.ask("/-/reload", method="POST"))[0] == 401
    assert guarded.reloads == 0
    assert (await guarded.ask("/-/reload", ("ops", "hunter2"), method="POST"))[0] == 200
    assert guarded.reloads == 1


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        *(("127.0.0.1", True), ("127.8.8.8", True), ("::1", True)),
        *(("192.0.2.1", False), ("::", False), ("fe80::1%eth0", False), ("10.0.0.1", False)),
        *(("", False), (None, False), ("localhost", False)),
    ],
)
def test_only_loopback_is_here(peer: str | None, local: bool) -> None:
    assert is_loopback(peer) is local


async def test_a_peer_is_judged_by_its_address_whatever_it_says(world: World) -> None:
    said = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1"}
    assert (await world.ask("/-/reload", method="POST", **said))[0] == 200
