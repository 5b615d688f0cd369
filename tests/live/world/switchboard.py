"""Whoever is called: by Alertmanager, and by the heartbeats of probers."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.live.world.ground import LOOPBACK


@dataclass(frozen=True, slots=True)
class Notification:
    """One call of Alertmanager."""

    moment: float  # Monotonic clock.
    content: dict[str, Any] = field(repr=False)

    @property
    def job(self) -> str:
        """Of which prober it speaks."""
        return str(self.content["groupLabels"].get("job", ""))

    @property
    def key(self) -> str:
        """What pages have in common that services take for one."""
        return str(self.content["groupKey"])

    @property
    def is_firing(self) -> bool:
        """Whether anything is wrong still."""
        return bool(self.content["status"] == "firing")

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Those that fire, or that are over where none fires."""
        status = self.content["status"]
        return [one for one in self.content["alerts"] if one["status"] == status]

    def __str__(self) -> str:
        names = [one["labels"]["alertname"] for one in self.content["alerts"]]
        return f"{self.content['status']} {', '.join(names)}"


class Switchboard:
    """An HTTP server that remembers who called which path, and with what."""

    def __init__(self) -> None:
        self.calls: dict[str, list[Notification]] = defaultdict(list)
        board = self

        class Handler(BaseHTTPRequestHandler):
            """Answers 200 to all."""

            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                board._note(self.path, content)
                self._answer()

            def do_GET(self) -> None:
                board._note(self.path, {})
                self._answer()

            def _answer(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """What is asked is remembered; it needs no log."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="switchboard")

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def kill(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def pages(self, job: str) -> list[Notification]:
        """What was paged of this prober, in order."""
        return [call for call in list(self.calls["/page"]) if call.job == job]

    def _note(self, path: str, content: dict[str, Any]) -> None:
        self.calls[path].append(Notification(time.monotonic(), content))
