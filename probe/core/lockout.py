"""Locked out is our own fault: how often a login that is refused may be tried again.

Servers lock accounts, or ban addresses, after a few wrong passwords. So no more than three logins
with a secret that is not known to work reach a server; after that one in five minutes, and at
once when the secret has changed.
"""

from __future__ import annotations

from enum import StrEnum

TRIES = 3  # Refused logins in a row before the back-off.
RELAY_PAUSES = (0.0, 0.0, 300.0)  # s after the first, the second, and each further refusal.
MAILBOX_PAUSES = (5.0, 25.0, 300.0)  # Nobody else reads it: a hiccup should not blind us for long.


class Admission(StrEnum):
    """Whether a login may be made now."""

    GO = "go"
    WAIT = "wait"  # Others are trying the same secret: their answer comes first.
    BACK_OFF = "back_off"


class Lockout:
    """The logins to one server with one account."""

    def __init__(self, pauses: tuple[float, float, float]) -> None:
        """`pauses`: RELAY_PAUSES or MAILBOX_PAUSES."""
        self._pauses = pauses
        self._secret = ""
        self._proven = False
        self._refused = 0
        self._outstanding = 0
        self._next = float("-inf")

    @property
    def locked(self) -> bool:
        """Whether the last logins were refused so often that we hold back."""
        return self._refused >= TRIES

    @property
    def proven(self) -> bool:
        """Whether the last answer to the secret was that it is right."""
        return self._proven

    def ask(self, now: float, secret: str) -> Admission:
        """Whether to log in now with this secret (a fingerprint of it); GO must be answered."""
        if secret != self._secret:
            self._secret, self._proven, self._refused = secret, False, 0
            self._outstanding, self._next = 0, float("-inf")
        if not self._proven:
            if now < self._next:
                return Admission.BACK_OFF
            if not self.locked and self._refused + self._outstanding >= TRIES:
                return Admission.WAIT
            self._next = now + self._pause
        self._outstanding += 1
        return Admission.GO

    def answer(self, now: float, secret: str, *, refused: bool, accepted: bool) -> None:
        """What came of a login that was let go; neither, where it ended before an answer.

        One with a secret that has been replaced since says nothing.
        """
        if secret != self._secret:
            return
        self._outstanding -= 1
        if accepted:
            self._proven, self._refused, self._next = True, 0, float("-inf")
        elif refused:
            self._proven = False
            self._refused += 1
            self._next = now + self._pause

    @property
    def _pause(self) -> float:
        return self._pauses[min(self._refused, TRIES) - 1] if self._refused else 0.0
