"""The HTTP face, asked over real connections."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from probe.core.component import Component, Fault, Kind
from probe.core.incident import End, Grievance, Incident, Share
from probe.core.model import RouteKey, State
from probe.core.status import ComponentStatus, FaultStatus, Health, Mark, RouteStatus, Status
from probe.edges.web import CannotListen, WebServer
from probe.edges.web.login import Login
from probe.edges.web.server import address
from probe.metrics import Exporter

GOOD = RouteStatus(
    RouteKey("pool", "192.0.2.11", "shop", "corp"),
    State.OK,
    in_flight=1,
    last_success=1_795_316_640.0,
    recent=(Mark.GOOD,) * 60,
)
BAD = RouteStatus(
    RouteKey("pool", "192.0.2.12", "shop", "corp"),
    State.DOWN,
    in_flight=7,
    oldest_unanswered=1_795_316_600.25,
    last_success=None,
    recent=(Mark.GOOD, Mark.BAD, Mark.UNKNOWN),
    evidence="450 4.7.1 try again later",
)
HEALTHY = Health(healthy=True, ready=True)
BACK = ComponentStatus(Component(Kind.MAILBOX, mailbox="back"), State.OK, 1_795_316_640.0)
FULL = ComponentStatus(
    Component(Kind.MAILBOX, mailbox="corp"),
    State.DEGRADED,
    1_795_316_643.0,  # It has been degraded since it was found out; at fault, since earlier.
    (
        FaultStatus(
            Fault.FULL,
            1_795_316_640.0,
            confirmed=True,
            evidence=("552 5.2.2 it is <full>", "100 % of its quota is used"),
        ),
    ),
)
STATUS = Status(State.DOWN, 1_795_316_645.0, (GOOD, BAD))


class CountedMetrics:
    """What is scraped, with what was asked for."""

    async def scrape(self, accept: str, *, gzipped: bool) -> tuple[bytes, str]:
        text = f"# {accept}\n".encode()
        return (gzip.compress(text) if gzipped else text), "text/plain; version=0.0.4"


@dataclass
class World:
    """A running server, and what it is told."""

    server: WebServer = field(init=False)
    client: aiohttp.ClientSession = field(init=False)
    status: Status = STATUS
    health: Health = HEALTHY

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server.port}{path}"

    async def get(self, path: str, **headers: str) -> tuple[int, str, aiohttp.ClientResponse]:
        async with self.client.get(self.url(path), headers=headers) as response:
            return response.status, await response.text(), response


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    world.server = WebServer(
        "127.0.0.1:0",
        exporter=CountedMetrics(),
        status=lambda: world.status,
        health=lambda: world.health,
    )
    async with world.server, aiohttp.ClientSession() as world.client:
        yield world


def server(listen: str) -> WebServer:
    return WebServer(
        listen,
        exporter=CountedMetrics(),
        status=lambda: STATUS,
        health=lambda: HEALTHY,
    )


def component(mailbox: str, **more: object) -> dict[str, object]:
    """A mailbox as the API shows it."""
    names = dict.fromkeys(("relay", "node", "sender", "flow"), "")
    since = {"since": "2026-11-22T03:04:00Z", "failing_share": None, "alternatives": []}
    return {"kind": "mailbox", "mailbox": mailbox, **names, **since, **more}


async def test_a_component_at_fault_has_its_sentence_and_its_line(world: World) -> None:
    world.status = replace(STATUS, components=(BACK, FULL))
    _, text, _ = await world.get("/")
    assert "<h1>Mailbox corp is full.</h1>\n<p>1 of 2 routes does not deliver" in text
    assert "<h3>Mailbox corp is full</h3>" in text
    assert "<li>552 5.2.2 it is &lt;full&gt;</li><li>100 % of its quota is used</li>" in text


async def test_the_status_is_shaped_as_the_contract_says(world: World) -> None:
    world.status = replace(STATUS, components=(BACK, FULL))
    code, text, response = await world.get("/api/v1/status")
    assert (code, response.content_type) == (200, "application/json")
    names = {"relay": "pool", "sender": "shop", "mailbox": "corp"}
    assert json.loads(text) == {
        "state": "down",
        "since": "2026-11-22T03:04:05Z",
        "components": [
            component("back", state="ok", faults=[], confirmed=False, evidence=[]),
            component(
                "corp",
                state="degraded",
                faults=["full"],
                confirmed=True,
                evidence=["552 5.2.2 it is <full>", "100 % of its quota is used"],
            ),
        ],
        "routes": [
            names
            | {
                "node": "192.0.2.11",
                "state": "ok",
                "in_flight": 1,
                "oldest_unanswered": None,
                "last_success": "2026-11-22T03:04:00Z",
            },
            names
            | {
                "node": "192.0.2.12",
                "state": "down",
                "in_flight": 7,
                "oldest_unanswered": "2026-11-22T03:03:20Z",
                "last_success": None,
            },
        ],
        "dns": [],
    }


HELD = Incident(
    id="7",
    component=Component(Kind.NODE, relay="pool", node="192.0.2.12"),
    opened=1_795_316_647.0,
    changed=1_795_316_666.0,
    since=1_795_316_640.0,
    faults=(Grievance(Fault.HOLDING, 1_795_316_640.0, confirmed=1_795_316_661.0),),
    share=Share(0.93216, 1.0),
    alternatives=(Component(Kind.RELAY, relay="pool"),),
    evidence=("7 of 7 have not arrived", "6 of 6 have not arrived"),
    unaffected=("node pool/192.0.2.11",),
    standby=("backup",),
)
CLOSED = replace(HELD, id="6", opened=1.0, closed=61.0, end=End.RECOVERED, share=None)


async def test_incidents_are_shaped_as_the_contract_says(world: World) -> None:
    newer = replace(CLOSED, id="5", opened=2.0)
    world.status = replace(STATUS, incidents=(CLOSED, newer, HELD))
    code, text, response = await world.get("/api/v1/incidents")
    assert (code, response.content_type) == (200, "application/json")
    first, *others = json.loads(text)
    names = dict.fromkeys(("sender", "mailbox", "flow"), "")
    assert first == {
        "id": "7",
        "opened": "2026-11-22T03:04:07Z",
        "changed": "2026-11-22T03:04:26Z",
        "closed": None,
        "since": "2026-11-22T03:04:00Z",
        "end": None,
        "component": {"kind": "node", "relay": "pool", "node": "192.0.2.12", **names},
        "alternatives": [{"kind": "relay", "relay": "pool", "node": "", **names}],
        "faults": ["holding"],
        "confirmed": True,
        "failing_share": [0.9322, 1.0],
        "evidence": ["7 of 7 have not arrived", "6 of 6 have not arrived"],
        "unaffected": ["node pool/192.0.2.11"],
        "standby": ["backup"],
    }
    assert [one["id"] for one in others] == ["5", "6"], "the newest first among those closed"
    assert (others[1]["closed"], others[1]["end"]) == ("1970-01-01T00:01:01Z", "recovered")
    assert others[1]["failing_share"] is None


async def test_a_component_is_shown_with_its_share_and_its_alternatives(world: World) -> None:
    alternatives = (BACK.component, FULL.component)
    either = replace(FULL, share=Share(0.5, 1.0), alternatives=alternatives)
    world.status = replace(STATUS, components=(either,))
    _, text, _ = await world.get("/api/v1/status")
    [shown] = json.loads(text)["components"]
    assert shown["failing_share"] == [0.5, 1.0]
    assert [one["mailbox"] for one in shown["alternatives"]] == ["back", "corp"]
    assert shown["alternatives"][0].keys() == {
        "kind", "relay", "node", "sender", "mailbox", "flow",
    }  # fmt: skip


async def test_metrics_come_in_the_format_that_is_asked_for(world: World) -> None:
    accept = "application/openmetrics-text;version=1.0.0"
    code, text, response = await world.get("/metrics", Accept=accept)
    assert (code, text) == (200, f"# {accept}\n")
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4"
    assert response.headers["Content-Encoding"] == "gzip"


async def test_metrics_come_plain_where_no_compression_is_offered(world: World) -> None:
    _, _, response = await world.get("/metrics", **{"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize("offer", ["gzip;q=0", "br, identity"])
async def test_gzip_that_is_refused_is_not_sent(world: World, offer: str) -> None:
    _, _, response = await world.get("/metrics", **{"Accept-Encoding": offer})
    assert "Content-Encoding" not in response.headers


async def test_the_real_metrics_are_served_whole() -> None:
    served = WebServer(
        "127.0.0.1:0", exporter=Exporter(), status=lambda: STATUS, health=lambda: HEALTHY
    )
    async with (
        served,
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{served.port}/metrics") as response,
    ):
        assert {f.name for f in parse(await response.text())} > {"mailprobe_time_seconds"}


async def test_health_and_readiness_are_told_apart(world: World) -> None:
    assert (await world.get("/-/healthy"))[:2] == (200, "healthy\n")
    assert (await world.get("/-/ready"))[:2] == (200, "ready\n")
    world.health = Health(healthy=True, ready=False, detail="no slot scheduled")
    assert (await world.get("/-/healthy"))[0] == 200
    assert (await world.get("/-/ready"))[:2] == (503, "not ready: no slot scheduled\n")
    world.health = Health(healthy=False, ready=True, detail="sender has not turned for 61 s")
    told = (503, "not healthy: sender has not turned for 61 s\n")
    assert (await world.get("/-/healthy"))[:2] == told


async def test_behind_a_proxy_links_begin_as_it_says(world: World) -> None:
    world.server.guard(login=None, certificate=None, external_url='https://a.example/m"')
    _, text, _ = await world.get("/")
    links = [attrs["href"] for tag, attrs in Page(text).tags if tag == "a"]
    pages = ("api/v1/status", "api/v1/incidents", "metrics")
    assert links == [f'https://a.example/m"/{page}' for page in pages]


async def test_runbooks_are_shown_behind_the_same_door(world: World) -> None:
    code, text, response = await world.get("/runbooks/MailProbeNodeAtFault")
    assert (code, response.content_type) == (200, "text/html")
    assert "<h1>One node of a relay is at fault</h1>" in text
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (await world.get("/runbooks/MailProbeNone"))[:2] == (404, "there is no such runbook\n")
    assert (await world.get("/runbooks/..%2F..%2FREADME"))[0] == 404
    login = Login("prometheus", lambda: "secret")
    world.server.guard(login=login, certificate=None, external_url="")
    assert (await world.get("/runbooks/MailProbeNodeAtFault"))[0] == 401


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


async def test_the_page_says_it_in_a_sentence_and_shows_the_worst_first(world: World) -> None:
    code, text, response = await world.get("/")
    page = Page(text)
    assert (code, response.content_type) == (200, "text/html")
    assert "1 of 2 routes does not deliver: pool/192.0.2.12/shop/corp." in page.texts
    assert "450 4.7.1 try again later" in page.texts
    states = [attrs["class"] for tag, attrs in page.tags if "state" in str(attrs.get("class"))]
    assert states == ["state down", "state ok"]
    assert ("meta", {"http-equiv": "refresh", "content": "5"}) in page.tags
    assert "1 good, 1 failed, 1 not to be judged" in page.texts
    assert not {"script", "link", "img", "form", "iframe"} & {tag for tag, _ in page.tags}


async def test_the_page_says_what_is_wrong_with_the_prober_itself(world: World) -> None:
    world.status = replace(STATUS, notices=("Another prober uses our instance name.",))
    _, text, _ = await world.get("/")
    assert "Another prober uses our instance name." in Page(text).texts


async def test_the_page_shows_no_more_than_a_browser_bears(world: World) -> None:
    routes = [
        replace(GOOD, key=RouteKey("pool", f"n{number:04}", "shop", "corp"))
        for number in range(1000)
    ]
    world.status = Status(State.DOWN, 0.0, (*routes, BAD))
    _, text, _ = await world.get("/")
    page = Page(text)
    assert [tag for tag, _ in page.tags].count("li") == 200
    assert "801 more routes, none worse, in the JSON." in page.texts
    assert "450 4.7.1 try again later" in page.texts
    assert len(text) < 600_000


@pytest.mark.parametrize("hostile", ["<script>x</script>", '"><img src=x>', "a\udc80\x00\u202e&"])
async def test_hostile_text_stays_text(world: World, hostile: str) -> None:
    key = RouteKey("pool", hostile, "shop", "corp")
    world.status = Status(State.DOWN, 0.0, (replace(BAD, key=key, evidence=hostile * 50),))
    code, text, _ = await world.get("/")
    assert code == 200
    assert not {"script", "img"} & {tag for tag, _ in Page(text).tags}
    code, text, _ = await world.get("/api/v1/status")
    assert json.loads(text)["routes"][0]["node"] == hostile


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/api/v1/status", "/api/v1/incidents", "/-/healthy", "/nowhere"]
)
async def test_every_answer_has_strict_headers(world: World, path: str) -> None:
    _, _, response = await world.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/nowhere"])
async def test_only_get_and_head_are_answered(world: World, method: str, path: str) -> None:
    async with world.client.request(method, world.url(path), data=b"x") as response:
        assert response.status == 405
        assert response.headers["Allow"] == "GET,HEAD"


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status", "/-/healthy", "/-/ready"])
async def test_head_is_answered_without_a_body(world: World, path: str) -> None:
    async with world.client.head(world.url(path)) as response:
        assert (response.status, await response.read()) == (200, b"")


async def test_what_is_not_there_is_not_found(world: World) -> None:
    assert (await world.get("/nowhere"))[0] == 404


async def test_a_large_body_is_refused_before_it_is_sent(world: World) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    await writer.wait_closed()


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(CannotListen, match=f"{listen} is taken"):
            async with server(listen):
                pass


@pytest.mark.parametrize("listen", ["192.0.2.1:9841", "two words:9841"])
async def test_an_address_that_is_not_ours_is_named(listen: str) -> None:
    with pytest.raises(CannotListen, match=rf"^web\.listen: {listen} cannot be used: \w+"):
        async with server(listen):
            pass


async def test_it_listens_on_ipv6() -> None:
    async with (
        server("[::1]:0") as ours,
        aiohttp.ClientSession() as client,
        client.get(f"http://[::1]:{ours.port}/-/healthy") as response,
    ):
        assert response.status == 200


@pytest.mark.parametrize(
    ("listen", "pair"),
    [
        ("127.0.0.1:9841", ("127.0.0.1", 9841)),
        ("[::]:80", ("::", 80)),
        ("localhost:0", ("localhost", 0)),
    ],
)
def test_an_address_is_host_and_port(listen: str, pair: tuple[str, int]) -> None:
    assert address(listen) == pair


@pytest.mark.parametrize(
    "listen", ["", "9841", ":9841", "host", "host:", "host:x", "host:65536", "::1:80", "[a]:1"]
)
def test_what_is_no_address_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match=r"web\.listen"):
        address(listen)
