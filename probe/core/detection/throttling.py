"""Relays that say we are too many: whether that is the schedule, or a burst of ours.

What a node refuses first after a burst may be due to that. Then it is sent none for a while: what
it still refuses after that counts, until it takes something.
"""

from __future__ import annotations

import math
from collections.abc import Container

from probe.core.detection.observation import NodeName, Observation
from probe.core.model import Probe

THROTTLED = 60.0  # s in which a burst, and a relay that says we are too many, belong together.


class Throttling:
    """When each relay was sent a burst, and which of its nodes said since then that it is much."""

    def __init__(self) -> None:
        self._bursts: dict[str, float] = {}  # When each relay last got a probe of a burst.
        self._counts: dict[NodeName, float] = {}  # Since when refusals are not our doing.

    def launched(self, probe: Probe) -> None:
        """A probe is about to be submitted."""
        if probe.confirmation:
            self._bursts[probe.route.relay] = probe.launched

    def refused(self, one: Observation) -> None:
        """A node has said of a scheduled probe that it is one too many."""
        burst = self._bursts.get(one.key.relay, -math.inf)
        since = one.slot + (THROTTLED if one.slot - burst < THROTTLED else 0.0)
        self._counts[one.node] = min(since, self._counts.get(one.node, since))

    def taken(self, one: Observation) -> None:
        """A node has taken one."""
        self._counts.pop(one.node, None)

    def excuses(self, one: Observation) -> bool:
        """Whether that one was too many is our doing."""
        return one.slot < self._counts.get(one.node, math.inf)

    def keep(self, nodes: Container[NodeName]) -> None:
        """These are all that there are now."""
        self._counts = {node: at for node, at in self._counts.items() if node in nodes}
