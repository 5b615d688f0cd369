"""What is to be learned is held back for a while: an outage must not teach that it is normal."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from probe.core.detection.baseline import Baselines
from probe.core.model import Phase

HELD_BACK = 120.0  # s: by then trouble that began before has been noticed.
_MOST = 20_000  # Lessons of one relay that are held back.


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one probe teaches."""

    slot: float
    failed: bool | None = None  # None: it was none of the schedule, or is no matter of the relay.
    mailbox: str = ""
    delay: float | None = None  # From acceptance to arrival (s).
    node: str = ""
    times: tuple[tuple[Phase, float], ...] = ()  # Phases that ended well (s).


class Lessons:
    """Holds them back, and passes on those that were no part of any trouble."""

    def __init__(self, baselines: Baselines) -> None:
        self._baselines = baselines
        self._held: dict[str, deque[Lesson]] = defaultdict(lambda: deque(maxlen=_MOST))

    def add(self, relay: str, lesson: Lesson) -> None:
        """A probe through this relay has come to its end.

        As long as next to nothing is known of how long it takes, that is learned at once.
        """
        if self._baselines.is_new_to(relay, lesson.mailbox):
            self._learn(relay, replace(lesson, failed=None))
            lesson = replace(lesson, delay=None, times=())
        self._held[relay].append(lesson)

    def pass_on(self, now: float, troubled: Mapping[str, float]) -> None:
        """Learn what is old enough, and from before the trouble that a relay is in."""
        for relay, held in [*self._held.items()]:
            if not held:  # It may be gone.
                del self._held[relay]
                continue
            until = min(now - HELD_BACK, troubled.get(relay, now))
            while held and held[0].slot < until:
                self._learn(relay, held.popleft())

    def ended(self, relay: str, since: float, until: float, *, confirmed: bool) -> None:
        """Trouble is over: what happened in it teaches only how often there is such trouble.

        If it was confirmed not even that; else never to learn it would keep the share of
        failures too low for ever.
        """
        held = self._held[relay]
        kept = [one for one in held if not since <= one.slot <= until]
        if not confirmed:
            for one in held:
                if since <= one.slot <= until and one.failed is not None:
                    self._baselines.ended(relay, failed=one.failed, now=one.slot)
        held.clear()
        held.extend(kept)

    def _learn(self, relay: str, lesson: Lesson) -> None:
        if lesson.failed is not None:
            self._baselines.ended(relay, failed=lesson.failed, now=lesson.slot)
        if lesson.delay is not None:
            self._baselines.arrived(relay, lesson.mailbox, lesson.delay)
        for phase, seconds in lesson.times:
            self._baselines.timed(relay, lesson.node, phase, seconds)
