"""A real Postfix takes our letters, and its TLS is judged as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from probe.core.model import Attempt, Break, Phase, Reason, TlsMode
from probe.core.outcome import evidence, reason_of
from tests.certificates import Certificate, CertificateAuthority
from tests.edges.smtp_peer import LETTER, Client
from tests.live.world import Postfix, World, wait_until

ADDRESS = "127.0.0.21"
NAME = "smtp.pool.test"
POLICY = """inline:{
  { later@box.test = 450 4.2.0 come again }, { never@box.test = 550 5.1.1 nobody } }"""
OLD = {"smtpd_tls_protocols": "<=TLSv1.1", "tls_medium_cipherlist": "ALL@SECLEVEL=0"}


@dataclass(frozen=True)
class Relays:
    """A Postfix for each thing that its TLS may be."""

    nodes: Mapping[str, Postfix]
    authority: CertificateAuthority  # That of the good certificates.

    async def attempt(
        self, kind: str, *, recipient: str = "probe@box.test", **relay: object
    ) -> Attempt:
        """Submit a letter to the Postfix of this kind."""
        trusted = {"host": NAME, "ca_file": str(self.authority.ca_file), "tls": TlsMode.STARTTLS}
        client = Client(**{**trusted, **relay})
        letter = replace(LETTER, recipient=recipient)
        return await client.submit(self.nodes[kind].port, host=ADDRESS, letter=letter)


@pytest.fixture(scope="module")
def relays(calm_world: World, authority: CertificateAuthority) -> Relays:
    stranger = CertificateAuthority(calm_world.folder("stranger"), "Strange CA")
    good = authority.issue(NAME)

    def node(
        name: str, certificate: Certificate, tls: TlsMode = TlsMode.STARTTLS, **settings: str
    ) -> Postfix:
        return Postfix(
            calm_world,
            name,
            domains=["box.test"],
            address=ADDRESS,
            tls=tls,
            certificate=certificate,
            settings={
                "smtpd_recipient_restrictions": f"check_recipient_access {POLICY}, "
                "permit_mynetworks, reject",
                **settings,
            },
        )

    nodes = {
        "good": node("good", good),
        "implicit": node("implicit", good, TlsMode.IMPLICIT),
        "expired": node("expired", authority.issue(NAME, expired=True)),
        "wrong name": node("misnamed", authority.issue("other.pool.test")),
        "untrusted": node("untrusted", stranger.issue(NAME, chain=False)),
        "self-signed": node("self-signed", stranger.own()),
        "by address": node("addressed", authority.issue(ADDRESS)),
        "withdrawn": node("withdrawn", good, smtpd_tls_security_level="none"),
        "old": node("old", good, **OLD),
    }
    for postfix in nodes.values():
        calm_world.run(postfix)
    return Relays(nodes, authority)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        ("good", TlsMode.NONE),
        ("good", TlsMode.STARTTLS),
        ("implicit", TlsMode.IMPLICIT),
        ("withdrawn", TlsMode.NONE),
    ],
)
async def test_a_letter_is_accepted_with_its_queue_id(
    relays: Relays, kind: str, mode: TlsMode
) -> None:
    attempt = await relays.attempt(kind, tls=mode)
    assert (attempt.phase, attempt.broken) == (Phase.ACK, None), attempt.detail
    assert (attempt.reply.code, attempt.reply.enhanced) == (250, "2.0.0")
    assert attempt.greeting_host == f"{kind}.test"
    log = relays.nodes[kind].log
    wait_until(lambda: f" {attempt.queue_id}: " in log.read_text(), "the queue id in the log")
    assert attempt.phases[-1].phase is Phase.QUIT
    assert all(timed.seconds > 0.0 for timed in attempt.phases)
    assert (attempt.certificate_end is None) is (mode is TlsMode.NONE)


@pytest.mark.parametrize(
    ("kind", "words"),
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
async def test_bad_tls_is_told_apart(relays: Relays, kind: str, words: str) -> None:
    attempt = await relays.attempt(kind)
    assert (attempt.phase, attempt.broken) == (Phase.TLS, Break.TLS_FAILED)
    assert reason_of(attempt) is Reason.TLS_ERROR
    assert evidence(attempt).startswith(words)
    assert (attempt.certificate_end is None) is (kind in ("withdrawn", "old"))


async def test_a_relay_without_a_name_is_verified_by_its_address(relays: Relays) -> None:
    attempt = await relays.attempt("by address", host=ADDRESS)
    assert attempt.reply.code == 250, attempt.detail


async def test_tls_where_there_is_none_is_said(relays: Relays) -> None:
    attempt = await relays.attempt("good", tls=TlsMode.IMPLICIT)
    assert evidence(attempt) == "the server does not speak TLS there"


@pytest.mark.parametrize(
    ("recipient", "said", "reason"),
    [
        ("later@box.test", "450 4.2.0", Reason.TEMP_REJECT),
        ("never@box.test", "550 5.1.1", Reason.PERM_REJECT),
    ],
)
async def test_a_refused_recipient_is_a_reply(
    relays: Relays, recipient: str, said: str, reason: Reason
) -> None:
    attempt = await relays.attempt("good", recipient=recipient)
    assert (attempt.phase, reason_of(attempt)) == (Phase.RCPT, reason)
    assert evidence(attempt).startswith(f"RCPT TO was refused with {said} <{recipient}>: ")
