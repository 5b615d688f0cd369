"""Mail that could not be authenticated is a fact, and is localised like any failure."""

from __future__ import annotations

from probe.core.authenticity import Authenticity, Proof
from probe.core.component import Component, Fault, Kind
from probe.core.model import Reason, RouteKey
from probe.core.record import Bad, Verdict
from tests.core.detection.world import GOOD, N2, TAKEN, World

FAILS = Authenticity(Proof.FAILS, ("it bears no DKIM signature of the sender's domain",))
HOLDS, OPEN = Authenticity(Proof.HOLDS), Authenticity(Proof.OPEN)


class Story(World):
    """Three nodes, two senders, two mailboxes; every probe arrives after a second."""

    def __init__(self) -> None:
        super().__init__(senders=("shop", "news"), mailboxes=("corp", "back"))
        self.follow()
        self.now = 1000.0

    def round(self, said: dict[RouteKey, Authenticity], verdict: Verdict = GOOD) -> None:
        """One probe on each route, 15 s."""
        for key in self.keys:
            self.probe(key, said.get(key, HOLDS), verdict if key in said else GOOD)
            self.now += 15.0 / len(self.keys)

    def probe(self, key: RouteKey, said: Authenticity, verdict: Verdict) -> None:
        record = self.ended(self.launched(self.now, key), TAKEN, self.now + 0.1)
        self.read(self.now + 1.0)
        record = self.came(record, self.now + 1.0, verdict)
        self.tick(self.now + 1.0)
        self.vouched(record, said)
        self.tick(self.now + 1.0)

    def failing(self, **wanted: str) -> dict[RouteKey, Authenticity]:
        """The routes through these, none of whose mail is authentic."""
        return {
            key: FAILS
            for key in self.keys
            if all(getattr(key, name) == value for name, value in wanted.items())
        }

    @property
    def faults(self) -> list[tuple[Component, Fault]]:
        """Who is named, and the first fault of each."""
        return [(one.component, one.faults[0].fault) for one in self.detector.open]


def test_a_node_that_signs_no_more_is_named_after_two_probes() -> None:
    story = Story()
    story.round({})
    [first, second, *_] = story.failing(node="n2")
    story.probe(first, FAILS, GOOD)
    assert story.faults == []
    story.probe(second, FAILS, GOOD)
    story.round(story.failing(node="n2"))
    assert (N2, Fault.UNAUTHENTICATED) in story.faults
    assert "no DKIM signature" in " ".join(story.told[-1].evidence)


def test_a_sender_whose_key_is_gone_is_named() -> None:
    story = Story()
    story.round({})
    story.round(story.failing(sender="shop"))
    sender = Component(Kind.SENDER, sender="shop")
    assert (sender, Fault.UNAUTHENTICATED) in story.faults


def test_it_is_over_when_it_holds_again() -> None:
    story = Story()
    story.round({})
    story.round(story.failing(sender="shop"))
    for _ in range(18):
        story.round({})
    assert story.faults == []


def test_what_nobody_could_tell_accuses_nobody() -> None:
    story = Story()
    for _ in range(4):
        story.round(dict.fromkeys(story.failing(sender="shop"), OPEN))
    assert story.told == []


def test_junk_that_could_not_be_authenticated_says_so() -> None:
    story = Story()
    story.round({})
    story.round(story.failing(sender="shop"), Bad(Reason.JUNK))
    [(component, fault)] = story.faults
    assert (component.sender, fault) == ("shop", Fault.MISFILING)
    assert "no DKIM signature" in " ".join(story.told[-1].evidence)
