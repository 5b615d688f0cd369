"""What is served over HTTP: metrics, health, the API and the status page."""

from probe.edges.web.server import PortTaken, WebServer

__all__ = ["PortTaken", "WebServer"]
