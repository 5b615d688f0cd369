"""Prints the alerts that it is called with: the pager, the tickets and the dead man's switch.

Alertmanager tells them apart by the host's name, and this prints it in front.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 80
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
        who = f"{self.headers['Host'].partition('.')[0]}{self.path}"
        for alert in json.loads(self.rfile.read(length))["alerts"]:
            print(who, line(alert), sep=": ")
        self._end(HTTPStatus.OK)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the alerts are the log."""

    def _end(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def line(alert: dict[str, dict[str, str]]) -> str:
    """An alert as one line, and what to do about it."""
    texts = alert["annotations"]
    said = f"{str(alert['status']).upper()} {alert['labels']['alertname']} {texts['summary']}"
    return f"{said} {texts['runbook_url']}" if alert["status"] == "firing" else said


if __name__ == "__main__":
    ThreadingHTTPServer(("", PORT), Call).serve_forever()
