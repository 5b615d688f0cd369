"""What is normal, as far as it has to be assumed before anything was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

from probe.core.detection.baseline import Baselines

PROBES = 2000  # That have taught what is normal: with 3 nodes at 15 s it takes some three hours.

_RELAY = "any"


class Pace(Enum):
    """How quickly mail arrives: lognormal, by its median and its 99th percentile (s)."""

    LOCAL = (0.05, 0.5)  # Within one's own network.
    PUBLIC = (2.0, 16.0)  # At a large provider.

    @property
    def median(self) -> float:
        """Half of the mail takes less (s)."""
        return self.value[0]

    def delay(self, share: float) -> float:
        """What this share of the mail does not exceed (s)."""
        spread = math.log(self.value[1] / self.value[0]) / NormalDist().inv_cdf(0.99)
        return math.exp(math.log(self.value[0]) + spread * NormalDist().inv_cdf(share))


@dataclass(frozen=True, slots=True)
class Habit:
    """How probes fare when all is well, as a prober knows it after a while."""

    baselines: Baselines
    paces: Mapping[str, Pace]  # By mailbox; those that are not in it are LOCAL.

    @property
    def failing_share(self) -> float:
        """The share of the probes that fail for no reason."""
        return self.baselines.failing_share(_RELAY)

    def held(self, mailbox: str, age: float) -> float:
        """1 / the probability that a message is on its way for longer than this (s); 0: no age."""
        if age <= 0.0:
            return 0.0
        arriving = self.baselines.outstanding(_RELAY, self._pace(mailbox).name, age)
        return 1.0 / (self.failing_share + (1.0 - self.failing_share) * arriving)

    def usual(self, mailbox: str) -> float:
        """How long mail takes to this mailbox (s)."""
        return self._pace(mailbox).median

    def _pace(self, mailbox: str) -> Pace:
        return self.paces.get(mailbox, Pace.LOCAL)


def assumed(paces: Mapping[str, Pace]) -> Habit:
    """What a prober knows after `PROBES` probes of which none has failed."""
    baselines = Baselines()
    for number in range(PROBES):
        baselines.ended(_RELAY, failed=False, now=0.0)
        for pace in {Pace.LOCAL, *paces.values()}:
            baselines.arrived(_RELAY, pace.name, pace.delay((number + 0.5) / PROBES))
    return Habit(baselines, paces)
