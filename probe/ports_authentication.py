"""What verifying the signatures of arrived probes needs from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from probe.core.model import Sighting
from probe.core.record import Record
from probe.ports import Fetched

Arrived = Callable[[Record, Sighting, Fetched], None]
"""Is told of each probe when it is first seen, after it was accounted for."""


def nobody(record: Record, sighting: Sighting, fetched: Fetched) -> None:
    """Listens in the place of one who does."""


class SignatureVerifier(Protocol):
    """Verifies DKIM signatures."""

    async def verify(self, message: bytes, index: int, key: str) -> str:
        """What is wrong with the DKIM-Signature field of this index, or nothing.

        `key` is the text of its TXT record.
        """
