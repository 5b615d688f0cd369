"""A route is as its newest verdicts say."""

import pytest

from probe.core.model import Reason, State, UnknownCause
from probe.core.record import Bad, Good, Unknown, Verdict
from probe.core.standing import standing

G, B, U = Good(), Bad(Reason.OVERDUE), Unknown(UnknownCause.PROBER)


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ([], State.UNKNOWN),
        ([G], State.OK),
        ([B], State.DEGRADED),
        ([G, B, B], State.DEGRADED),
        ([B, B, B], State.DOWN),
        ([B, U, B, B], State.DOWN),
        ([B, B, B, G], State.OK),
        ([G, U], State.UNKNOWN),
    ],
)
def test_standing(verdicts: list[Verdict], state: State) -> None:
    assert standing(verdicts) is state
