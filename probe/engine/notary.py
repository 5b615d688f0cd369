"""Says of each probe that arrived whether it could be authenticated, soon after its account."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from probe.core.authenticity import Observed, authenticity, passed
from probe.core.change import Change, Vouched
from probe.core.model import Sighting
from probe.core.record import Record
from probe.core.sender_domain import SenderDomain
from probe.core.signature import Signature, Validity, Verified, signatures, unfit
from probe.engine.books import Books
from probe.engine.keyring import Key, Keyring
from probe.engine.notebook import Notebook
from probe.engine.supervisor import Beat
from probe.ports import Fetched
from probe.ports_authentication import SignatureVerifier

log = logging.getLogger("probe.notary")

TURN = 5.0  # s: the longest that nothing is done.
LIMIT = 10.0  # s for one message, with its keys.
_AT_ONCE = 8
_MOST_WAITING = 256  # Messages of at most 128 KiB each.


@dataclass(frozen=True, slots=True)
class _Item:
    """A probe that has arrived."""

    record: Record
    sighting: Sighting
    fetched: Fetched
    origin: SenderDomain


class Notary:
    """Verifies signatures one after the other, so that nothing else waits for it.

    What does not fit into its queue is judged by the receiver's word alone.
    """

    def __init__(
        self,
        verifier: SignatureVerifier,
        keyring: Keyring,
        *,
        books: Books,
        notebook: Notebook,
        domains: Iterable[SenderDomain],
    ) -> None:
        self._verifier = verifier
        self._keyring = keyring
        self._books = books
        self._notebook = notebook
        self._origins = {one.sender: one for one in domains}
        self._waiting: deque[_Item] = deque()
        self._more = asyncio.Event()

    def follow(self, domains: Iterable[SenderDomain]) -> None:
        """From now on the senders have these domains."""
        self._origins = {one.sender: one for one in domains}

    def arrived(self, record: Record, sighting: Sighting, fetched: Fetched) -> None:
        """A probe was found for the first time."""
        origin = self._origins.get(record.probe.route.sender)
        if origin is None:
            return  # It is not configured any more.
        item = _Item(record, sighting, fetched, origin)
        if len(self._waiting) >= _MOST_WAITING:
            self._judge(item, None)
        else:
            self._waiting.append(item)
            self._more.set()

    async def run(self, beat: Beat) -> None:
        """Turn for ever: judge what waits, a few at once."""
        while True:
            beat()
            try:
                async with asyncio.timeout(TURN):
                    await self._more.wait()
            except TimeoutError:
                continue
            await self._judge_some()

    async def _judge_some(self) -> None:
        items = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        if not self._waiting:
            self._more.clear()
        async with asyncio.TaskGroup() as group:
            examined = [group.create_task(self._examine(item)) for item in items]
        for item, task in zip(items, examined, strict=True):  # In order: what passed is remembered.
            self._judge(item, task.result())

    async def _examine(self, item: _Item) -> tuple[Verified, ...] | None:
        try:
            async with asyncio.timeout(LIMIT):
                return await self._verified(item)
        except TimeoutError:
            log.info("A signature could not be verified within %.0f s.", LIMIT)
            return None

    async def _verified(self, item: _Item) -> tuple[Verified, ...] | None:
        """What becomes of each signature of the sender's domain; None where none can be verified.

        A message that is not fit to be verified may still lack a signature.
        """
        fetched = item.fetched
        found = signatures(fetched.header, item.origin.domain)
        self._learn(item, found)
        if why := unfit(fetched.header, fetched.body, fetched.size):
            log.debug("A message is not verified: %s.", why)
            return None if found else ()
        message = fetched.header + fetched.body
        return tuple([await self._verify(message, each, item.sighting.seen) for each in found])

    async def _verify(self, message: bytes, signature: Signature, seen: float) -> Verified:
        """With the key as it is known, and if that does not do, as it is now."""
        key = await self._keyring.key(signature.key_name, since=0.0)
        tried = await self._try(message, signature, key)
        if tried.validity in (Validity.GOOD, Validity.OPEN) or key.asked >= seen:
            return tried
        return await self._try(
            message, signature, await self._keyring.key(signature.key_name, since=seen)
        )

    async def _try(self, message: bytes, signature: Signature, key: Key) -> Verified:
        if key.silence:
            return Verified(signature, Validity.OPEN, key.silence)
        if key.flaw:
            return Verified(signature, Validity.KEYLESS, key.flaw)
        why = await self._verifier.verify(message, signature.index, key.text)
        return Verified(signature, Validity.BAD if why else Validity.GOOD, why)

    def _learn(self, item: _Item, found: tuple[Signature, ...]) -> None:
        """Whose selector is that of a parent or child cannot be asked for under the domain."""
        domain = item.origin.domain
        selectors = [each.selector for each in found if each.domain == domain]
        if selectors:
            self._notebook.saw_selectors(domain, selectors)

    def _judge(self, item: _Item, verified: tuple[Verified, ...] | None) -> None:
        observed = Observed(
            results=item.sighting.authentication,
            verified=verified,
            altered=bool(item.sighting.altered),
            signs=bool(item.origin.selectors),
        )
        origin, mailbox = item.origin, item.record.probe.route.mailbox
        said = authenticity(observed, self._notebook.passed_before(origin, mailbox))
        self._notebook.saw_pass(origin, mailbox, passed(observed))
        self._books.count(Change(item.record, (Vouched(said),)))
