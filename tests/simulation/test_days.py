"""A few days of health, with what happens every day."""

from __future__ import annotations

import pytest

from tests.simulation.days import live


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("failures", "days"), [(0.001, 2.0), (0.0078, 1.0)])
def test_nothing_is_confirmed_and_nothing_is_named_without_a_cause(
    failures: float, days: float
) -> None:
    account = live(failures, days, seed=1)
    assert account.causes == 6 * days
    assert account.named >= 3 * days, (
        "every restart is named, or the days are too quiet to prove it"
    )
    assert not account.confirmed
    assert not account.stray
    assert not account.beside
    assert not account.lingering
