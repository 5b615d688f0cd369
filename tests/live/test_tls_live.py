"""TLS through the whole prober: what is wrong with a node's certificate is told in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from probe.core.model import TlsMode
from tests.live.prober import Prober, configuration, mailbox, relay
from tests.live.world import Certificate, CertificateAuthority, Dovecot, Pool, World

pytestmark = pytest.mark.timeout(120)

NAME = "pool.test"
GOOD = "127.0.0.11"
EXPIRED = "127.0.0.12"
MISNAMED = "127.0.0.13"
UNTRUSTED = "127.0.0.14"
WITHDRAWN = "127.0.0.15"
SAID = {
    EXPIRED: "expired",
    MISNAMED: "other.test",
    UNTRUSTED: "a root that is not trusted (CN=nobody)",
    WITHDRAWN: "does not offer STARTTLS",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A relay by addresses, STARTTLS at each in its own way, and a prober that looks at it."""

    prober: Prober
    shown: dict[str, Certificate]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with World() as world:
        authority = CertificateAuthority(world.folder("authority"))
        shown = {
            GOOD: authority.issue(NAME),
            EXPIRED: authority.issue(NAME, expired=True),
            MISNAMED: authority.issue("other.test"),
            UNTRUSTED: CertificateAuthority(world.folder("nobody"), "nobody").issue(NAME),
        }
        own = {
            node: {"tls": TlsMode.STARTTLS, "certificate": certificate}
            for node, certificate in shown.items()
        }
        pool = world.run(Pool(world, addresses=[*shown, WITHDRAWN], each=own))
        tls = {"host": NAME, "tls": "starttls", "ca_file": str(authority.ca_file)}
        prober = Prober(world, configuration(pool, relays={"pool": relay(pool, **tls)}))
        yield Scene(world.run(prober), shown)


def test_a_node_reached_by_its_address_is_verified_by_the_relays_name(scene: Scene) -> None:
    def delivered() -> bool:
        return scene.prober.scrape().sum("mailprobe_delivered_total", node=GOOD) >= 2

    scene.prober.expect(delivered, "the good node delivers")
    assert scene.prober.scrape().sum("mailprobe_probe_failures_total", node=GOOD) == 0


@pytest.mark.parametrize("node", SAID)
def test_what_is_wrong_with_tls_is_told_apart(scene: Scene, node: str) -> None:
    def failed() -> bool:
        failures = "mailprobe_probe_failures_total"
        return scene.prober.scrape().sum(failures, node=node, reason="tls_error") >= 2

    scene.prober.expect(failed, "two probes failed")
    scrape = scene.prober.scrape()
    failures = scrape.sum("mailprobe_probe_failures_total", node=node)
    assert failures == scrape.sum("mailprobe_probe_failures_total", node=node, reason="tls_error")
    assert scrape.sum("mailprobe_sent_total", node=node) == 0, "there is no downgrade"
    evidence = scene.prober.evidence(node)
    assert SAID[node] in evidence
    assert not [said for other, said in SAID.items() if other != node and said in evidence]


def test_the_end_of_each_certificate_is_exported(scene: Scene) -> None:
    def known() -> bool:
        return len(list(ends())) == len(scene.shown)

    def ends() -> dict[str, float]:
        samples = scene.prober.scrape().samples(
            "mailprobe_tls_certificate_not_after_timestamp_seconds"
        )
        return {labels["node"]: end for labels, end in samples if end == end}

    scene.prober.expect(known, "each node has shown its certificate")
    assert ends() == {node: shown.not_after.timestamp() for node, shown in scene.shown.items()}


@pytest.mark.parametrize("mode", [TlsMode.STARTTLS, TlsMode.IMPLICIT])
def test_both_ends_are_encrypted_under_a_private_authority(world: World, mode: TlsMode) -> None:
    authority = CertificateAuthority(world.folder("authority"), bare=True)
    certificate = authority.issue("localhost")
    dovecot = Dovecot(world, tls=mode, certificate=certificate)
    pool = Pool(world, addresses=[GOOD], tls=mode, certificate=certificate, dovecot=dovecot)
    world.run(pool)
    tls = {"host": "localhost", "tls": mode.value}
    trusting = {**tls, "ca_file": str(authority.ca_file)}
    corp = mailbox(pool)
    corp["imap"] = {**corp["imap"], **trusting}
    doubting = mailbox(pool, "doubt@corp.test")
    doubting["imap"] = {**doubting["imap"], **tls}
    settings = configuration(
        pool,
        relays={"pool": relay(pool, **trusting)},
        mailboxes={"corp": corp, "doubt": doubting},
    )
    prober = world.run(Prober(world, settings))

    def delivered() -> bool:
        return prober.scrape().sum("mailprobe_delivered_total", mailbox="corp") >= 2

    prober.expect(delivered, "probes are delivered")
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_probe_failures_total") == 0
    assert scrape.sum("mailprobe_imap_up", mailbox="corp") == 1
    assert scrape.sum("mailprobe_imap_up", mailbox="doubt") == 0, "an issuer nobody trusts"
    assert scrape.sum("mailprobe_delivered_total", mailbox="doubt") == 0
    assert "Mailbox doubt cannot be read" in prober.log.read_text()
