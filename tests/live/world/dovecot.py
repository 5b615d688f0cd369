"""Dovecot: the mailboxes, and the truth about when a message came."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from probe.core.model import TlsMode
from tests.certificates import Certificate
from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server, greets

PASSWORD = "secret"
JUNK = "Junk"
OWNER = "mail"  # A user that every Debian has; Dovecot delivers and reads as it.

CONFIGURATION = """\
base_dir = {home}/run
state_dir = {home}/state
instance_name = {name}
log_path = {log}
protocols = imap lmtp
listen = {listen}
disable_plaintext_auth = no
mail_location = maildir:{mail}/%u
first_valid_uid = 1
recipient_delimiter = +
mail_max_userip_connections = 1000
hostname = {name}.test
postmaster_address = postmaster@{name}.test
# Truth is when a message can be read, not when the disk has caught up.
mail_fsync = never
# A wrong password is refused at once, and makes nobody else wait.
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={owner} gid={owner} home={home}/home/%u allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  mailbox {junk} {{
    auto = create
    special_use = \\Junk
  }}
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
plugin {{
  sieve_before = {sieve}
}}
service imap-login {{
  inet_listener imap {{
    port = {plain_port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service lmtp {{
  process_min_avail = 1
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
service auth {{
  inet_listener {{
    port = {sasl_port}
  }}
}}
# The mail owner's processes count themselves here.
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


QUOTA = """\
mail_plugins = quota
protocol imap {{
  mail_plugins = $mail_plugins imap_quota
}}
protocol lmtp {{
  mail_plugins = quota sieve
}}
plugin {{
  quota = maildir:User quota
  quota_rule = *:storage={storage}K
  quota_grace = 0
}}
quota_full_tempfail = {defer}
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as it lies in a Maildir."""

    path: Path
    when: float  # Unix time of its last write, by the kernel's coarse clock: at most 4 ms early.

    def content(self) -> bytes:
        """The whole message, also where flags have given it another name; empty if it is gone."""
        name = self.path.name.partition(":")[0]
        for path in self.path.parent.parent.glob(f"*/{name}*"):
            with suppress(FileNotFoundError):
                return path.read_bytes()
        return b""


class Dovecot(Server):
    """A Dovecot of its own: LMTP in, IMAP out, every address is a user, one password for all."""

    def __init__(
        self,
        world: World,
        name: str = "dovecot",
        *,
        tls: TlsMode = TlsMode.NONE,
        certificate: Certificate | None = None,
        password: str = PASSWORD,
        junk: str = JUNK,
        quota: int | None = None,
        defer_full: bool = False,
        more: str = "",
    ) -> None:
        """`quota` of every mailbox (KiB); with `defer_full` delivery to a full one is to wait.

        `more` is added to the configuration.
        """
        super().__init__(world.folder(name), binary="/usr/sbin/dovecot", package="dovecot-imapd")
        self.tls = tls
        self.address = LOOPBACK
        self.imap_port = world.port()
        self.lmtp_port = world.port()
        self.sasl_port = world.port()
        self._certificate = certificate
        self._password = password
        self._junk = junk
        self._more = more
        if quota is not None:
            defer = "yes" if defer_full else "no"
            self._more += QUOTA.format(storage=quota, defer=defer)
        self._mail = self.home / "mail"
        self._sieve = self.home / "sieve/before.sieve"

    def maildir(self, user: str, folder: str = "INBOX") -> Path:
        """Where the messages of a folder lie; it is there after the first delivery or login."""
        return self._mail / user / ("" if folder == "INBOX" else f".{folder}")

    def delivered(self, user: str, folder: str = "INBOX") -> list[Delivered]:
        """The messages of a folder, in the order in which they came."""
        found = []
        for path in self.maildir(user, folder).glob("*/*"):
            with suppress(FileNotFoundError):  # A reader moves them from new to cur.
                if path.parent.name in ("new", "cur"):
                    found.append(Delivered(path, path.stat().st_mtime))
        return sorted(found, key=lambda message: message.when)

    def filter(self, script: str) -> None:
        """Have every delivery go through this Sieve script from now on."""
        self._sieve.with_suffix(".svbin").unlink(missing_ok=True)  # As compiled before.
        self._sieve.write_text(script)

    def _configure(self) -> None:
        owner = pwd.getpwnam(OWNER)
        for folder in (self._mail, self.home / "home", self._sieve.parent):
            folder.mkdir(exist_ok=True)
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        self._sieve.touch()
        (self.home / "dovecot.conf").write_text(self._configuration())

    def _configuration(self) -> str:
        implicit = self.tls is TlsMode.IMPLICIT
        general = CONFIGURATION.format(
            home=self.home,
            name=self.home.name,
            log=self.log,
            listen=self.address,
            mail=self._mail,
            password=self._password,
            junk=self._junk,
            owner=OWNER,
            sieve=self._sieve,
            plain_port=0 if implicit else self.imap_port,
            tls_port=self.imap_port if implicit else 0,
            lmtp_port=self.lmtp_port,
            sasl_port=self.sasl_port,
        )
        return general + _ssl(self.tls, self._certificate) + self._more

    def _arguments(self) -> Sequence[str]:
        return ["-F", "-c", str(self.home / "dovecot.conf")]

    def _is_ready(self) -> bool:
        greeting = b"" if self.tls is TlsMode.IMPLICIT else b"* OK"
        return greets(self.address, self.imap_port, greeting) and greets(
            self.address, self.lmtp_port, b"220 "
        )


def _ssl(mode: TlsMode, certificate: Certificate | None) -> str:
    if mode is TlsMode.NONE or certificate is None:
        return "ssl = no\n"
    return f"ssl = yes\nssl_cert = <{certificate.chain_file}\nssl_key = <{certificate.key_file}\n"
