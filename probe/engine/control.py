"""Sees that a folder's reader works, by messages of our own (core.control says when and why)."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from probe.core import control
from probe.core.cadence import Expectation
from probe.core.control import Seal
from probe.core.model import Mailbox
from probe.ports import Clock, Fetched, ImapFailure, Refusal, Session

log = logging.getLogger("probe.control")


@dataclass(slots=True)
class _Awaited:
    """A control message that has not been shown yet."""

    uid: int
    put: float
    since: float  # When it was put in, or when the session began that should show it.


class FolderControl:
    """The control messages of one folder, over all its sessions; with no seal there are none.

    It works on the watcher's own session. Where they cannot be put in, or would not be gone
    afterwards, the searches alone are the proof.
    """

    def __init__(
        self, mailbox: Mailbox, seal: Seal | None, *, clock: Clock, chance: random.Random
    ) -> None:
        self._mailbox = mailbox
        self._seal = seal
        self._clock = clock
        self._chance = chance
        self._uidvalidity = 0
        self._awaited: _Awaited | None = None
        self._found: list[int] = []  # Of ours, to be removed.
        self._tried = -math.inf  # When one was last put in, or should have been.
        self._broken_off = False  # The last APPEND had no answer.
        self._refused = False  # In this session.
        self._warned = False
        self._unremoved = 0  # Removals in a row that failed.
        self._retired = False  # They do not work here.
        self._shown_at = -math.inf  # When a search last showed anything new.
        self._silent_since: float | None = None  # Messages are on their way, and none is shown.

    # ---- what the watcher asks

    @property
    def is_awaited(self) -> bool:
        """Whether what is in the folder is not shown yet, so that a search proves nothing."""
        return self._awaited is not None

    def expecting(self, others: Expectation) -> Expectation:
        """What is on its way: the others' messages, and ours, which is asked for as they are."""
        if self._awaited is None:
            return others
        youngest = max(self._awaited.since, others.youngest or -math.inf)
        return Expectation(others.in_flight + 1, youngest, urgent=others.urgent)

    def sift(self, heads: Sequence[Fetched]) -> list[Fetched]:
        """Those that are no control messages of ours; ours will be removed."""
        seal = self._seal
        if seal is None:
            return list(heads)
        ours = {one.uid for one in heads if seal.fits(one.header, self._mailbox)}
        self._found += ours
        return [one for one in heads if one.uid not in ours]

    # ---- what the watcher tells

    def shown(self, uids: Sequence[int]) -> None:
        """A search has shown these, which are new. Beyond ours it would have shown ours."""
        if uids:
            self._shown_at, self._silent_since = self._clock.now(), None
        if self._awaited is not None and uids and uids[-1] >= self._awaited.uid:
            self._awaited = None

    async def begin(self, session: Session) -> None:
        """A session is open: it must show what was put in before, or what is put in now."""
        self._refused = False
        if session.uidvalidity != self._uidvalidity:
            self._uidvalidity, self._awaited, self._found = session.uidvalidity, None, []
        if self._awaited is not None:
            await self._follow_up(session, self._awaited)
        if self._awaited is None and not self._broken_off:
            await self._put(session)

    async def turn(self, session: Session, expected: Expectation) -> None:
        """After each round. Raises ImapFailure where the reader turns out not to work."""
        now = self._clock.now()
        await self._remove(session)
        if self._awaited is not None:
            if now > self._awaited.since + control.SHOWN_WITHIN:
                raise ImapFailure("the mailbox does not show a message that was put into it")
            return
        self._listen(expected)
        if control.is_due(expected, now, tried=self._tried, silent_since=self._silent_since):
            await self._put(session)

    # ---- inside

    async def _follow_up(self, session: Session, awaited: _Awaited) -> None:
        """Whether a new session shows what the last one did not."""
        now = self._clock.now()
        if await session.search(awaited.uid) or now > awaited.put + control.KEPT:
            self._awaited = None
        elif awaited.uid < session.uidnext and not await session.fetch([awaited.uid], body=False):
            self._awaited = None
            self._retire("somebody else takes them away")
        else:
            awaited.since = now

    def _listen(self, expected: Expectation) -> None:
        youngest = expected.youngest if expected.in_flight else None
        if youngest is None or youngest <= self._shown_at:
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = youngest

    async def _put(self, session: Session) -> None:
        seal = self._seal
        if seal is None or self._retired or self._refused or not session.can_uidplus:
            return
        now = self._clock.now()
        wall = self._clock.wall(now)
        nonce = self._chance.getrandbits(control.NONCE_BITS)
        token = seal.token(self._mailbox, nonce=nonce, wall=wall)
        content = control.compose(token, self._mailbox, instance=seal.instance, wall=wall)
        self._tried, self._broken_off = now, True
        answer = await session.append(content)
        self._broken_off = False
        if isinstance(answer, Refusal):
            self._refuse(answer)
        else:
            self._awaited = _Awaited(answer, now, self._clock.now())
            self._warned = False

    async def _remove(self, session: Session) -> None:
        """Remove what was found; a server that twice does not let us gets no more of them."""
        if not self._found:
            return
        if self._unremoved > 1:
            self._found = []
            self._retire("they cannot be removed")
            return
        self._unremoved += 1
        await session.remove(self._found)
        # Without the right to delete, some servers say OK and leave it (RFC 4314 4).
        if await session.fetch(self._found, body=False):
            self._retire("they cannot be removed")
        self._found, self._unremoved = [], 0

    def _refuse(self, refusal: Refusal) -> None:
        self._refused = True
        if not self._warned:
            self._warned = True
            log.warning(
                "Mailbox %s takes no control message (%s): only searches show that it is read.",
                self._mailbox.name,
                refusal.text,
            )

    def _retire(self, why: str) -> None:
        if not self._retired:
            self._retired = True
            log.warning("Mailbox %s gets no more control messages: %s.", self._mailbox.name, why)
