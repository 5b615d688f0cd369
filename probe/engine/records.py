"""Finds the probe that a message is about: most are in the ledger, old ones in the journal only."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext

from probe.core.record import Record
from probe.engine.books import Books
from probe.ports import Journal


class Records:
    """What is known of each probe that was ever sent."""

    def __init__(self, books: Books, journal: Journal) -> None:
        self._books = books
        self._journal = journal
        self.alone = asyncio.Lock()  # Held by whoever changes what may be in the journal only.

    def turn(self, sequence: int) -> AbstractAsyncContextManager[object]:
        """What only the journal has is read, changed and saved by one watcher at a time."""
        return nullcontext() if self._books.ledger.get(sequence) else self.alone

    async def find(self, sequence: int) -> Record | None:
        """The record with this number, if there is one."""
        return self._books.ledger.get(sequence) or await self._journal.find(sequence)
