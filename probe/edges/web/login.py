"""Who may see the pages: basic authentication, with the password as it is now."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable

from aiohttp import web

from probe.core.basic_auth import Credentials, said, same
from probe.ports import Secret, SecretUnreadable

log = logging.getLogger("probe.web")

OPEN = frozenset({"/-/healthy", "/-/ready"})
"""What is answered without a login."""

_CHALLENGE = 'Basic realm="mailprobe", charset="UTF-8"'
_QUIET = 60.0  # s between two warnings.


class Login:
    """The one login there is. Its secret is read for each request."""

    def __init__(
        self, username: str, secret: Secret, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`now` is the time in seconds, counted from anywhere."""
        self._username = username
        self._secret = secret
        self._now = now
        self._warned = -math.inf

    def check(self, request: web.Request) -> None:
        """Return if the request may be answered. Raises HTTPUnauthorized."""
        if request.path in OPEN:
            return
        claim = said(request.headers.get("Authorization", ""))
        if claim is None or not self._is_right(claim, request):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": _CHALLENGE})

    def _is_right(self, claim: Credentials, request: web.Request) -> bool:
        try:
            ours = Credentials(self._username, self._secret.read())
        except SecretUnreadable as problem:
            self._warn("web.basic_auth.password: %s; nobody can log in.", problem)
            return False
        if same(claim, ours):
            return True
        self._warn("A wrong login to the pages was refused, from %s.", request.remote)
        return False

    def _warn(self, text: str, about: object) -> None:
        """Say it, but not more than once a minute, however many try."""
        now = self._now()
        if now - self._warned >= _QUIET:
            self._warned = now
            log.warning(text, about)
