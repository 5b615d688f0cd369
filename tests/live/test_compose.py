"""The world in containers, without containers: real servers run with the files that ship for it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.live.prober import Prober
from tests.live.world import LOOPBACK, Dovecot, Pool, World
from tests.live.world.postfix import MASTER_CF
from tests.live.world.shipped import DEPLOY, adapted

pytestmark = pytest.mark.timeout(180)

COMPOSE = DEPLOY / "compose"
OF_CONTAINERS = {"inet_interfaces", "maillog_file", "transport_maps"}  # What is elsewhere here.
Json = dict[str, Any]


class ShippedDovecot(Dovecot):
    """Dovecot with the configuration that ships, at ports and in directories of its own."""

    def _configuration(self) -> str:
        pieces = {
            "listen = *": f"listen = {LOOPBACK}",
            "log_path = /dev/stderr": f"log_path = {self.log}",
            "/var/mail/%u": f"{self.home}/mail/%u",
            "port = 24": f"port = {self.lmtp_port}",
            "port = 143": f"port = {self.imap_port}",
        }
        text = adapted("compose/dovecot/dovecot.conf", pieces)
        return text + f"base_dir = {self.home}/run\nstate_dir = {self.home}/state\n"


def shipped_pool(world: World) -> Pool:
    """Three nodes with the main.cf that ships, and the services that it has besides."""
    text = (COMPOSE / "postfix/main.cf").read_text()
    settings = dict(re.findall(r"^(\w+) = ?(.*)$", text, re.MULTILINE))
    assert settings.keys() > OF_CONTAINERS
    kept = {name: setting for name, setting in settings.items() if name not in OF_CONTAINERS}
    pool = Pool(world, dovecot=ShippedDovecot(world), settings=kept)
    return world.run(pool)


def services(text: str) -> list[str]:
    """The lines of a master.cf, but for where it listens."""
    return [line for line in text.splitlines() if not line.startswith("#") and "smtpd" not in line]


def shipped_prober(world: World, pool: Pool) -> Prober:
    """The prober with the configuration that ships, and the servers where they are here."""
    secrets = {"/run/secrets": f"{COMPOSE}/secrets"}
    text = adapted("compose/mailprobe/mailprobe.yaml", secrets)
    settings: Json = YAML(typ="safe", pure=True).load(text)
    del settings["journal"], settings["web"]
    shipped = settings["relays"]["pool"]["nodes"]
    settings["relays"]["pool"]["nodes"] = [
        f"{label.partition('=')[0]}={node.address}:{node.port}"
        for label, node in zip(shipped, pool.nodes, strict=True)
    ]
    settings["mailboxes"]["corp"]["imap"] |= {"host": LOOPBACK, "port": pool.dovecot.imap_port}
    return world.run(Prober(world, settings))


def named(prober: Prober) -> set[tuple[str, str]]:
    """Nodes with what is held against them."""
    components: Any = prober.status()["components"]
    return {(one["node"], fault) for one in components for fault in one["faults"]}


def test_the_services_of_a_node_are_those_that_the_tests_run() -> None:
    assert services((COMPOSE / "postfix/master.cf").read_text()) == services(MASTER_CF)


def test_the_node_that_is_broken_is_named_until_it_is_mended(world: World) -> None:
    pool = shipped_pool(world)
    prober = shipped_prober(world, pool)

    def arrived() -> bool:
        counts = prober.scrape().samples("mailprobe_delivered_total", folder="inbox")
        return min(count for _, count in counts) >= 2

    prober.expect(arrived, "each node delivers")
    assert named(prober) == set()
    pool.nodes[1].pause_queue_manager()
    prober.expect(lambda: named(prober) == {("node2", "holding")}, "the node is named", within=60)
    pool.nodes[1].resume_queue_manager()
    prober.expect(lambda: not named(prober), "nothing is held against anybody", within=90)
