"""A mailbox that fills up is said once, until it has room again."""

import logging

import pytest

from probe.core.quota import Quota
from tests.engine.test_desk import World


def test_a_mailbox_that_fills_up_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    with caplog.at_level(logging.WARNING):
        for share in (None, 0.89, 0.9, 0.97, 0.5, 1.02):
            world.desk.filled("corp", None if share is None else Quota(share))

    said = [record.getMessage() for record in caplog.records if record.name == "probe.desk"]
    assert said == [
        "Mailbox corp has used 90 % of its quota.",
        "Mailbox corp has used 102 % of its quota.",
    ]
    assert world.metrics.count("filled", "corp") == 6
