"""What the ledger has judged counts at once, even while a submission is still being watched."""

from __future__ import annotations

from probe.core.change import Change, Judged
from probe.core.model import Phase, Reason, RouteKey
from probe.core.record import Bad
from tests.core.detection.world import N2, PROBER, World, in_turn


class Story(World):
    """Connections that are judged while they still hang."""

    def __init__(self) -> None:
        super().__init__()
        self.follow()

    def hangs(self, node: str, now: float) -> None:
        """It is judged after 3 s, and nobody has answered yet."""
        record = self.launched(now, RouteKey("pool", node, "shop", "corp"))
        self.detector.entered(record.probe.sequence, Phase.CONNECT, now)
        self.tick(now + 3.0)
        self.detector.changed(Change(record, (Judged(Bad(Reason.CONNECT_TIMEOUT)),)))


def test_connections_that_hang_are_failures_once_they_are_judged() -> None:
    story = Story()
    for number in range(5):
        story.hangs("n2", 100.0 + number)
        story.came(story.sent(104.0 + number, node="n3"), 104.0 + number)
    story.tick(110.0)
    assert story.named == [N2]


def test_where_all_hang_it_may_be_our_own_network() -> None:
    story = Story()
    for number in range(9):
        story.hangs(in_turn(number), 100.0 + number)
    story.tick(112.0)
    assert story.named == [PROBER]


def test_a_bounce_tells_why() -> None:
    story = Story()
    for moment in range(100, 106):
        story.returned(story.sent(moment, node="n2"), moment, "5.1.1", "550 nobody")
        for node in ("n3", "n1"):
            story.came(story.sent(moment, node=node), moment)
    story.tick(107.0)
    (incident,) = story.detector.open
    assert any("5.1.1 550 nobody" in line for line in incident.evidence)
