"""What the prober takes of its machine, by what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from probe.core.detection.history import KEPT, MOST
from probe.core.model import Route

# By `make bench` on two cores of a virtual machine, x86-64, CPython 3.11, at some 250 probes a
# second, TLS and journal included. A process that is all but idle takes up to 0.007 s for each.
CPU_PER_PROBE = 0.0044  # s
# By `make simulate ARGS=cost`, when all is well; with two faults at once it is four times that.
CPU_OF_DETECTION = 1.1e-5  # Of a core, for each route.

# Of `mailprobe run` there, resident: with one route, and what 1,000 idle ones took in addition.
MEMORY_ALONE = 97e6  # Bytes,
MEMORY_OF_ROUTE = 4e3  # and for each route.
# 20,000 observations as the detector keeps them took 30 MB.
MEMORY_OF_OBSERVATION = 1.5e3  # Bytes.


@dataclass(frozen=True, slots=True)
class Cost:
    """What to expect, when all is well."""

    cpu: float  # Of one core, 0 .. 1 and beyond.
    memory: float  # Resident bytes, after an hour.


def cost(routes: Sequence[Route]) -> Cost:
    """The cost of these routes."""
    rate = sum(1.0 / route.interval for route in routes)
    remembered = min(rate * KEPT, MOST)
    return Cost(
        cpu=rate * CPU_PER_PROBE + len(routes) * CPU_OF_DETECTION,
        memory=MEMORY_ALONE + len(routes) * MEMORY_OF_ROUTE + remembered * MEMORY_OF_OBSERVATION,
    )
