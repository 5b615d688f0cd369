"""Clients of the demo's mail servers that know nothing of them."""

import imaplib
import smtplib
import ssl
from email.message import EmailMessage

from probe.demo.node import DemoNode
from probe.demo.world import HOST, RECIPIENT, RELAY_HOST, SENDER, USERNAME, World


class Client(smtplib.SMTP):
    """Connects to a node by address, and verifies it against the relay's name."""

    def __init__(self, world: World, node: DemoNode) -> None:
        super().__init__(HOST, node.port, local_hostname="prober.test", timeout=30)
        self._host = RELAY_HOST
        self.world = world

    def secured(self) -> "Client":
        context = ssl.create_default_context(cafile=self.world.ca_file)
        self.starttls(context=context)
        self.ehlo()
        return self

    def ready(self) -> "Client":
        self.secured().login(USERNAME, self.world.password)
        return self


def letter(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, subject
    message.set_content("Hello.\n.\nA line with a dot before.\n")
    return message


def submit(world: World, node: DemoNode, subject: str) -> None:
    with Client(world, node).ready() as client:
        client.send_message(letter(subject))


def arrived(world: World, count: int) -> list[bytes]:
    """The messages in INBOX, once there are so many."""
    context = ssl.create_default_context(cafile=world.ca_file)
    with imaplib.IMAP4_SSL(HOST, world.inbox.port, ssl_context=context, timeout=30) as client:
        client.login(USERNAME, world.password)
        while int(client.select("INBOX")[1][0] or b"0") < count:
            client.noop()
        _, found = client.fetch(f"1:{count}", "(BODY.PEEK[])")
        return [part[1] for part in found if isinstance(part, tuple)]
