"""The demo's mail servers, used by clients that know nothing of them."""

import asyncio
import imaplib
import re
import smtplib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from probe.core.model import ImapServer, Mailbox
from probe.demo.world import HOST, RECIPIENT, SENDER, USERNAME, World, demo_world
from probe.edges.imap import ImapReader
from tests.edges.demo_client import Client, arrived, submit
from tests.secret import FixedSecret


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with demo_world(tmp_path) as running:
        yield running


async def test_every_node_delivers_what_it_accepts(world: World) -> None:
    assert [node.name for node in world.nodes] == ["node1", "node2", "node3"]
    for node in world.nodes:
        await asyncio.to_thread(submit, world, node, f"by {node.name}")
    messages = await asyncio.to_thread(arrived, world, 3)
    for node in world.nodes:
        (message,) = [m for m in messages if f"Subject: by {node.name}\r\n".encode() in m]
        host = f"{node.name}.demo.test"
        path, last, first, *_ = re.split(rb"\r\n(?=\S)", message)
        assert path == f"Return-Path: <{SENDER}>".encode()
        assert last.startswith(f"Received: from {host} by mx.corp.demo.test with".encode())
        assert first.startswith(f"Received: from prober.test by {host} with ESMTPSA id".encode())
        assert message.endswith(b"\r\n\r\nHello.\r\n.\r\nA line with a dot before.\r\n")


async def test_a_node_insists_on_tls_and_login(world: World) -> None:
    def attempts() -> None:
        with Client(world, world.nodes[0]) as client:
            client.ehlo()
            assert client.mail(SENDER)[0] == 530, "accepted without STARTTLS"
            client.secured()
            assert client.mail(SENDER)[0] == 530, "accepted without AUTH"
            client.user, client.password = USERNAME, "wrong"
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                client.auth("PLAIN", client.auth_plain)
            assert refused.value.smtp_code == 535
            client.login(USERNAME, world.password)
            assert client.mail(SENDER)[0] == 250
            assert client.rcpt("somebody@else.test")[0] == 550

    await asyncio.to_thread(attempts)


async def test_a_search_tells_sequence_numbers_from_uids(world: World) -> None:
    for subject in (b"one", b"two", b"three"):
        message = b"X-Mark: 1\r\nSubject: " + subject + b"\r\n\r\nHello.\r\n"
        await world.inbox.deliver(message, sender=SENDER, client="node1.demo.test")

    def uids(client: imaplib.IMAP4, *criteria: str) -> list[bytes]:
        return client.uid("SEARCH", *criteria)[1][0].split()

    def searches() -> None:
        context = ssl.create_default_context(cafile=world.ca_file)
        with imaplib.IMAP4_SSL(HOST, world.inbox.port, ssl_context=context, timeout=30) as client:
            client.login(USERNAME, world.password)
            client.select("INBOX")
            every = uids(client, "ALL")
            assert len(every) == 3
            assert uids(client, "2:3", "HEADER", "X-Mark", '""') == every[1:]
            assert uids(client, "UID", f"{every[1].decode()}:*") == every[1:]

    await asyncio.to_thread(searches)


async def test_the_mailbox_insists_on_its_password(world: World) -> None:
    def attempt() -> None:
        context = ssl.create_default_context(cafile=world.ca_file)
        with (
            imaplib.IMAP4_SSL(HOST, world.inbox.port, ssl_context=context, timeout=30) as client,
            pytest.raises(imaplib.IMAP4.error),
        ):
            client.login(USERNAME, "wrong")

    await asyncio.to_thread(attempt)


async def test_the_world_ends_while_clients_are_connected(tmp_path: Path) -> None:
    async with asyncio.timeout(30), demo_world(tmp_path) as world:
        context = ssl.create_default_context(cafile=world.ca_file)
        reader, writer = await asyncio.open_connection(HOST, world.inbox.port, ssl=context)
        assert (await reader.readline()).startswith(b"* OK")
        smtp_reader, smtp_writer = await asyncio.open_connection(HOST, world.nodes[0].port)
        assert (await smtp_reader.readline()).startswith(b"220")
    writer.close()
    smtp_writer.close()


async def test_the_inbox_shows_at_once_what_is_put_in_and_lets_it_be_removed(world: World) -> None:
    server = ImapServer(HOST, world.inbox.port, USERNAME, ca_file=str(world.ca_file))
    reader = ImapReader(Mailbox("inbox", RECIPIENT, server), FixedSecret(world.password))
    async with reader.open("INBOX") as session:
        assert session.can_uidplus
        uid = await session.append(b"X-Mailprobe-Control: x\r\nSubject: x\r\n\r\nbody\r\n")
        assert await session.poll() == 1
        assert await session.search(1) == await session.search_tagged(1, 1) == [uid]
        await session.remove([1])
        assert await session.fetch([1], body=False) == []
