"""When anything outside answered us: then our own network works.

A relay or a mailbox that answers is where our probes go, so it proves what is to be proved. A
resolver proves our network only as far as it is away itself: one on this machine, or next to it,
answers from its cache when the way to the relays is cut.

Where a relay is to be found, no relay and no mailbox can tell. So a lookup that failed is held
against the relay only if a resolver is alive, whatever it says; else it is our own fault.
"""

from __future__ import annotations

import math
from dataclasses import replace

from probe.core.detection.observation import PROBER_ONLY, RELAY_SIDE, Observation
from probe.core.reach import Reach

SINCE = 10.0  # s after a lookup failed in which an answer shows that the resolver was alive then.


class Answers:
    """The last answers of the relays, and of resolvers by how far away they are."""

    def __init__(self) -> None:
        self.aim = Reach.WORLD  # How far away the furthest node is.
        self._relays = -math.inf
        self._resolvers = dict.fromkeys(Reach, -math.inf)
        self._nameless: list[Observation] = []  # Lookups since which no resolver has answered.

    def from_relay(self, moment: float) -> None:
        """A relay has answered, if only to refuse us."""
        self._relays = max(self._relays, moment)

    def from_resolver(self, moment: float, reach: Reach) -> bool:
        """A resolver so far away has said anything; whether lookups count otherwise now."""
        self._resolvers[reach] = max(self._resolvers[reach], moment)
        lately = [one for one in self._nameless if moment - one.known <= SINCE]
        for one in lately:
            _blame(one, RELAY_SIDE)
        self._nameless.clear()
        return bool(lately)

    def nameless(self, one: Observation) -> None:
        """The lookup of its relay has failed."""
        if self.resolved < one.slot:
            _blame(one, PROBER_ONLY)
            self._nameless = [each for each in self._nameless if one.known - each.known <= SINCE]
            self._nameless.append(one)

    def are_wanted(self, now: float) -> bool:
        """Whether it matters right now if a resolver answers."""
        return any(now - one.known <= SINCE for one in self._nameless)

    @property
    def resolved(self) -> float:
        """The last answer of any resolver."""
        return max(self._resolvers.values())

    @property
    def last(self) -> float:
        """The last answer that proves that our network works as far as our probes go."""
        resolvers = (when for reach, when in self._resolvers.items() if reach >= self.aim)
        return max(self._relays, *resolvers)


def _blame(one: Observation, kinds: int) -> None:
    if one.failure is not None:
        one.failure = replace(one.failure, blames=kinds)
    if one.weight is not None:
        one.weight = replace(one.weight, blames=kinds)
