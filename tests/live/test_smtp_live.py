"""A real Postfix takes our letters, and its TLS is judged as it is."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from probe.core.model import Break, Phase, Reason, TlsMode
from probe.core.outcome import evidence, reason_of
from tests.certificates import Authority
from tests.edges.smtp_peer import LETTER, Client

ADDRESS = "127.0.0.21"
NAME = "smtp.pool.test"

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = node1.pool.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = box.test
transport_maps = inline:{{box.test=discard:}}
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
smtpd_tls_security_level = may
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtpd_recipient_restrictions = check_recipient_access inline:{{
  {{ later@box.test = 450 4.2.0 come again }}, {{ never@box.test = 550 5.1.1 nobody }} }},
  permit_mynetworks, reject
"""

MASTER = """
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""

SMTPD = "{address}:{port} inet n - n - - smtpd\n{options}"


class SmtpLiveNode:
    """One Postfix with a port for each thing that its TLS may be."""

    def __init__(self, folder, listeners):
        self.folder = folder
        self.ports = {}
        (folder / "etc").mkdir()
        (folder / "spool").mkdir()
        (folder / "data").mkdir()
        shutil.chown(folder / "data", "postfix")
        (folder / "etc/main.cf").write_text(MAIN.format(folder=folder))
        services = [self._listener(name, options) for name, options in listeners.items()]
        (folder / "etc/master.cf").write_text(MASTER + "".join(services))
        self._output = (folder / "output").open("w")
        self._run("postfix", "-c", f"{folder}/etc", "check")
        self._master = subprocess.Popen(
            ["/usr/lib/postfix/sbin/master", "-c", f"{folder}/etc", "-d"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            self._await_listening()
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """End it with all its children, which are one process group."""
        self._master.terminate()
        try:
            self._master.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._master.pid, signal.SIGKILL)
            self._master.wait()
        self._output.close()

    def has_logged(self, text):
        """Whether this is in the log, or soon: another process writes it."""
        until = time.monotonic() + 5
        while text not in (self.folder / "log").read_text() and time.monotonic() < until:
            time.sleep(0.01)
        return text in (self.folder / "log").read_text()

    def _listener(self, name, options):
        self.ports[name] = free_port()
        lines = "".join(f"  -o {key}={value}\n" for key, value in options.items())
        return SMTPD.format(address=ADDRESS, port=self.ports[name], options=lines)

    def _run(self, *command):
        subprocess.run(command, stdout=self._output, stderr=subprocess.STDOUT, check=True)

    def _await_listening(self):
        until = time.monotonic() + 15
        for port in self.ports.values():
            while True:
                try:
                    socket.create_connection((ADDRESS, port), 1).close()
                    break
                except ConnectionRefusedError:
                    assert self._master.poll() is None, (self.folder / "output").read_text()
                    assert time.monotonic() < until, "Postfix does not listen"
                    time.sleep(0.02)


def free_port():
    with socket.socket() as unused:
        unused.bind((ADDRESS, 0))
        return unused.getsockname()[1]


def shown(issued):
    """A certificate as smtpd's option: a file with the key, then the chain."""
    both = issued.key.with_suffix(".both")
    both.write_bytes(issued.key.read_bytes() + issued.certificate.read_bytes())
    return {"smtpd_tls_chain_files": both}


@pytest.fixture(scope="module")
def smtp_live(tmp_path_factory):
    """A Postfix, and the authority that signed its good certificates."""
    authority = Authority(tmp_path_factory.mktemp("ca"))
    stranger = Authority(tmp_path_factory.mktemp("stranger"), name="Strange CA")
    good = shown(authority.issue(NAME, days=20, chain=True))
    listeners = {
        "good": good,
        "implicit": good | {"smtpd_tls_wrappermode": "yes"},
        "expired": shown(authority.issue(NAME, days=-1)),
        "wrong name": shown(authority.issue("other.pool.test")),
        "untrusted": shown(stranger.issue(NAME)),
        "self-signed": shown(stranger.itself()),
        "by address": shown(authority.issue(ADDRESS)),
        "withdrawn": good | {"smtpd_tls_security_level": "none"},
        "old": good
        | {"smtpd_tls_protocols": "<=TLSv1.1", "tls_medium_cipherlist": "ALL@SECLEVEL=0"},
    }
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="smtp-live-")))
        folder.chmod(0o755)  # Postfix's own user walks through it.
        node = SmtpLiveNode(folder, listeners)
        stack.callback(node.stop)
        yield node, str(authority.ca_file)


