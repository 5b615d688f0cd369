"""More than one fault at a time: what is named is true."""

from __future__ import annotations

import pytest

from tests.simulation.several import SCENES, Scene, act


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_what_is_named_is_true(scene: Scene) -> None:
    outcome = act(scene, seed=1)
    assert not outcome.false, str(outcome)
