"""Looks for our tags among messages that were in a folder before we watched it."""

from __future__ import annotations

from probe.core.cadence import next_chunk
from probe.ports import Clock, Session

_FIRST_CHUNK = 200


class FolderScan:
    """One search of all that is old in a folder, in steps short enough to be taken between polls.

    It goes from the newest message down: messages that are expunged meanwhile renumber others,
    but never move one that was not looked at out of its way.
    """

    def __init__(self, session: Session, clock: Clock, *, below: int) -> None:
        self._session = session
        self._clock = clock
        self._below = below  # UIDs from here on are found by the ordinary search.
        self._top = session.exists  # Messages 1 to this have not been looked at.
        self._chunk = _FIRST_CHUNK
        self._found: list[int] = []
        self.seen = 0.0  # When the search that found these was answered.
        self.step_time = 0.0  # How long it took (s).

    @property
    def is_over(self) -> bool:
        """Whether everything has been looked at, and taken."""
        return not self._found and not self._top

    async def take(self, most: int) -> list[int]:
        """The next UIDs of tagged messages, `most` or fewer; perhaps none. At most one search."""
        if not self._found:
            await self._look()
        taken, self._found = self._found[:most], self._found[most:]
        return taken

    async def _look(self) -> None:
        self._top = min(self._top, self._session.exists)
        if not self._top:
            return
        first = max(1, self._top - self._chunk + 1)
        began = self._clock.now()
        found = await self._session.search_tagged(first, self._top)
        self.seen = self._clock.now()
        self.step_time = self.seen - began
        self._found = [uid for uid in found if uid < self._below]
        self._chunk = next_chunk(self._chunk, self.step_time)
        self._top = first - 1
