"""What is served over HTTP: metrics, health, the API and the status page."""

from probe.edges.web.certificate import BadCertificate, Certificate
from probe.edges.web.login import Login
from probe.edges.web.server import CannotListen, WebServer

__all__ = ["BadCertificate", "CannotListen", "Certificate", "Login", "WebServer"]
