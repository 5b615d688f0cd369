"""Whether the prober truly works, and may say so to whoever waits for its heartbeat."""

from __future__ import annotations

from collections.abc import Sequence

SUBMISSION = 60.0  # s that a submission may take; then its relay is at fault, and not we.
MISSED = 3  # Slots of the most frequent route that may be missed.


def hindrance(stalled: Sequence[str], *, idle: float, intervals: Sequence[float]) -> str:
    """Why the prober does not work, in words; empty if it does.

    It works if its loops turn and submissions come to an end, well or not: what is wrong with the
    mail is told elsewhere, and a journal that is not on disk hinders nothing. `idle`: since when
    none has ended (s); `intervals`: of the routes.
    """
    if stalled:
        return f"these loops have not turned for a minute: {', '.join(stalled)}"
    if not intervals:
        return "there is no route to probe"
    if idle > MISSED * min(intervals) + SUBMISSION:
        return f"no submission has ended for {idle:.0f} s"
    return ""
