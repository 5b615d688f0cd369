"""Locked out is our own fault: how often a login that is refused may be tried again.

Relays and mailboxes lock accounts, or ban addresses, after a few wrong passwords. So no more than
three logins with a secret that is not known to work reach a server; after that one in five
minutes, and at once when the secret has changed.
"""

from __future__ import annotations

from enum import StrEnum

TRIES = 3  # Refused logins in a row before the back-off.
PAUSE = 300.0  # s between logins from then on.


class Admission(StrEnum):
    """Whether a login may be made now."""

    GO = "go"
    WAIT = "wait"  # Others are trying the same secret: their answer comes first.
    BACK_OFF = "back_off"


class Lockout:
    """The logins to one server with one account."""

    def __init__(self) -> None:
        self._secret = ""
        self._proven = False
        self._refused = 0
        self._outstanding = 0
        self._next = 0.0

    @property
    def locked(self) -> bool:
        """Whether the last logins were refused so often that we hold back."""
        return self._refused >= TRIES

    def ask(self, now: float, secret: str) -> Admission:
        """Whether to log in now with this secret (a fingerprint of it); GO must be answered."""
        if secret != self._secret:
            self._secret, self._proven, self._refused = secret, False, 0
        if self._proven:
            self._outstanding += 1
            return Admission.GO
        if self.locked:
            if now < self._next:
                return Admission.BACK_OFF
            self._next = now + PAUSE
            self._outstanding += 1
            return Admission.GO
        if self._refused + self._outstanding >= TRIES:
            return Admission.WAIT
        self._outstanding += 1
        return Admission.GO

    def answer(self, now: float, *, refused: bool, accepted: bool) -> None:
        """What came of a login that was let go; neither, where it ended before an answer."""
        self._outstanding -= 1
        if accepted:
            self._proven, self._refused = True, 0
        elif refused:
            self._proven = False
            self._refused += 1
            if self._refused == TRIES:
                self._next = now + PAUSE
