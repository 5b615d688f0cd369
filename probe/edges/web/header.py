"""The strict headers that every answer has, errors too."""

from __future__ import annotations

from probe.edges.web.frame import POLICY

_STRICT = {
    "Cache-Control": "no-store",
    "Connection": "close",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Server": "mailprobe",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
# It holds for every port of this host's name, so for no longer than one would like to regret it.
_ONLY_TLS = {"Strict-Transport-Security": "max-age=86400"}


def strict(*, secure: bool) -> dict[str, str]:
    """The headers, of an answer over TLS if `secure`."""
    return _STRICT | _ONLY_TLS if secure else _STRICT
