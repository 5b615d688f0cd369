"""Removes our own messages from a folder when they have been kept long enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from probe.core.model import Mailbox
from probe.ports import Clock, ImapFailure, Journal, Session

_MOST_PERIOD = 60.0  # Between two rounds (s); less where messages are kept for less.
_LONGEST = 3600.0  # The same after rounds that fail (s).
_PATIENCE = 30.0  # How long a round may be put off because messages are expected (s).
_BATCH = 100


class FolderCleaner:
    """Removes from one folder what the journal names, and of that only what still is ours.

    It works on the watcher's own session, between two polls: no login of its own.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        journal: Journal,
        clock: Clock,
        is_ours: Callable[[bytes], bool],
        wants_body: Callable[[bytes], bool],
    ) -> None:
        self._mailbox = mailbox.name
        self._journal = journal
        self._clock = clock
        self._is_ours = is_ours
        self._wants_body = wants_body
        self._shortest = min(_MOST_PERIOD, mailbox.keep / 2)
        self._period = self._shortest
        self._due = clock.now() + self._period

    def is_due(self, *, calm: bool) -> bool:
        """Whether a round should begin; one that is not calm is put off for a while."""
        return self._clock.now() >= self._due + (0.0 if calm else _PATIENCE)

    async def clean(self, session: Session) -> None:
        """One round. Raises ImapFailure; a folder that refuses is asked less and less often."""
        now = self._clock.now()
        self._due = now + self._period
        try:
            full = await self._round(session, now)
        except ImapFailure:
            self._period = min(2 * self._period, _LONGEST)
            raise
        self._period = self._shortest
        if full:
            self._due = now

    async def _round(self, session: Session, now: float) -> bool:
        places = await self._journal.to_clean(self._mailbox, session.folder, now, _BATCH)
        uids = sorted(one.uid for one in places if one.uidvalidity == session.uidvalidity)
        await session.remove(await self._still_ours(session, uids))
        if places:
            await self._journal.cleaned(places)
        return len(places) == _BATCH

    async def _still_ours(self, session: Session, uids: Sequence[int]) -> list[int]:
        messages = await session.fetch(uids, body=False)
        ours = [one.uid for one in messages if self._is_ours(one.header)]
        # A DSN has our tag in what it returns, which is in its body.
        closed = [
            one.uid
            for one in messages
            if not self._is_ours(one.header) and self._wants_body(one.header)
        ]
        opened = await session.fetch(closed, body=True)
        return ours + [one.uid for one in opened if self._is_ours(one.header + one.body)]
