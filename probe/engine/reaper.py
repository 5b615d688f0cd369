"""Brings the passing of time to the ledger: limits, deadlines, give-ups."""

from __future__ import annotations

import asyncio

from probe.engine.books import Books
from probe.engine.supervisor import Beat

TURN = 0.25  # s


class Reaper:
    """The loop that ends what has waited too long."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def run(self, beat: Beat) -> None:
        """Turn for ever."""
        while True:
            beat()
            self._books.tick()
            await asyncio.sleep(TURN)
