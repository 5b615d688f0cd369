"""The demo's mail servers in trouble, as clients that know nothing of it see them."""

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import LoginPassword

from probe.core.received import stamps
from probe.demo.behaviour import NO_TROUBLE, Behaviour, Trouble
from probe.demo.node import DemoNode
from probe.demo.world import HOST, RECIPIENT, SENDER, USERNAME, World, demo_world
from tests.edges.demo_client import Client, arrived, submit

NODE2 = ("node2",)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with demo_world(tmp_path) as running:
        yield running


def subjects(messages: list[bytes]) -> list[str]:
    return [found[1].decode() for m in messages if (found := re.search(rb"Subject: (.*)\r", m))]


async def test_what_is_held_comes_later_in_order_and_shows_where_it_waited(world: World) -> None:
    first, second, _ = world.nodes
    await world.suffer(Trouble(NODE2, Behaviour(processes=False)))
    held = [f"held {number}" for number in range(5)]
    for subject in held:
        await asyncio.to_thread(submit, world, second, subject)
    await asyncio.to_thread(submit, world, first, "by another node")
    messages = await asyncio.to_thread(arrived, world, 1)
    assert subjects(messages) == ["by another node"]

    await world.suffer(NO_TROUBLE)
    messages = await asyncio.to_thread(arrived, world, 6)
    assert subjects(messages[1:]) == held
    for message in messages[1:]:
        assert [stamp.host for stamp in stamps(message)] == [
            "node2.demo.test", "mx.corp.demo.test"
        ]  # fmt: skip


async def test_closed_it_refuses_connections_and_opens_on_the_same_port(world: World) -> None:
    first, second, _ = world.nodes
    port = second.port
    await world.suffer(Trouble(NODE2, Behaviour(listens=False)))
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    await asyncio.to_thread(submit, world, first, "one")

    await world.suffer(NO_TROUBLE)
    assert second.port == port
    await asyncio.to_thread(submit, world, second, "two")
    assert len(await asyncio.to_thread(arrived, world, 2)) == 2


async def test_closed_it_still_delivers_what_it_has_accepted(world: World) -> None:
    second = world.nodes[1]
    await asyncio.to_thread(submit, world, second, "just in time")
    await world.suffer(Trouble(NODE2, Behaviour(listens=False)))
    assert subjects(await asyncio.to_thread(arrived, world, 1)) == ["just in time"]


async def test_only_the_greeting_comes_late(world: World) -> None:
    second = world.nodes[1]
    await world.suffer(Trouble(NODE2, Behaviour(greets_after=0.5)))
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(HOST, second.port)
    connected = time.monotonic()
    assert (await reader.readline()).startswith(b"220 ")
    greeted = time.monotonic()
    writer.write(b"EHLO x\r\n")
    assert (await reader.readline()).startswith(b"250-")
    answered = time.monotonic()
    writer.close()
    assert greeted - began >= 0.5
    assert connected - began < 0.5
    assert answered - greeted < 0.5


def refusals(world: World, node: int, count: int) -> list[int]:
    """The node's replies to so many recipients."""
    replies = []
    with Client(world, world.nodes[node]).ready() as client:
        for _ in range(count):
            client.rset()
            client.mail(SENDER)
            replies.append(client.rcpt(RECIPIENT)[0])
    return replies


async def test_a_share_of_the_recipients_is_put_off_the_same_in_each_run(world: World) -> None:
    trouble = Trouble(("node3",), Behaviour(refuses=0.16))
    runs = []
    for _ in range(2):
        await world.suffer(trouble)
        runs.append(await asyncio.to_thread(refusals, world, 2, 100))
    assert runs[0] == runs[1]
    assert set(runs[0]) == {250, 451}
    assert 8 <= runs[0].count(451) <= 24, "16 % of 100, within two standard deviations"
    assert set(await asyncio.to_thread(refusals, world, 0, 20)) == {250}
    await world.suffer(NO_TROUBLE)
    assert set(await asyncio.to_thread(refusals, world, 2, 20)) == {250}


async def test_the_mailbox_goes_down_under_its_clients_and_comes_back(world: World) -> None:
    context = ssl.create_default_context(cafile=world.ca_file)
    port = world.inbox.port
    reader, writer = await asyncio.open_connection(HOST, port, ssl=context)
    assert (await reader.readline()).startswith(b"* OK")

    await world.suffer(Trouble(mailbox_down=True))
    async with asyncio.timeout(30):
        await reader.read()  # To its end.
    writer.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, port)
    for node, subject in zip((*world.nodes, world.standby), "1234", strict=True):
        await asyncio.to_thread(submit, world, node, subject)

    await world.suffer(NO_TROUBLE)
    assert world.inbox.port == port
    assert sorted(subjects(await asyncio.to_thread(arrived, world, 4))) == ["1", "2", "3", "4"]


async def test_what_was_delivered_before_it_went_down_is_still_there(world: World) -> None:
    await asyncio.to_thread(submit, world, world.nodes[0], "kept")
    await asyncio.to_thread(arrived, world, 1)
    await world.suffer(Trouble(mailbox_down=True))
    await world.suffer(NO_TROUBLE)
    assert subjects(await asyncio.to_thread(arrived, world, 1)) == ["kept"]


class Moody:
    """A mailbox that refuses the first message once."""

    def __init__(self) -> None:
        self.offered: list[bytes] = []
        self.full = asyncio.Event()

    async def deliver(self, message: bytes, *, sender: str, client: str) -> None:
        self.offered.append(message)
        if len(self.offered) == 1:
            raise ConnectionRefusedError
        if len(self.offered) == 3:
            self.full.set()


async def test_a_refused_message_is_tried_again_before_those_behind_it(world: World) -> None:
    moody, login = Moody(), LoginPassword(USERNAME.encode(), world.password.encode())
    node = DemoNode("node9", moody, address=RECIPIENT, login=login)
    async with node.serve(HOST, world.tls):
        for subject in ("first", "second"):
            await asyncio.to_thread(submit, world, node, subject)
        await moody.full.wait()
    assert subjects(moody.offered) == ["first", "first", "second"]
