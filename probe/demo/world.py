"""The demo's mail world on loopback: a pool of three SMTP nodes, a standby, and one mailbox."""

from __future__ import annotations

import logging
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiosmtpd.smtp import LoginPassword

from probe.demo.behaviour import WELL, Trouble
from probe.demo.certificate import make_credentials
from probe.demo.inbox import Inbox, make_inbox
from probe.demo.node import DemoNode

HOST = "127.0.0.1"
RELAY_HOST = "relay.demo.test"  # The name that the certificate of all nodes is for.
SENDER = "probe@shop.demo.test"
RECIPIENT = "probe@corp.demo.test"
USERNAME = "probe"
NODES = ("node1", "node2", "node3")
STANDBY = "spare"


@dataclass(frozen=True, slots=True)
class World:
    """Servers that are up, and what one needs to use them."""

    nodes: tuple[DemoNode, ...]  # Of the pool.
    standby: DemoNode
    inbox: Inbox
    password: str  # Of USERNAME, on the nodes and on the mailbox.
    ca_file: Path
    tls: ssl.SSLContext

    async def suffer(self, trouble: Trouble) -> None:
        """Have this trouble from now on, and no other."""
        if trouble.mailbox_down:
            await self.inbox.close()
        elif not self.inbox.is_open:
            await self.inbox.open(HOST, self.tls)
        for node in (*self.nodes, self.standby):
            ill = node.name in trouble.nodes
            await node.behave(trouble.behaviour if ill else WELL)


@asynccontextmanager
async def demo_world(folder: Path) -> AsyncIterator[World]:
    """All servers, for as long as the block lasts; only `folder` is written to."""
    for chatty in ("mail.log", "mail.debug", "pymap"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)  # Clients that go are no news.
    credentials = make_credentials(folder, [RELAY_HOST, "localhost", HOST])
    tls, password = credentials.context, secrets.token_urlsafe(12)
    login = LoginPassword(USERNAME.encode(), password.encode())
    async with AsyncExitStack() as stack:
        inbox = await stack.enter_async_context(make_inbox(username=USERNAME, password=password))
        *nodes, standby = (
            DemoNode(name, inbox, address=RECIPIENT, login=login) for name in (*NODES, STANDBY)
        )
        await inbox.open(HOST, tls)
        for node in (*nodes, standby):
            await stack.enter_async_context(node.serve(HOST, tls))
        yield World(tuple(nodes), standby, inbox, password, credentials.ca_file, tls)
