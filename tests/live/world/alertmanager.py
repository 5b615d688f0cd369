"""Alertmanager with the routes that ship, only quicker, and with a switchboard in their ends."""

from __future__ import annotations

from collections.abc import Sequence

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server, is_ready
from tests.live.world.shipped import DEPLOY, adapted

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
        pieces = {
            "http://pager.example/office": f"{self._switchboard}/page",
            "http://pager.example/on-call": f"{self._switchboard}/page",
            "http://tickets.example/mailprobe": f"{self._switchboard}/ticket",
            "http://dead-mans-switch.example/mailprobe": f"{self._switchboard}/watchdog",
            "group_wait: 15s": "group_wait: 5s",
            "group_interval: 1m": "group_interval: 5s",
            "templates/*.tmpl": f"{DEPLOY}/alertmanager/templates/*.tmpl",
        }
        for name in ("page-office", "page-on-call"):
            receiver = f"  - name: {name}\n"
            pieces[receiver] = receiver + READABLE.format(url=self._switchboard)
        text = adapted("alertmanager/alertmanager.yml", pieces)
        (self.home / "alertmanager.yml").write_text(text)

    def _arguments(self) -> Sequence[str]:
        return [
            f"--config.file={self.home}/alertmanager.yml",
            f"--storage.path={self.home}/data",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--cluster.listen-address=",
        ]

    def _is_ready(self) -> bool:
        return is_ready(self.port)
