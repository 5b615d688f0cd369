"""Every command of every runbook, typed at real servers: at night it has to work at once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from probe.core.model import TlsMode
from tests.live.dns_world import txt
from tests.live.prober import RECIPIENT, SENDER, Prober, configuration, mailbox, relay
from tests.live.world import (
    ADDRESSES,
    PASSWORD,
    CertificateAuthority,
    Dovecot,
    Nsd,
    Pool,
    Prometheus,
    World,
    wait_until,
)
from tests.runbook_commands import commands

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
NODE = ADDRESSES[0]
# Their output is what it is.
NOT_HERE = {"journalctl", "amtool"}
# What a command says of a healthy world; the first that fits.
SAYS = {
    r"--request .STATUS": r"\* STATUS INBOX \(MESSAGES [1-9]",
    r"GETQUOTAROOT": r"STORAGE \d+ 10000",
    r"INBOX\?SUBJECT%20WORD": r"\* SEARCH [0-9]",
    r"SUBJECT%20WORD": r"\* SEARCH",
    r"SECTION=HEADER": r"Received: from",
    r"MAILINDEX": r"^Subject: ",
    r"^for ": r"^(good\n){8}$",
    r"--quit-after (RCPT|BANNER)": r"<[-~]  2(50|20) ",
    r"^swaks": r"<~  250 2\.0\.0 Ok: queued",
    r"-verify_hostname": r"Verification: OK",
    r"x509": r"notAfter=",
    r"NotAfter": r"^ 0 s:.*\n.*NotAfter: ",
    r"_dmarc": r"v=DMARC1",
    r"_domainkey": r"v=DKIM1",
    r"TXT": r"v=spf1",
    r"\+short MX": r"10 mail\.",
    r"\+short NS": r"ns\.",
    r"SOA": r"status: NOERROR",
    r"\.LIST": r"^127\.0\.0\.2$",
    r"\+short A ": NODE,
    r"^dig": r"",  # There is no AAAA, and no name of the address.
    r"-/healthy": r"(?i)healthy",
    r"-/ready": r"(?i)ready",
    r"^promtool": r"mailprobe.* => 1 @",
    r"\^date": r"(?i)^date: ",
    r"^date": r"UTC",
    r"^postqueue": r"Mail queue is empty|Request",
    r"^mailprobe": r"",
    r"^(df|uptime)": r"%|load average",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the commands are typed: what their words stand for, and what is in the environment."""

    words: Mapping[str, str]
    environment: Mapping[str, str]

    def type(self, command: str) -> str:
        """What a command says; it has to end well."""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", filled(command, self.words)],
            cwd=ROOT,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{filled(command, self.words)}\n{said}"
        return said


def filled(command: str, words: Mapping[str, str]) -> str:
    """A command with the words in capitals replaced."""
    for word, meaning in words.items():
        command = re.sub(rf"(?<![A-Z_]){re.escape(word)}(?![A-Z_])", meaning, command)
    return command


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with World() as world:
        authority = CertificateAuthority(world.folder("authority"))
        certificate = authority.issue("pool.test", "localhost")
        dovecot = Dovecot(world, tls=TlsMode.IMPLICIT, certificate=certificate, quota=10_000)
        pool = world.run(
            Pool(
                world,
                tls=TlsMode.STARTTLS,
                certificate=certificate,
                dovecot=dovecot,
                login=True,
            )
        )
        nsd = world.run(Nsd(world, zones()))
        prober = world.run(Prober(world, settings(pool, str(authority.ca_file))))
        prometheus = world.run(Prometheus(world, prober.port))
        wait_until(lambda: prometheus.ask("up == 1") != [], "the prober is scraped")
        imap = f"localhost:{dovecot.imap_port}"
        dns = f"127.0.0.1 -p {nsd.port}"
        desk = Desk(
            {
                "-connect IMAP_HOST:993": f"-connect {imap}",
                "imaps://IMAP_HOST": f"imaps://{imap}",
                "IMAP_HOST": "localhost",
                "IMAP_USER": f"{RECIPIENT}:{PASSWORD}",
                "JUNK_FOLDER": "Junk",
                "NUMBER": "1",
                "WORD": "night1",
                "USER": SENDER,
                "SENDER": SENDER,
                "RECIPIENT": RECIPIENT,
                "NODE": NODE,
                "PORT": str(pool.port),
                "HOST": "pool.test",
                "NAME_SERVER": dns,
                "RESOLVER": dns,
                "DOMAIN": "shop.test",
                "SELECTOR": "s1",
                "REVERSED_IP": "66.0.0.127",
                "IP": "127.0.0.66",
                "LIST": "bl.test",
                "mailprobe config": f"{sys.executable} -m probe config",
                "PROBER": f"http://127.0.0.1:{prober.port}",
                "PROMETHEUS": f"http://127.0.0.1:{prometheus.port}",
                "CONFIG": str(prober.file),
                "JOURNAL_FOLDER": str(prober.home),
            },
            {
                "SWAKS_OPT_auth_password": PASSWORD,
                "SSL_CERT_FILE": str(authority.ca_file),
                "CURL_CA_BUNDLE": str(authority.ca_file),
                "MAIL_CONFIG": str(pool.nodes[0].home / "etc"),
            },
        )
        desk.type(next(command for command in typed() if command.startswith("swaks")))
        wait_until(lambda: bool(dovecot.delivered(RECIPIENT)), "there is a message to be seen")
        yield desk


def zones() -> dict[str, str]:
    """What is published."""
    records = (txt("@", "v=spf1 -all"), txt("_dmarc", "v=DMARC1; p=none"))
    key = txt("s1._domainkey", "v=DKIM1; p=MIGf")
    return {
        "shop.test": "\n".join(("@ MX 10 mail", "mail A 127.0.0.1", *records, key)),
        "pool.test": f"@ A {NODE}",
        "bl.test": "2.0.0.127 A 127.0.0.2\n66.0.0.127 A 127.0.0.2",
    }


def settings(pool: Pool, ca_file: str) -> dict[str, object]:
    """A prober of this pool."""
    tls = {"tls": "starttls", "ca_file": ca_file}
    box = mailbox(pool)
    box["imap"] = {**box["imap"], "host": "localhost", "tls": "implicit", "ca_file": ca_file}  # type: ignore[dict-item]
    login = {"username": SENDER, "password": PASSWORD}
    return configuration(
        pool, relays={"pool": relay(pool, **tls, **login)}, mailboxes={"corp": box}
    )


def typed() -> list[str]:
    """Every command that is in any runbook, once."""
    pages = sorted((ROOT / "deploy/runbooks").glob("*.md"))
    found = dict.fromkeys(line for page in pages for line in commands(page.read_text()))
    return [command for command in found if command.split()[0] not in NOT_HERE]


@pytest.mark.parametrize("command", typed())
def test_a_command_works(desk: Desk, command: str) -> None:
    [expected, *_] = [says for which, says in SAYS.items() if re.search(which, command)]
    assert re.search(expected, desk.type(command), re.MULTILINE)
