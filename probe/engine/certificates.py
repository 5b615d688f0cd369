"""Keeps when the certificates end that relays and mailboxes show."""

from __future__ import annotations

from probe.core.component import Component, Fault, Named
from probe.core.expiry import remark
from probe.ports import Clock


class Certificates:
    """By component, as they were shown last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[Component, float] = {}  # Unix times.
        self._since: dict[Component, float] = {}  # Since when each is said to be about to end.

    def shown(self, component: Component, end: float) -> None:
        """A chain was shown; `end` is the earliest end in it (Unix time)."""
        self._ends[component] = end

    def keep(self, components: frozenset[Component]) -> None:
        """What is not one of these is gone."""
        for gone in self._ends.keys() - components:
            del self._ends[gone]
            self._since.pop(gone, None)

    def named(self) -> dict[Component, tuple[Named, ...]]:
        """What is wrong with each of them; nothing, with most."""
        now = self._clock.now()
        wall = self._clock.wall(now)
        named: dict[Component, tuple[Named, ...]] = {}
        for component, end in self._ends.items():
            words = remark(end, wall)
            if words is None:
                self._since.pop(component, None)
                named[component] = ()
            else:
                since = self._since.setdefault(component, now)
                named[component] = (Named(Fault.INSECURE, since, (words,)),)
        return named
