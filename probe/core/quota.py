"""How full a mailbox is, and whether a refusal says that it is full."""

from __future__ import annotations

import math
from dataclasses import dataclass

PROBE_SIZE = 4096  # Bytes that a probe takes in a mailbox, with what servers add to it.

_FULL = ("4.2.2", "5.2.2")  # RFC 3463 §3.3.
_EXCEEDED = 552  # RFC 5321 §4.2.3; with another enhanced code the message itself is too large.


@dataclass(frozen=True, slots=True)
class Quota:
    """What a mailbox uses of the limits that it has."""

    share: float  # Of the fullest limit; it may be over 1.
    room: float = math.inf  # Bytes that are left, where storage is limited.

    @property
    def is_full(self) -> bool:
        """Whether a probe has no room any more."""
        return self.share >= 1 or self.room < PROBE_SIZE


def says_full(enhanced: str, code: int = 0) -> bool:
    """Whether an enhanced status code, or the reply's where there is none, means a full mailbox."""
    return enhanced in _FULL or (code == _EXCEEDED and not enhanced)
