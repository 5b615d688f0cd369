"""A mailbox that is full: what relays keep for it meanwhile is held against nobody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.core.change import Arrived, Change, Judged
from probe.core.component import Component, Fault, Named
from probe.core.model import Folder, Place, Reason, Sighting
from probe.core.record import Bad, Record
from tests.core.detection.world import CORP, N1, World, in_turn

FULL = (Named(Fault.FULL, 200.0, ("100 % of its quota is used",)),)


class Story(World):
    """A second is a probe through one of three nodes."""

    def __init__(self, mailboxes: tuple[str, ...] = ("corp",)) -> None:
        super().__init__(mailboxes=mailboxes)
        self.follow()
        self.kept: list[Record] = []
        self.ever: set[Component] = set()

    def pass_by(self, since: int, until: int, *, keeps: str = "") -> None:
        """Time; what goes to corp is kept by nodes whose names are in `keeps`."""
        for moment in range(since, until):
            self.read(moment)
            node, to = in_turn(moment), [*self.sights][moment // 3 % len(self.sights)]
            record = self.sent(moment, node=node, to=to)
            if to == "corp" and node in keeps:
                self.kept.append(record)
            else:
                self.came(record, moment)
            self.judge(moment)
            self.tick(moment + 0.5)
            self.ever.update(self.named)

    def judge(self, now: float) -> None:
        """What has not come within a minute is overdue."""
        for record in self.kept:
            if record.probe.launched == now - 60:
                self.detector.changed(Change(record, (Judged(Bad(Reason.OVERDUE)),)))

    def deliver(self, now: float) -> None:
        """The relays come back to the mailbox."""
        for record in self.kept:
            if now - record.probe.launched < 60:
                self.came(record, now)
                continue
            place = Place("corp", "INBOX", 1, record.probe.sequence)
            late = Arrived(
                Sighting(record.probe.sequence, "", place, Folder.INBOX, now), 60.0, True
            )
            self.detector.changed(Change(replace(record, arrived=now), (late,)))
        self.kept.clear()


@pytest.mark.parametrize("mailboxes", [("corp",), ("corp", "home")])
def test_while_a_mailbox_is_full_and_after_only_it_is_named(mailboxes: tuple[str, ...]) -> None:
    story = Story(mailboxes)
    story.pass_by(0, 200)
    story.pass_by(200, 204, keeps="n1 n2 n3")
    story.detector.declare(CORP, FULL)
    story.pass_by(204, 600, keeps="n1 n2 n3")
    assert story.ever == {CORP}
    story.detector.declare(CORP, ())
    story.pass_by(600, 660, keeps="n1 n2 n3")
    story.deliver(660.0)
    story.pass_by(660, 760)
    assert story.ever == {CORP}
    assert story.named == []
    assert story.baselines.outstanding("pool", "corp", 30.0) < 0.01
    assert story.baselines.failing_share("pool") < 0.005


def test_what_was_named_before_it_was_known_to_be_full_is_soon_over() -> None:
    story = Story()
    story.pass_by(0, 200)
    story.pass_by(200, 240, keeps="n1 n2 n3")
    assert story.named
    story.detector.declare(CORP, FULL)
    story.pass_by(240, 280, keeps="n1 n2 n3")
    assert story.named == [CORP]


def test_a_node_that_held_mail_before_is_still_named() -> None:
    story = Story()
    story.pass_by(0, 200)
    story.pass_by(200, 300, keeps="n1")
    story.detector.declare(CORP, FULL)
    story.pass_by(300, 400, keeps="n1 n2 n3")
    assert set(story.named) == {CORP, N1}


def test_a_node_that_holds_mail_after_it_has_room_again_and_the_node_came_back_is_named() -> None:
    story = Story()
    story.pass_by(0, 200)
    story.detector.declare(CORP, FULL)
    story.pass_by(200, 300, keeps="n1 n2 n3")
    story.detector.declare(CORP, ())
    story.deliver(300.0)
    story.pass_by(300, 340)
    story.pass_by(340, 400, keeps="n1")
    assert story.named == [N1]


def test_other_mailboxes_still_tell_who_holds_mail() -> None:
    """Whether only on this way, or all of it, cannot be known meanwhile."""
    story = Story(("corp", "home"))
    story.pass_by(0, 200)
    story.detector.declare(CORP, FULL)
    story.pass_by(200, 300, keeps="n1 n2 n3")
    for moment in range(300, 400):
        story.read(moment)
        record = story.sent(moment, node=in_turn(moment), to="home")
        if moment % 3:
            story.came(record, moment)
        story.tick(moment + 0.5)
    assert [one.node for one in story.named if one != CORP] == ["n1"]


def test_a_node_that_holds_mail_while_a_mailbox_over_its_quota_takes_the_rest_is_named() -> None:
    """What arrives shows that there is room, whatever the quota says."""
    story = Story()
    story.pass_by(0, 200)
    story.detector.declare(CORP, FULL)
    story.pass_by(200, 400)
    assert story.ever == {CORP}
    story.pass_by(400, 420, keeps="n1")
    for moment in range(420, 600, 20):
        assert set(story.named) == {CORP, N1}, f"at {moment}"
        story.pass_by(moment, moment + 20, keeps="n1")
    story.detector.declare(CORP, ())
    for moment in range(600, 700, 20):
        story.pass_by(moment, moment + 20, keeps="n1")
        assert story.named == [N1], f"at {moment}"


def test_a_node_that_holds_mail_since_a_mailbox_went_over_its_quota_is_named_soon() -> None:
    story = Story()
    story.pass_by(0, 200)
    story.detector.declare(CORP, FULL)
    story.pass_by(200, 310, keeps="n1")
    assert set(story.named) == {CORP, N1}


@pytest.mark.parametrize("full", [10, 57, 59, 62, 85, 300, 900])
def test_what_comes_before_it_is_known_that_there_is_room_again_accuses_nobody(full: int) -> None:
    """A node comes back first, and the others keep what they have, while the quota is not read."""
    story = Story()
    story.pass_by(0, 200)
    story.detector.declare(CORP, FULL)
    story.pass_by(200, 200 + full, keeps="n1 n2 n3")
    story.pass_by(200 + full, 206 + full, keeps="n2 n3")
    story.detector.declare(CORP, ())
    story.pass_by(206 + full, 280 + full, keeps="n2 n3")
    assert story.ever == {CORP}
    story.deliver(280.0 + full)
    story.pass_by(280 + full, 340 + full)
    assert story.ever == {CORP}


def test_a_mailbox_that_was_nearly_full_for_long_accuses_nobody_when_it_is_full() -> None:
    """There is hardly room, and a probe still fits; then others take what was left."""
    story = Story()
    story.pass_by(0, 200)
    story.detector.declare(CORP, FULL)
    story.pass_by(200, 500)
    story.pass_by(500, 800, keeps="n1 n2 n3")
    story.deliver(800.0)
    story.pass_by(800, 806)
    story.detector.declare(CORP, ())
    story.pass_by(806, 900)
    assert story.ever == {CORP}
