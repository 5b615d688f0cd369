"""Alertmanager with the routes that ship, only quicker, and with a switchboard in their ends."""

from __future__ import annotations

import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server

SHIPPED = Path(__file__).resolve().parents[3] / "deploy" / "alertmanager"

# Beside the call for programs, one for people, in the words of the templates.
READABLE = """\
    slack_configs:
      - api_url: {url}/words
        channel: night
        send_resolved: true
        title: '{{{{ template "mailprobe.title" . }}}}'
        text: '{{{{ template "mailprobe.text" . }}}}'
"""


class Alertmanager(Server):
    """One whose receivers are paths of a switchboard: page, ticket, watchdog."""

    def __init__(self, world: World, switchboard: str) -> None:
        binary = "prometheus-alertmanager"
        super().__init__(world.folder("alertmanager"), binary=binary, package=binary)
        self.port = world.port()
        self._switchboard = switchboard

    def _configure(self) -> None:
        text = (SHIPPED / "alertmanager.yml").read_text()
        for shipped, ours in {
            "http://pager.example/office": f"{self._switchboard}/page",
            "http://pager.example/on-call": f"{self._switchboard}/page",
            "http://tickets.example/mailprobe": f"{self._switchboard}/ticket",
            "http://dead-mans-switch.example/mailprobe": f"{self._switchboard}/watchdog",
            "group_wait: 15s": "group_wait: 5s",
            "group_interval: 1m": "group_interval: 5s",
            "templates/*.tmpl": f"{SHIPPED}/templates/*.tmpl",
        }.items():
            assert shipped in text, shipped
            text = text.replace(shipped, ours)
        for name in ("page-office", "page-on-call"):
            receiver = f"  - name: {name}\n"
            text = text.replace(receiver, receiver + READABLE.format(url=self._switchboard))
        (self.home / "alertmanager.yml").write_text(text)

    def _arguments(self) -> Sequence[str]:
        return [
            f"--config.file={self.home}/alertmanager.yml",
            f"--storage.path={self.home}/data",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--cluster.listen-address=",
        ]

    def _is_ready(self) -> bool:
        try:
            url = f"http://{LOOPBACK}:{self.port}/-/ready"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False
