"""OpenDKIM: the milter that signs what a node relays."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from cryptography.hazmat.primitives import serialization as formats
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server, greets

CONFIGURATION = """\
Socket inet:{port}@{address}
Mode s
Domain {domain}
Selector {selector}
KeyFile {key_file}
Canonicalization relaxed/simple
RequireSafeKeys no
Syslog no
"""


class SigningKey:
    """A key that mail is signed with, and the record that says so."""

    def __init__(self) -> None:
        secret = rsa.generate_private_key(65537, 2048)
        self.pem = secret.private_bytes(
            formats.Encoding.PEM,
            formats.PrivateFormat.TraditionalOpenSSL,
            formats.NoEncryption(),
        )
        spki = secret.public_key().public_bytes(
            formats.Encoding.DER, formats.PublicFormat.SubjectPublicKeyInfo
        )
        self.record = f"v=DKIM1; k=rsa; p={base64.b64encode(spki).decode()}"


class OpenDkim(Server):
    """An OpenDKIM of its own that signs for one domain; Postfix asks it as `milter`."""

    def __init__(self, world: World, domain: str, selector: str, key: SigningKey) -> None:
        super().__init__(world.folder("opendkim"), binary="/usr/sbin/opendkim", package="opendkim")
        self.port = world.port()
        self._domain = domain
        self._selector = selector
        self._key = key

    @property
    def milter(self) -> dict[str, str]:
        """What a Postfix needs in main.cf to have its mail signed, or not, where this is dead."""
        return {
            "smtpd_milters": f"inet:{LOOPBACK}:{self.port}",
            "milter_default_action": "accept",
            "milter_connect_timeout": "2s",
        }

    def rotate(self, selector: str, key: SigningKey) -> None:
        """Sign with another key from now on."""
        self.kill()
        self._selector, self._key = selector, key
        self.start()

    def _configure(self) -> None:
        key_file = self.home / "key.pem"
        key_file.write_bytes(self._key.pem)
        (self.home / "opendkim.conf").write_text(
            CONFIGURATION.format(
                port=self.port,
                address=LOOPBACK,
                domain=self._domain,
                selector=self._selector,
                key_file=key_file,
            )
        )

    def _arguments(self) -> Sequence[str]:
        return ["-f", "-l", "-x", str(self.home / "opendkim.conf")]

    def _is_ready(self) -> bool:
        return greets(LOOPBACK, self.port, b"")
