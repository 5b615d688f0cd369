"""How a route is doing, by its newest verdicts, and how all of them are."""

from __future__ import annotations

from collections.abc import Sequence

from probe.core.model import State
from probe.core.record import Bad, Unknown, Verdict

DOWN_AFTER = 3  # Failures in a row.


def standing(verdicts: Sequence[Verdict]) -> State:
    """The state that the verdicts of one route, oldest first, amount to."""
    if not verdicts or isinstance(verdicts[-1], Unknown):
        return State.UNKNOWN
    if not isinstance(verdicts[-1], Bad):
        return State.OK
    judged = [verdict for verdict in verdicts if not isinstance(verdict, Unknown)]
    failing = all(isinstance(verdict, Bad) for verdict in judged[-DOWN_AFTER:])
    return State.DOWN if failing and len(judged) >= DOWN_AFTER else State.DEGRADED


def overall(states: Sequence[State], *, faulty: bool = False) -> State:
    """The state of everything: down only if all routes are; `faulty`: a component has a fault."""
    if states and all(state is State.DOWN for state in states):
        return State.DOWN
    if faulty or any(state in (State.DOWN, State.DEGRADED) for state in states):
        return State.DEGRADED
    if not states or State.UNKNOWN in states:
        return State.UNKNOWN
    return State.OK
