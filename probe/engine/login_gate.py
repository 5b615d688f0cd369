"""What keeps us from being locked out of an account (one for each account, shared by all)."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from probe.core.cadence import login_allowed
from probe.ports import Clock, ImapLoginRefused, Secret, SecretUnreadable

_LOOK_PERIOD = 1.0  # How often we look whether the secret has changed (s).


class LoginGate:
    """Lets logins pass, fewer after refusals, and at once again when the secret has changed."""

    def __init__(self, secret: Secret, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._refused: list[float] = []  # In a row, with the secret of this digest.
        self._digest = b""
        self._trying = 0

    @asynccontextmanager
    async def attempt(self, turned: Callable[[], None]) -> AsyncIterator[None]:
        """One login, begun when it is allowed; `turned` is called while it is not."""
        while not self._is_open():
            turned()
            await self._clock.sleep_until(self._clock.now() + _LOOK_PERIOD)
        self._trying += 1
        digest = self._read()
        try:
            yield
        except ImapLoginRefused:
            self._note(digest)
            raise
        else:
            self._refused.clear()
        finally:
            self._trying -= 1

    def _is_open(self) -> bool:
        if self._refused and self._read() != self._digest:
            self._refused.clear()
        if self._refused and self._trying:
            return False
        return self._clock.now() >= login_allowed(self._refused)

    def _note(self, digest: bytes) -> None:
        if digest != self._digest:
            self._refused.clear()
        self._digest = digest
        self._refused = [*self._refused[-2:], self._clock.now()]

    def _read(self) -> bytes:
        try:
            return hashlib.sha256(self._secret.read().encode("utf-8", "replace")).digest()
        except SecretUnreadable:
            return b""
