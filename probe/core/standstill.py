"""That the prober stood still: stopped, moved to another machine, or busy with something else."""

from __future__ import annotations

from dataclasses import dataclass

LEAST = 1.0  # s without a sign of life that are a standstill.


@dataclass(frozen=True, slots=True)
class Standstill:
    """A while in which nothing of ours happened; on the timeline it takes no time at all."""

    moment: float  # On the timeline.
    seconds: float  # That passed outside meanwhile.
