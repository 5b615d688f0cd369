"""The part of a loop that finds out, by MX records, which mailboxes are at a large provider."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from probe.core import provider
from probe.core.model import Mailbox
from probe.core.targets import MxRecord, Records
from probe.ports import Clock, ResolveFailure

log = logging.getLogger("probe.providers")

TURN = 30.0  # s
RETRY = 300.0  # s between lookups of a domain that no server answers for.


class Exchanges(Protocol):
    """Looks up where mail for a domain goes."""

    async def mx(self, name: str) -> Records[MxRecord]:
        """The MX records of a domain, within 5 s. Raises ResolveFailure."""


class ProviderFinder:
    """Asks once for each mailbox that the configuration gives no `per_day`, and tells of limits."""

    def __init__(
        self,
        mailboxes: Sequence[Mailbox],
        exchanges: Exchanges,
        *,
        limit: Callable[[str, int], None],
        clock: Clock,
    ) -> None:
        """`limit` is told of each mailbox that takes so many messages a day."""
        self._open = [one for one in mailboxes if provider.needs_lookup(one)]
        self._exchanges = exchanges
        self._limit = limit
        self._clock = clock

    async def run(self, beat: Callable[[], None]) -> None:
        """Turn for ever: ask what is open, then rest."""
        while True:
            for mailbox in tuple(self._open):
                beat()
                await self._find(mailbox)
            due = self._clock.now() + RETRY
            while not self._open or self._clock.now() < due:
                beat()
                await self._clock.sleep_until(self._clock.now() + TURN)

    async def _find(self, mailbox: Mailbox) -> None:
        domain = provider.domain_of(mailbox.address)
        try:
            found = provider.of_exchangers(await self._exchanges.mx(domain))
        except ResolveFailure as failure:
            log.info("Mailbox %s: whose it is cannot be looked up: %s", mailbox.name, failure)
            return
        self._open.remove(mailbox)
        if found is not None:
            log.info(
                "Mailbox %s is at %s: it gets at most %d messages a day.",
                mailbox.name,
                found,
                provider.PER_DAY,
            )
            self._limit(mailbox.name, provider.PER_DAY)
