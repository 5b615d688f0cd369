"""When anything outside answered us: then our own network works.

A relay or a mailbox that answers is where our probes go, so it proves what is to be proved. A
resolver proves our network only as far as it is away itself: one on this machine, or next to it,
answers from its cache when the way to the relays is cut.
"""

from __future__ import annotations

import math

from probe.core.reach import Reach


class Answers:
    """The last answers of the relays, and of resolvers by how far away they are."""

    def __init__(self) -> None:
        self.aim = Reach.WORLD  # How far away the furthest node is.
        self._relays = -math.inf
        self._resolvers = dict.fromkeys(Reach, -math.inf)

    def from_relay(self, moment: float) -> None:
        """A relay has answered, if only to refuse us."""
        self._relays = max(self._relays, moment)

    def from_resolver(self, moment: float, reach: Reach) -> None:
        """A resolver so far away has answered, whatever it said."""
        self._resolvers[reach] = max(self._resolvers[reach], moment)

    @property
    def last(self) -> float:
        """The last answer that proves that our network works as far as our probes go."""
        resolvers = (when for reach, when in self._resolvers.items() if reach >= self.aim)
        return max(self._relays, *resolvers)
