"""Prints the alerts that it is called with: the pager, the tickets and the dead man's switch.

Alertmanager's routes that ship call them by different hosts; here all are this one, which prints
the host's name in front. `pager.py PORT`.
"""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LONGEST = 1 << 20


class Call(BaseHTTPRequestHandler):
    """One call of Alertmanager's, with a group of alerts."""

    def do_GET(self) -> None:
        """For the health check."""
        self._end(HTTPStatus.NO_CONTENT)

    def do_POST(self) -> None:
        """Print each alert of the group."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST:
            self._end(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        who = self.headers["Host"].partition(".")[0] + self.path
        for alert in json.loads(self.rfile.read(length))["alerts"]:
            print(f"{who}: {line(alert)}", flush=True)
        self._end(HTTPStatus.NO_CONTENT)

    def log_message(self, *_: object) -> None:
        """Nothing: the alerts are the log."""

    def _end(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.end_headers()


def line(alert: dict[str, Any]) -> str:
    """An alert as one line, and while it fires, what to do about it."""
    texts = alert["annotations"]
    said = f"{alert['status'].upper()} {alert['labels']['alertname']}: {texts['summary']}"
    return f"{said} {texts['runbook_url']}" if alert["status"] == "firing" else said


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(sys.argv[1])), Call).serve_forever()
