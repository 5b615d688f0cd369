"""The sums of evidence: one for every series, over all observations in the order of their slots.

Each is a CUSUM (Page 1954): never below 0, so that it starts anew wherever all was well. What is
still on its way counts by its age, and is counted anew at each look, so that the order of arrival
cannot matter and nothing is counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from probe.core.detection.observation import Observation, Weight
from probe.core.detection.topology import Topology

Weigh = Callable[[Observation], Weight | None]


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums at one moment (nats), and since when each has been above 0."""

    nats: list[float]
    onset: list[float]

    @property
    def highest(self) -> int:
        """The number of the series with the largest sum."""
        return max(range(len(self.nats)), key=self.nats.__getitem__)


class Walk:
    """Keeps the sums of the prefix in which everything is settled."""

    def __init__(self) -> None:
        self._done = 0  # Observations of the prefix.
        self._nats: list[float] = []
        self._onset: list[float] = []

    def restart(self) -> None:
        """Forget the prefix: another topology is in force, or observations count otherwise."""
        self._done = 0
        self._nats = []

    def dropped(self, count: int) -> None:
        """So many observations at the beginning are gone; what they added stays."""
        self._done = max(0, self._done - count)

    def on(self, observations: Sequence[Observation], topology: Topology, *, weigh: Weigh) -> Sums:
        """The sums now. `weigh` says what an observation counts, or None for nothing."""
        if len(self._nats) != len(topology.series):
            self._nats = [0.0] * len(topology.series)
            self._onset = [0.0] * len(topology.series)
        while self._done < len(observations) and observations[self._done].settled:
            one = observations[self._done]
            _step(self._nats, self._onset, one, topology=topology, weight=weigh(one))
            self._done += 1
        nats, onset = [*self._nats], [*self._onset]
        for number in range(self._done, len(observations)):
            one = observations[number]
            _step(nats, onset, one, topology=topology, weight=weigh(one))
        return Sums(nats, onset)


def _step(
    nats: list[float],
    onset: list[float],
    one: Observation,
    *,
    topology: Topology,
    weight: Weight | None,
) -> None:
    if weight is None:
        return
    value = weight.nats()
    for number in topology.members.get(one.key, ()):
        if not weight.blames & topology.series[number].kinds:
            continue
        before = nats[number]
        if before <= 0.0 < value:
            onset[number] = one.slot
        nats[number] = max(0.0, before + value)
