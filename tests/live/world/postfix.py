"""Postfix: one private instance for each node of a relay."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from probe.core.model import TlsMode
from tests.certificates import Certificate
from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server, greets

DAEMONS = "/usr/lib/postfix/sbin"
LONG_AGO = 1_000_000_000
QUEUES = ("incoming", "active", "deferred", "hold", "maildrop", "corrupt")
SPOOL = (*QUEUES, "bounce", "defer", "flush", "private", "saved", "trace", "public", "pid")

# Every service with chroot off. `postfix start` is not used: it spends 2 s on checks.
MASTER_CF = """\
{address}:{port} inet n - n - - smtpd{options}
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

MAIN_CF = {
    "compatibility_level": "3.6",
    "command_directory": "/usr/sbin",
    "daemon_directory": DAEMONS,
    "mail_owner": "postfix",
    "setgid_group": "postdrop",
    "inet_interfaces": LOOPBACK,  # The node's own address is in master.cf: here it is fatal.
    "inet_protocols": "ipv4",
    "mynetworks": "127.0.0.0/8",
    "mydestination": "",
    "alias_maps": "",
    "alias_database": "",
    "local_recipient_maps": "",
    "smtpd_peername_lookup": "no",
    "smtp_dns_support_level": "disabled",
    # What cannot be delivered is tried again in the time of a test, not of an evening.
    "queue_run_delay": "1s",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "2s",
    "transport_retry_time": "1s",
}


class Postfix(Server):
    """A Postfix of its own that relays to an LMTP server, or else to nowhere; its log is `log`."""

    def __init__(
        self,
        world: World,
        name: str,
        *,
        lmtp_port: int | None = None,
        domains: Sequence[str] = ("box.test",),
        address: str = LOOPBACK,
        port: int | None = None,
        tls: TlsMode = TlsMode.NONE,
        certificate: Certificate | None = None,
        sasl_port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(world.folder(name), binary=f"{DAEMONS}/master", package="postfix")
        self.name = name
        self.address = address
        self.port = port or world.port(address)
        self.tls = tls
        self.spool = self.home / "spool"
        self._main = {
            **MAIN_CF,
            "queue_directory": str(self.spool),
            "data_directory": str(self.home / "state"),
            "maillog_file": str(self.log),
            "maillog_file_prefixes": str(self.home),
            "myhostname": f"{name}.test",
            "relay_domains": ",".join(domains),
            "transport_maps": f"inline:{{{_transports(domains, lmtp_port)}}}",
            **_tls(tls, certificate),
            **_sasl(sasl_port),
            **(settings or {}),
        }

    def reload(self, **changes: str | None) -> None:
        """Set these main.cf parameters, or with None unset them, and have them take effect.

        Not while its queue manager is frozen: the old one has to leave.
        """
        for parameter, setting in changes.items():
            if setting is None:
                self._main.pop(parameter, None)
            else:
                self._main[parameter] = setting
        self._write_main()
        self.hang_up()
        self.expect(self._is_ready, "it answers after a reload")

    def pause_queue_manager(self) -> None:
        """Freeze qmgr: mail is accepted, and nothing is delivered."""
        self.expect(lambda: bool(self.processes(command="qmgr")), "its queue manager runs")
        self.signal(signal.SIGSTOP, command="qmgr")

    def resume_queue_manager(self) -> None:
        """Let qmgr go on."""
        self.signal(signal.SIGCONT, command="qmgr")

    def queue_length(self) -> int:
        """The messages that it owns and has not got rid of."""
        return sum(1 for queue in QUEUES for _ in _files(self.spool / queue))

    def queue_ids(self) -> list[str]:
        """What it calls the messages that it owns."""
        return [file.name for queue in QUEUES for file in _files(self.spool / queue)]

    def flush(self) -> None:
        """Have everything that was deferred tried again now."""
        command = ["/usr/sbin/postqueue", "-c", str(self.home / "etc"), "-f"]
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=10, check=True)

    def _configure(self) -> None:
        (self.home / "etc").mkdir(exist_ok=True)
        self._write_main()
        implicit = " -o smtpd_tls_wrappermode=yes" if self.tls is TlsMode.IMPLICIT else ""
        (self.home / "etc/master.cf").write_text(
            MASTER_CF.format(address=self.address, port=self.port, options=implicit)
        )
        _make_spool(self.spool)
        _make_folder(self.home / "state", user="postfix")

    def _write_main(self) -> None:
        lines = (f"{parameter} = {setting}\n" for parameter, setting in self._main.items())
        fresh = self.home / "etc/main.cf.new"
        fresh.write_text("".join(lines))
        # Each Postfix process waits until the file is older than this second.
        os.utime(fresh, (LONG_AGO, LONG_AGO))
        fresh.replace(self.home / "etc/main.cf")

    def _arguments(self) -> Sequence[str]:
        return ["-c", str(self.home / "etc"), "-s"]

    def _is_ready(self) -> bool:
        greeting = b"" if self.tls is TlsMode.IMPLICIT else b"220 "
        return greets(self.address, self.port, greeting)


def _transports(domains: Sequence[str], lmtp_port: int | None) -> str:
    way = "discard:" if lmtp_port is None else f"lmtp:inet:{LOOPBACK}:{lmtp_port}"
    return ", ".join(f"{domain}={way}" for domain in domains)


def _tls(mode: TlsMode, certificate: Certificate | None) -> dict[str, str]:
    if mode is TlsMode.NONE or certificate is None:
        return {}
    return {
        "smtpd_tls_chain_files": f"{certificate.key_file}, {certificate.chain_file}",
        "smtpd_tls_security_level": "may" if mode is TlsMode.STARTTLS else "encrypt",
    }


def _sasl(port: int | None) -> dict[str, str]:
    if port is None:
        return {}
    return {
        "smtpd_sasl_auth_enable": "yes",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": f"inet:{LOOPBACK}:{port}",
        "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
    }


def _make_spool(spool: Path) -> None:
    """The directories as `postfix check` would make them."""
    spool.mkdir(exist_ok=True)
    spool.chmod(0o755)
    for name in SPOOL:
        match name:
            case "pid":
                _make_folder(spool / name, user="root", mode=0o755)
            case "public":
                _make_folder(spool / name, user="postfix", group="postdrop", mode=0o710)
            case "maildrop":
                _make_folder(spool / name, user="postfix", group="postdrop", mode=0o1730)
            case _:
                _make_folder(spool / name, user="postfix")


def _make_folder(folder: Path, *, user: str, group: str = "root", mode: int = 0o700) -> None:
    folder.mkdir(exist_ok=True)
    os.chown(folder, pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid)
    folder.chmod(mode)


def _files(folder: Path) -> list[Path]:
    # The queues are hashed into folders, and files move while we look.
    return [Path(root) / name for root, _, names in os.walk(folder) for name in names]
