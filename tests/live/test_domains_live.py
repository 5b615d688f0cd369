"""The senders' domains under a running prober: real NSD, real OpenDKIM signing, real mail."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.live.dns_world import txt
from tests.live.prober import Prober, configuration
from tests.live.world import ADDRESSES, Nsd, OpenDkim, Pool, SigningKey, World

pytestmark = pytest.mark.timeout(180)

INTERVAL = 10.0  # s of the DNS checks: the least that there may be.
SPF = txt("@", "v=spf1 ip4:127.0.0.0/8 -all")
BASE = f"@ MX 10 mail\nmail A 127.0.0.1\n{txt('_dmarc', 'v=DMARC1; p=none')}\n"


class Domain:
    """shop.test in DNS: what is published of it, and the prober that watches it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.keys = {"s1": SigningKey()}
        self.spf = SPF
        self.nsd = world.run(Nsd(world, {"shop.test": self._records()}))

    def publish(self) -> None:
        """What there is now."""
        self.nsd.publish("shop.test", self._records())

    def _records(self) -> str:
        keys = (txt(f"{name}._domainkey", key.record) for name, key in self.keys.items())
        return "\n".join((BASE, self.spf, *keys))

    def prober(self, pool: Pool, **changes: object) -> Prober:
        settings = configuration(
            pool,
            resolvers=[f"127.0.0.1:{self.nsd.port}"],
            dns={"interval": f"{INTERVAL:g}s"},
            **changes,
        )
        return self.world.run(Prober(self.world, settings))


@pytest.fixture
def domain(world: World) -> Domain:
    return Domain(world)


@pytest.fixture
def signer(world: World, domain: Domain) -> OpenDkim:
    return world.run(OpenDkim(world, "shop.test", "s1", domain.keys["s1"]))


@pytest.fixture
def signing(world: World, signer: OpenDkim) -> Pool:
    """Three nodes that sign."""
    return world.run(Pool(world, settings=signer.milter))


def check(prober: Prober, kind: str, subject: str = "shop.test") -> str:
    """The state of a check; nothing before its first run."""
    [entry] = prober.status()["dns"]  # type: ignore[misc]
    found = {(c["check"], c["subject"]): c["state"] for c in entry["checks"]}
    return found.get((kind, subject), "")


def fault(prober: Prober) -> str:
    """What is said of the fault `dns` of the sender, while it is named."""
    for component in prober.status()["components"]:  # type: ignore[attr-defined]
        if component["kind"] == "sender" and "dns" in component["faults"]:
            return "\n".join(component["evidence"])
    return ""


def faults(prober: Prober, kind: str, name: str) -> list[str]:
    """The faults of a component."""
    status = prober.status()["components"]
    [found] = [c for c in status if c["kind"] == kind and c[kind] == name]  # type: ignore[attr-defined]
    return list(found["faults"])


def evidence(prober: Prober, *nodes: str) -> list[str]:
    return [prober.evidence(node) for node in nodes or ADDRESSES]


def test_a_key_rotated_badly_is_named_from_dns_and_from_the_mail(
    domain: Domain, signing: Pool, signer: OpenDkim
) -> None:
    prober = domain.prober(signing)
    prober.expect(lambda: check(prober, "dkim", "s1") == "ok", "the selector is learned, and well")
    assert fault(prober) == ""

    signer.rotate("s2", SigningKey())
    began = time.monotonic()
    sent = prober.scrape().sum("mailprobe_sent_total")
    prober.expect(lambda: any("s2._domainkey" in e for e in evidence(prober)), "a fact of the mail")
    arrived = prober.scrape().sum("mailprobe_sent_total") - sent
    print(f"from the mail after {time.monotonic() - began:.1f} s and {arrived:g} probes")
    prober.expect(lambda: "s2" in fault(prober), "the fault is named", within=INTERVAL + 5.0)
    print(f"from DNS after {time.monotonic() - began:.1f} s")
    assert check(prober, "dkim", "s1") == "ok"
    incidents = json.loads(prober.get("/api/v1/incidents"))
    assert any("unauthenticated" in incident["faults"] for incident in incidents), incidents

    domain.keys["s2"] = SigningKey()  # Not the one that signs.
    domain.publish()
    prober.expect(lambda: fault(prober) == "", "what is published is a key")
    prober.expect(
        lambda: any("does not fit" in e for e in evidence(prober)), "and another than what signs"
    )


def test_a_node_whose_signing_filter_is_dead_stands_out(
    world: World, domain: Domain, signer: OpenDkim
) -> None:
    own = world.run(OpenDkim(world, "shop.test", "s1", domain.keys["s1"]))
    each = {ADDRESSES[1]: {"settings": own.milter}}
    pool = world.run(Pool(world, settings=signer.milter, each=each))
    prober = domain.prober(pool)
    prober.expect(lambda: check(prober, "dkim", "s1") == "ok", "the selector is learned, and well")
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_delivered_total") >= 6, "mail of every node is there"
    )
    own.kill()
    prober.expect(lambda: "no DKIM signature" in prober.evidence(ADDRESSES[1]), "the node is told")
    prober.expect(
        lambda: "unauthenticated" in faults(prober, "node", ADDRESSES[1]), "the node is named"
    )
    assert evidence(prober, ADDRESSES[0], ADDRESSES[2]) == ["", ""]
    assert [faults(prober, "node", address) for address in (ADDRESSES[0], ADDRESSES[2])] == [[], []]


