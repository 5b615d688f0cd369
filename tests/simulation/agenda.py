"""What is to happen when, in simulated time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

Action = Callable[..., None]


class Agenda:
    """A queue of actions by their moments (s); of the same moment, first come, first served."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._order = count()

    def at(self, moment: float, action: Action, *args: Any) -> None:
        """`action(*args)` is to happen at `moment`; if that is past, it happens next."""
        heapq.heappush(self._due, (moment, next(self._order), action, args))

    def run(self, until: float) -> None:
        """Let everything happen that is due up to `until`."""
        due, pop = self._due, heapq.heappop
        while due and due[0][0] <= until:
            moment, _, action, args = pop(due)
            if moment > self.now:
                self.now = moment
            action(*args)
        self.now = max(self.now, until)
