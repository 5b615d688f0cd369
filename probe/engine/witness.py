"""Asks DNS when it is of interest whether our own network works: whoever answers is a witness."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from probe.core.model import Sender
from probe.engine.supervisor import Beat
from probe.ports import Clock, ResolveFailure, Resolver

TURN = 5.0  # s: the loop turns at least this often.
PAUSE = 3.0  # s between two questions: what follows from an answer may have to be counted anew.


class Witness:
    """The loop that asks; what is answered, the resolver tells by itself."""

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        self._resolver = resolver
        self._clock = clock
        self._domain = ""
        self._wanted = asyncio.Event()

    def follow(self, senders: Iterable[Sender]) -> None:
        """From now on the top-level domain of the first of these is asked for: it never fails."""
        self._domain = next((sender.domain.rpartition(".")[2] for sender in senders), "")

    def ask(self) -> None:
        """It is of interest now."""
        self._wanted.set()

    async def run(self, beat: Beat) -> None:
        """Turn for ever."""
        while True:
            beat()
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN):
                    await self._wanted.wait()
            if not self._wanted.is_set():
                continue
            self._wanted.clear()
            with suppress(ResolveFailure):  # That is an answer, too, or none.
                await self._resolver.mx(self._domain)  # What /etc/hosts cannot have.
            await self._clock.sleep_until(self._clock.now() + PAUSE)
