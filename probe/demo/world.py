"""The demo's mail world: three SMTP nodes and the mailbox that they deliver to, on loopback."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.smtp import LoginPassword

from probe.demo.certificate import make_credentials
from probe.demo.inbox import Inbox, serve_inbox
from probe.demo.node import DemoNode

HOST = "127.0.0.1"
RELAY_HOST = "relay.demo.test"  # The name that the nodes' certificate is for.
SENDER = "probe@shop.demo.test"
RECIPIENT = "probe@corp.demo.test"
USERNAME = "probe"
NODES = ("node1", "node2", "node3")


@dataclass(frozen=True, slots=True)
class World:
    """Servers that are up, and what one needs to use them."""

    nodes: tuple[DemoNode, ...]
    inbox: Inbox
    password: str  # Of USERNAME, on the nodes and on the mailbox.
    ca_file: Path


@asynccontextmanager
async def demo_world(folder: Path) -> AsyncIterator[World]:
    """All servers, for as long as the block lasts; only `folder` is written to."""
    for chatty in ("mail.log", "mail.debug", "pymap"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # Clients that go are no news.
    credentials = make_credentials(folder, [RELAY_HOST, "localhost", HOST])
    tls, password = credentials.context, secrets.token_urlsafe(12)
    login = LoginPassword(USERNAME.encode(), password.encode())
    async with AsyncExitStack() as stack:
        inbox = await stack.enter_async_context(
            serve_inbox(HOST, username=USERNAME, password=password, tls=tls)
        )
        nodes = [DemoNode(name, inbox, address=RECIPIENT, login=login) for name in NODES]
        for node in nodes:
            await stack.enter_async_context(node.serve(HOST, tls))
        yield World(tuple(nodes), inbox, password, credentials.ca_file)
