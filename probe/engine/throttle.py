"""Keeps what we send within the limits of relays and mailboxes, whatever the slots say."""

from __future__ import annotations

import asyncio
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self

from probe.core.allowance import NO_LIMITS, Limits
from probe.core.limits import DAY, MINUTE
from probe.core.model import RouteKey
from probe.core.usage import Usage
from probe.ports import Clock, Launches


class Turn:
    """A submission that was let go; it holds one of the relay's connections until it leaves."""

    def __init__(self, throttle: Throttle, key: RouteKey) -> None:
        self._throttle = throttle
        self._key = key
        self._holds = True

    def leave(self) -> None:
        """The connection is closed, for now or for good."""
        if self._holds:
            self._holds = False
            self._throttle.released(self._key.relay)

    def drop(self) -> None:
        """Nothing is sent after all."""
        self.leave()
        self._throttle.spared(self._key)

    async def hold(self) -> None:
        """Hold a connection; the second time for one message, wait until the limits allow it."""
        if not self._holds:
            await self._throttle.wait(self._key, math.inf)
            self._holds = True

    def __enter__(self) -> Self:
        """It is used."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """It is used no longer."""
        self.leave()


class Throttle:
    """Counts what is sent, and lets submissions go as the limits allow.

    Slots are stretched to fit, so this is for what they cannot know: restarts, nodes that come
    and go, slow relays, and slots of many routes that happen to be close together.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self.limits = limits
        self._clock = clock
        self._minutes: dict[str, Usage] = defaultdict(lambda: Usage(MINUTE))  # By relay.
        self._days: dict[str, Usage] = defaultdict(lambda: Usage(DAY))  # By relay.
        self._mailboxes: dict[str, Usage] = defaultdict(lambda: Usage(DAY))
        self._busy: Counter[str] = Counter()  # Connections, by relay.
        self._freed: dict[str, asyncio.Event] = {}  # By relay: replaced when it is set.

    def follow(self, limits: Limits) -> None:
        """From now on these are the limits; what was sent still counts."""
        self.limits = limits
        for relay in [*self._freed]:
            self._freed.pop(relay).set()

    def remember(self, launches: Iterable[Launches]) -> None:
        """What was sent before us."""
        for some in sorted(launches, key=lambda each: each.newest):
            self._count(some.relay, some.mailbox, some.newest, some.count)

    async def turn(self, key: RouteKey, until: float) -> Turn | None:
        """A turn as soon as the limits allow one, or None where that is not before `until`."""
        return Turn(self, key) if await self.wait(key, until) else None

    def turn_at_once(self, key: RouteKey) -> Turn | None:
        """A turn for what no slot waits for, or None where there is no room to spare.

        Half of the connections are the schedule's: a burst that hangs starves no other node.
        """
        now = self._clock.now()
        if self._allowed_at(key, now) > now or self._is_full(key.relay, share=0.5):
            return None
        self._begin(key, now)
        return Turn(self, key)

    async def wait(self, key: RouteKey, until: float) -> bool:
        """Whether a submission may begin by `until`: returns when it may, and counts it."""
        while True:
            now = self._clock.now()
            allowed = self._allowed_at(key, now)
            if allowed <= now and not self._is_full(key.relay):
                self._begin(key, now)
                return True
            if allowed > until or now >= until:
                return False
            await self._pause(key.relay, allowed if allowed > now else until)

    def spared(self, key: RouteKey) -> None:
        """What was counted just now is not sent."""
        self._count(key.relay, key.mailbox, self._clock.now(), -1)

    def released(self, relay: str) -> None:
        """A connection to this relay is closed."""
        self._busy[relay] -= 1
        if freed := self._freed.pop(relay, None):
            freed.set()

    def _allowed_at(self, key: RouteKey, now: float) -> float:
        relay = self.limits.relays.get(key.relay, NO_LIMITS)
        return max(
            self._minutes[key.relay].free_at(now, relay.per_minute),
            self._days[key.relay].free_at(now, relay.per_day),
            self._mailboxes[key.mailbox].free_at(now, self.limits.mailboxes.get(key.mailbox)),
        )

    def _is_full(self, relay: str, *, share: float = 1.0) -> bool:
        """Whether this share of the relay's connections is in use, or more."""
        most = self.limits.relays.get(relay, NO_LIMITS).connections
        return most is not None and self._busy[relay] >= most * share

    def _begin(self, key: RouteKey, now: float) -> None:
        self._busy[key.relay] += 1
        self._count(key.relay, key.mailbox, now, 1)

    def _count(self, relay: str, mailbox: str, moment: float, count: int) -> None:
        self._minutes[relay].add(moment, count)
        self._days[relay].add(moment, count)
        self._mailboxes[mailbox].add(moment, count)

    async def _pause(self, relay: str, until: float) -> None:
        """Until this moment, or until a connection is closed, or limits change."""
        freed = self._freed.setdefault(relay, asyncio.Event())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - self._clock.now())):
                await freed.wait()
