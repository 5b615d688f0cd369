"""Reads how full a mailbox is, every few minutes, on a watcher's own session."""

from __future__ import annotations

from collections.abc import Callable

from probe.core.quota import Quota
from probe.ports import Clock, ImapFailure, Session

_PERIOD, _LONGEST = 300.0, 3600.0  # Between two readings, and after those that fail (s).
_PRESSING_PERIOD = 5.0  # Between two readings while it is of interest, or a poll (s).
_PATIENCE = 30.0  # How long a reading may be put off because messages are expected (s).


class QuotaGauge:
    """Asks for the quota when it is due; a server that fails is asked less and less often."""

    def __init__(self, clock: Clock, tell: Callable[[Quota | None], None]) -> None:
        """`tell` gets what is used, or None where the server has no quota."""
        self._clock = clock
        self._tell = tell
        self._read = clock.now() - _PERIOD  # When last; the first time is now.
        self._period = _PERIOD

    def is_due(self, *, calm: bool, pressing: bool) -> bool:
        """Whether to read now; while messages are expected it is put off for a while.

        It is `pressing` while a message is missing, since a full mailbox may be why, and while
        it is full, until there is room again.
        """
        period = _PRESSING_PERIOD if pressing and self._period == _PERIOD else self._period
        return self._clock.now() >= self._read + period + (0.0 if calm or pressing else _PATIENCE)

    async def read(self, session: Session) -> None:
        """One reading. Raises ImapFailure."""
        self._read = self._clock.now()
        try:
            self._tell(await session.quota())
        except ImapFailure:
            self._period = min(2 * self._period, _LONGEST)
            raise
        self._period = _PERIOD
