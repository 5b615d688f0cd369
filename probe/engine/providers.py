"""The part of a loop that finds out, by MX records, which mailboxes are at a large provider."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from probe.core import provider
from probe.core.model import Mailbox
from probe.core.provider import PER_DAY, Provider
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
        former: ProviderFinder | None = None,
    ) -> None:
        """`limit` is told of each mailbox that takes so many messages a day.

        What a `former` one has found is not asked anew.
        """
        self._owners: dict[str, Provider | None] = {} if former is None else former._owners
        self._asked = [one for one in mailboxes if provider.needs_lookup(one)]
        self._open = [one for one in self._asked if _domain(one) not in self._owners]
        self._exchanges = exchanges
        self._limit = limit
        self._clock = clock

    @property
    def limits(self) -> dict[str, int]:
        """The messages a day that mailboxes take, as far as that has been found by now."""
        return {one.name: PER_DAY for one in self._asked if self._owners.get(_domain(one))}

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
        try:
            found = provider.of_exchangers(await self._exchanges.mx(_domain(mailbox)))
        except ResolveFailure as failure:
            log.info("Mailbox %s: whose it is cannot be looked up: %s", mailbox.name, failure)
            return
        self._open.remove(mailbox)
        self._owners[_domain(mailbox)] = found
        if found is not None:
            log.info(
                "Mailbox %s is at %s: it gets at most %d messages a day.",
                mailbox.name,
                found,
                PER_DAY,
            )
            self._limit(mailbox.name, PER_DAY)


def _domain(mailbox: Mailbox) -> str:
    return provider.domain_of(mailbox.address)