async def attempt_at(smtp_live, listener, *, recipient="probe@box.test", **relay):
    node, ca_file = smtp_live
    client = Client(**{"host": NAME, "ca_file": ca_file, "tls": TlsMode.STARTTLS} | relay)
    letter = type(LETTER)(LETTER.sender, recipient, LETTER.content, LETTER.envelope_id)
    return await client.submit(node.ports[listener], host=ADDRESS, letter=letter)


@pytest.mark.parametrize(
    ("listener", "mode"),
    [
        ("good", TlsMode.NONE),
        ("good", TlsMode.STARTTLS),
        ("implicit", TlsMode.IMPLICIT),
        ("withdrawn", TlsMode.NONE),
    ],
)
async def test_a_letter_is_accepted_with_its_queue_id(smtp_live, listener, mode):
    attempt = await attempt_at(smtp_live, listener, tls=mode)
    assert (attempt.phase, attempt.broken) == (Phase.ACK, None), attempt.detail
    assert (attempt.reply.code, attempt.reply.enhanced) == (250, "2.0.0")
    assert attempt.greeting_host == "node1.pool.test"
    assert smtp_live[0].has_logged(f" {attempt.queue_id}: ")
    assert attempt.phases[-1].phase is Phase.QUIT
    assert all(timed.seconds > 0.0 for timed in attempt.phases)
    assert (attempt.certificate_end is None) is (mode is TlsMode.NONE)


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        ("expired", "the certificate has expired (the first of its chain on "),
        ("wrong name", f"the certificate is not for {NAME} but for other.pool.test"),
        ("untrusted", "the certificate's issuer is not trusted (CN=Strange CA)"),
        ("self-signed", "the certificate is self-signed and not trusted"),
        ("by address", f"the certificate is not for {NAME} but for {ADDRESS}"),
        ("withdrawn", "the server does not offer STARTTLS"),
        ("old", "the server has no TLS version that we accept (1.2 or newer)"),
    ],
)
async def test_bad_tls_is_told_apart(smtp_live, listener, words):
    attempt = await attempt_at(smtp_live, listener)
    assert (attempt.phase, attempt.broken) == (Phase.TLS, Break.TLS_FAILED)
    assert reason_of(attempt) is Reason.TLS_ERROR
    assert evidence(attempt).startswith(words)
    assert (attempt.certificate_end is None) is (listener in ("withdrawn", "old"))


async def test_a_relay_without_a_name_is_verified_by_its_address(smtp_live):
    attempt = await attempt_at(smtp_live, "by address", host=ADDRESS)
    assert attempt.reply.code == 250, attempt.detail


async def test_tls_where_there_is_none_is_said(smtp_live):
    attempt = await attempt_at(smtp_live, "good", tls=TlsMode.IMPLICIT)
    assert evidence(attempt) == "the server does not speak TLS there"


@pytest.mark.parametrize(
    ("recipient", "said", "reason"),
    [
        ("later@box.test", "450 4.2.0", Reason.TEMP_REJECT),
        ("never@box.test", "550 5.1.1", Reason.PERM_REJECT),
    ],
)
async def test_a_refused_recipient_is_a_reply(smtp_live, recipient, said, reason):
    attempt = await attempt_at(smtp_live, "good", recipient=recipient)
    assert (attempt.phase, reason_of(attempt)) == (Phase.RCPT, reason)
    assert evidence(attempt).startswith(f"RCPT TO was refused with {said} <{recipient}>: ")
