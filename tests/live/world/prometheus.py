"""Prometheus: scrapes a prober as its operators' one would, only more often."""

from __future__ import annotations

import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.live.world.ground import LOOPBACK, World
from tests.live.world.server import Server, is_ready

Series = tuple[dict[str, str], list[float]]  # Labels, and the values over time that are numbers.


class Prometheus(Server):
    """A Prometheus of its own; it scrapes every second or so, and looks at its rules."""

    def __init__(
        self,
        world: World,
        target: int | Mapping[str, int],
        *,
        rules: Sequence[Path] = (),
        alertmanager: int | None = None,
        period: int = 1,
        name: str = "prometheus",
    ) -> None:
        """`target` and `alertmanager` are their ports on loopback; of several targets, by job.

        `period` is between two scrapes, and between two looks at the rules (s).
        """
        super().__init__(world.folder(name), binary="/usr/bin/prometheus", package="prometheus")
        self.port = world.port()
        jobs = {"mailprobe": target} if isinstance(target, int) else target
        self._settings: dict[str, Any] = {
            "global": {"scrape_interval": f"{period}s", "evaluation_interval": f"{period}s"},
            "rule_files": [str(file) for file in rules],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
                for job, port in jobs.items()
            ],
        }
        if alertmanager is not None:
            managers = [{"static_configs": [{"targets": [f"{LOOPBACK}:{alertmanager}"]}]}]
            self._settings["alerting"] = {"alertmanagers": managers}

    def ask(self, expr: str, *, over: float | None = None) -> list[Series]:
        """The series that answer a query: now, or `over` the seconds until now."""
        now = time.time()
        if over is None:
            found = self._get("query", query=expr, time=f"{now}")
        else:
            span = {"start": f"{now - over}", "end": f"{now}", "step": "1"}
            found = self._get("query_range", query=expr, **span)
        return [(one["metric"], _numbers(one)) for one in found["result"]]

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        url = f"http://{LOOPBACK}:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return dict(json.load(answer)["data"])
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{parameters}: {refused.read().decode()}") from refused

    def _configure(self) -> None:
        (self.home / "prometheus.yml").write_text(json.dumps(self._settings))  # JSON is YAML.

    def _arguments(self) -> Sequence[str]:
        return [
            f"--config.file={self.home}/prometheus.yml",
            f"--storage.tsdb.path={self.home}/tsdb",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--log.level=warn",
        ]

    def _is_ready(self) -> bool:
        return is_ready(self.port)


def _numbers(series: dict[str, Any]) -> list[float]:
    samples = series["values"] if "values" in series else [series["value"]]
    return [number for _, text in samples if not math.isnan(number := float(text))]
