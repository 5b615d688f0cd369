"""A mailbox that fills up is said once, until it has room again."""

import logging

import pytest

from probe.core.ledger import Ledger
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.desk import Desk
from tests.engine.world import MAILBOX, SENDER, FakeClock, FakeJournal, FakeMetrics


def test_a_mailbox_that_fills_up_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    clock, journal, metrics = FakeClock(), FakeJournal(), FakeMetrics()
    sights = {"corp": Sight(frozenset({"inbox"}), 0.0, None)}
    desk = Desk(
        instance="test",
        keys=[b"k" * 16],
        lifetime=1.0,
        senders={"shop": SENDER},
        mailboxes={"corp": MAILBOX},
        sights=sights,
        books=Books(Ledger(sights), journal=journal, metrics=metrics, clock=clock),
        journal=journal,
        metrics=metrics,
        clock=clock,
        wakes={},
    )
    with caplog.at_level(logging.WARNING):
        for share in (None, 0.89, 0.9, 0.97, 0.5, 1.02):
            desk.filled("corp", share)

    assert [record.getMessage() for record in caplog.records] == [
        "Mailbox corp has used 90 % of its quota.",
        "Mailbox corp has used 102 % of its quota.",
    ]
    assert metrics.count("filled", "corp") == 6
