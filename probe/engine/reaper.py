"""Brings the passing of time to the ledger: limits, deadlines, give-ups."""

from __future__ import annotations

import asyncio

from probe.engine.books import Books
from probe.engine.supervisor import Beat
from probe.ports import Clock

TURN = 0.25  # s


class Reaper:
    """The loop that ends what has waited too long."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._clock = clock

    async def run(self, beat: Beat) -> None:
        """Turn for ever."""
        while True:
            beat()
            self._books.post(self._books.ledger.tick(self._clock.now()))
            await asyncio.sleep(TURN)
