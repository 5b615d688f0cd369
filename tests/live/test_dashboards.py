"""Every panel of every dashboard, asked of a real Prometheus through a fault of real servers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.core.model import TlsMode
from tests.live.dns_world import txt
from tests.live.prober import SENDER, Prober, configuration, mailbox, relay
from tests.live.world import (
    ADDRESSES,
    LOOPBACK,
    CertificateAuthority,
    Dovecot,
    Nsd,
    Pool,
    Prometheus,
    RefusingSink,
    World,
    wait_until,
)

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
WINDOW = 240.0  # s that are asked for: all of the test.
GRAFANA = {"$__rate_interval": "10s", "$job": ".+", "$instance": ".+"}
LISTED = "127.0.0.66"  # Where mail comes from, says the configuration.
HEADER = "Authentication-Results: mx.corp.test; spf=fail; dkim=pass"
ZONE = f"""\
@ MX 10 mail
mail A 127.0.0.1
{txt("@", "v=spf1 include:spf.shop.test -all")}
{txt("spf", "v=spf1 ip4:127.0.0.0/8 -all")}
{txt("_dmarc", "v=DMARC1; p=none")}
"""
CHANGED = ZONE.replace("p=none", "p=reject")
NODES = "".join(f"@ A {address}\n" for address in ADDRESSES)
BLOCKLIST = "2.0.0.127 A 127.0.0.2\n66.0.0.127 A 127.0.0.2\n"


class Scene:
    """A pool behind TLS with its prober and its Prometheus, as it goes through three faults."""

    def __init__(self, world: World) -> None:
        authority = CertificateAuthority(world.folder("authority"))
        certificate = authority.issue("pool.test", "127.0.0.1")
        dovecot = Dovecot(world, tls=TlsMode.STARTTLS, certificate=certificate, quota=10_000)
        self.sink = world.run(RefusingSink(world))
        zones = {"shop.test": ZONE, "bl.test": BLOCKLIST, "pool.test": NODES}
        self.nsd = world.run(Nsd(world, zones))
        self.pool = world.run(
            Pool(
                world,
                tls=TlsMode.STARTTLS,
                certificate=certificate,
                dovecot=dovecot,
                settings={
                    "smtpd_client_restrictions": f"check_client_access static:{{PREPEND {HEADER}}}"
                },
            )
        )
        ca = str(authority.ca_file)
        tls = {"tls": "starttls", "ca_file": ca}
        boxes = {
            "corp": mailbox(self.pool, authserv_id="mx.corp.test"),
            "back": mailbox(self.pool, SENDER),
        }
        for box in boxes.values():
            box["imap"] = {**box["imap"], **tls}  # type: ignore[dict-item]
        settings = configuration(
            self.pool,
            relays={"pool": relay(self.pool, nodes="a", port=self.pool.port, **tls)},
            senders={"shop": {"address": SENDER, "egress_ips": [LISTED]}},
            mailboxes=boxes,
            routes=[{"mailbox": "corp"}],
            resolvers=[f"127.0.0.1:{self.nsd.port}"],
            dns={"interval": "10s", "dnsbl_interval": "10s", "dnsbl": ["bl.test"]},
        )
        self.prober = world.run(Prober(world, settings))
        rules = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
        self.prometheus = world.run(Prometheus(world, self.prober.port, rules=rules))

    def play(self) -> None:
        """One node stops; another holds its mail, lets it go, and bounces what comes then."""
        stopped, holding = self.pool.nodes[1:]
        self._expect("sum(increase(mailprobe_delivered_total[10s])) > 5", "mail is delivered")
        stopped.stop()
        holding.pause_queue_manager()
        self.nsd.publish("shop.test", CHANGED)
        self._expect("sum(mailprobe_overdue) > 2", "mail is late")
        holding.resume_queue_manager()
        self._expect("sum(increase(mailprobe_late_total[60s])) > 1", "it comes late")
        firing = f'alertname="MailProbeNodeAtFault",alertstate="firing",node="{stopped.address}"'
        self._expect(f"ALERTS{{{firing}}}", "it pages")
        lmtp = f"lmtp:inet:{LOOPBACK}"
        ways = f"corp.test={lmtp}:{self.sink.port}, shop.test={lmtp}:{self.pool.dovecot.lmtp_port}"
        holding.reload(transport_maps=f"inline:{{{ways}}}")
        self._expect("increase(mailprobe_bounces_total[10s])", "mail bounces")

    def _expect(self, expr: str, what: str) -> None:
        try:
            wait_until(lambda: bool(self.prometheus.ask(expr)), what, within=90.0)
        except TimeoutError as late:
            raise AssertionError(f"{late}\n{self.prober.log_end()}") from None


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with World() as world:
        scene = Scene(world)
        scene.play()
        yield scene


def targets() -> Iterator[Any]:
    """Each query of each panel, and whether it is asked as of now."""
    for path in sorted((ROOT / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                name = f"{path.stem}: {panel['title']} {target['refId']}"
                yield pytest.param(target, id=name)


def asked(expr: str) -> str:
    """A query as Grafana sends it, with everything chosen."""
    for variable, value in GRAFANA.items():
        expr = expr.replace(variable, value)
    for variable in ("relay", "node", "sender", "mailbox", "domain"):
        expr = expr.replace(f"${variable}", ".*")
    assert "$" not in expr
    return expr


@pytest.mark.parametrize("target", [*targets()])
def test_a_panel_shows_something(scene: Scene, target: dict[str, Any]) -> None:
    over = None if target.get("instant") else WINDOW
    found = scene.prometheus.ask(asked(target["expr"]), over=over)
    assert any(values for _, values in found), f"no data: {target['expr']}"


def test_what_can_be_chosen_is_there(scene: Scene) -> None:
    for path in sorted((ROOT / "dashboards").glob("*.json")):
        for variable in json.loads(path.read_text())["templating"]["list"]:
            if variable["type"] == "query":
                selector, _, label = variable["query"][len("label_values(") : -1].rpartition(", ")
                found = scene.prometheus.ask(f"count by ({label}) ({asked(selector)})")
                assert any(labels.get(label) for labels, _ in found), variable["query"]