def test_a_record_that_is_removed_is_a_fault_until_it_is_back(domain: Domain, pool: Pool) -> None:
    prober = domain.prober(pool)
    prober.expect(lambda: check(prober, "spf") == "ok", "the record is well")
    domain.spf = ""
    domain.publish()
    began = time.monotonic()
    prober.expect(lambda: "spf" in fault(prober), "it is named", within=INTERVAL + 2.0)
    print(f"named after {time.monotonic() - began:.1f} s")
    assert "v=spf1 ip4:127.0.0.0/8" in fault(prober)
    scrape = prober.scrape()
    assert scrape.sum("mailprobe_dns_check_state", domain="shop.test", check="spf", state="fail")
    changed = "mailprobe_dns_record_changed_timestamp_seconds"
    assert time.time() - scrape.sum(changed, domain="shop.test", check="spf") < 30.0
    assert scrape.sum("mailprobe_fault", kind="sender", sender="shop", fault="dns") == 1
    [entry] = prober.status()["dns"]  # type: ignore[misc]
    [change] = [c for c in entry["changes"] if c["check"] == "spf"]
    assert (change["subject"], change["new"]) == ("shop.test", [])
    assert "v=spf1 ip4:127.0.0.0/8 -all" in change["old"]
    domain.spf = SPF
    domain.publish()
    prober.expect(lambda: fault(prober) == "", "it is over")


def test_an_incident_says_what_has_changed_in_dns_before(domain: Domain, pool: Pool) -> None:
    prober = domain.prober(pool)
    prober.expect(lambda: check(prober, "spf") == "ok", "the record is well")
    domain.spf = txt("@", "v=spf1 -all")
    domain.publish()
    changed = "mailprobe_dns_record_changed_timestamp_seconds"
    prober.expect(
        lambda: prober.scrape().sum(changed, domain="shop.test", check="spf") > 0, "it is noticed"
    )
    for node in pool.nodes:
        node.reload(smtpd_sender_restrictions="check_sender_access inline:{shop.test=REJECT}")

    def said() -> str:
        incidents = json.loads(prober.get("/api/v1/incidents"))
        refused = [one for one in incidents if "refusing" in one["faults"]]
        return "\n".join(line for one in refused for line in one["evidence"])

    prober.expect(lambda: "The SPF of shop.test changed" in said(), "the incident says so")
    assert "“v=spf1 ip4:127.0.0.0/8 -all” became “v=spf1 -all”" in said()


def test_what_was_well_before_a_restart_is_known(domain: Domain, pool: Pool) -> None:
    prober = domain.prober(pool)
    prober.expect(lambda: check(prober, "spf") == "ok", "the record is well")
    sent = prober.scrape().sum("mailprobe_sent_total")
    prober.expect(
        lambda: prober.scrape().sum("mailprobe_sent_total") > sent + 3, "all that is on disk"
    )
    prober.kill()
    domain.spf = ""
    domain.publish()
    prober.start()
    prober.expect(lambda: "spf" in fault(prober), "it is named", within=INTERVAL + 10.0)


def test_a_resolver_that_is_dead_is_an_error_and_no_fault(domain: Domain, pool: Pool) -> None:
    prober = domain.prober(pool)
    prober.expect(lambda: check(prober, "spf") == "ok", "the record is well")
    domain.nsd.pause()
    states = ("mx", "spf", "dmarc")
    prober.expect(
        lambda: [check(prober, kind) for kind in states] == ["error"] * 3, "nothing is known"
    )
    assert fault(prober) == ""
    domain.nsd.resume()
    prober.expect(lambda: check(prober, "spf") == "ok", "the record is well again")
    assert fault(prober) == ""
    assert prober.scrape().sum("mailprobe_dns_check_state", check="spf", state="ok") == 1


def test_what_was_never_well_is_a_finding(domain: Domain, pool: Pool) -> None:
    domain.spf = txt("@", "v=spf1 +all")
    domain.publish()
    prober = domain.prober(pool)
    prober.expect(lambda: check(prober, "spf") == "fail", "it is found")
    changes = prober.scrape().sum("mailprobe_loop_last_run_timestamp_seconds", loop="inspector")
    assert changes > 0
    runs = "mailprobe_dns_check_state"
    assert prober.scrape().sum(runs, domain="shop.test", check="spf", state="fail") == 1
    assert fault(prober) == ""


def test_a_reload_takes_a_domain_out(domain: Domain, pool: Pool) -> None:
    prober = domain.prober(pool)
    prober.expect(lambda: check(prober, "spf") == "ok", "the record is well")
    senders = {"shop": {"address": "probe@shop.test", "dns": "false"}}
    prober.write(configuration(pool, resolvers=[f"127.0.0.1:{domain.nsd.port}"], senders=senders))
    os.kill(prober.pid, signal.SIGHUP)
    prober.expect(lambda: prober.status()["dns"] == [], "it is not checked any more")
    assert not [*prober.scrape().samples("mailprobe_dns_check_state")]
