"""Prometheus and Alertmanager with the rules and the routing that ship, only quicker."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
PERIOD = 5  # s between two scrapes, and between two evaluations.


class Prometheus(Server):
    """One that scrapes probers, each as a job of its own, and alerts by the rules that ship."""

    def __init__(self, world: World, probers: Mapping[str, int], alertmanager: int) -> None:
        """`probers`: the port of each job's target."""
        super().__init__(world.folder("prometheus"), binary="prometheus", package="prometheus")
        self.port = world.port()
        self._probers = probers
        self._alertmanager = alertmanager

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        query = urllib.parse.urlencode({"query": expression})
        answer = _get(f"http://{LOOPBACK}:{self.port}/api/v1/query?{query}")
        return list(json.loads(answer)["data"]["result"])

    def _configure(self) -> None:
        period = f"{PERIOD}s"
        configuration = {
            "global": {"scrape_interval": period, "evaluation_interval": period},
            "rule_files": [f"{DEPLOY}/prometheus/rules/*.yml"],
            "alerting": {"alertmanagers": [_targets(self._alertmanager)]},
            "scrape_configs": [
                {"job_name": job, **_targets(port)} for job, port in self._probers.items()
            ],
        }
        (self.home / "prometheus.yml").write_text(json.dumps(configuration))

    def _arguments(self) -> Sequence[str]:
        return [
            f"--config.file={self.home}/prometheus.yml",
            f"--storage.tsdb.path={self.home}/tsdb",
            f"--web.listen-address={LOOPBACK}:{self.port}",
        ]

    def _is_ready(self) -> bool:
        return _answers(f"http://{LOOPBACK}:{self.port}/-/ready")


class Alertmanager(Server):
    """One with the routes that ship, whose receivers are a switchboard."""

    def __init__(self, world: World, switchboard: str) -> None:
        binary = "prometheus-alertmanager"
        super().__init__(world.folder("alertmanager"), binary=binary, package=binary)
        self.port = world.port()
        self._switchboard = switchboard

    def _configure(self) -> None:
        text = (DEPLOY / "alertmanager/alertmanager.yml").read_text()
        for shipped, ours in {
            "http://pager.example/office": f"{self._switchboard}/page",
            "http://pager.example/on-call": f"{self._switchboard}/page",
            "http://tickets.example/mailprobe": f"{self._switchboard}/ticket",
            "http://dead-mans-switch.example/mailprobe": f"{self._switchboard}/watchdog",
            "group_wait: 15s": f"group_wait: {PERIOD}s",
            "group_interval: 1m": f"group_interval: {PERIOD}s",
            "templates/*.tmpl": f"{DEPLOY}/alertmanager/templates/*.tmpl",
        }.items():
            assert shipped in text, shipped
            text = text.replace(shipped, ours)
        (self.home / "alertmanager.yml").write_text(text)

    def _arguments(self) -> Sequence[str]:
        return [
            f"--config.file={self.home}/alertmanager.yml",
            f"--storage.path={self.home}/data",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--cluster.listen-address=",
        ]

    def _is_ready(self) -> bool:
        return _answers(f"http://{LOOPBACK}:{self.port}/-/ready")


def _targets(port: int) -> dict[str, Any]:
    return {"static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return bytes(answer.read())


def _answers(url: str) -> bool:
    try:
        return bool(_get(url))
    except (urllib.error.URLError, OSError):
        return False
