"""Mail that could not be authenticated is a fact, and is localised like any failure."""

from __future__ import annotations

from dataclasses import replace

from probe.core.authenticity import Authenticity, Proof
from probe.core.change import Arrived, Change, Judged, Vouched
from probe.core.component import Component, Fault, Kind
from probe.core.detection.baseline import Baselines
from probe.core.detection.detector import Detector
from probe.core.incident import Incident
from probe.core.model import (
    Attempt,
    Folder,
    Phase,
    PhaseTime,
    Place,
    Probe,
    Reason,
    Relay,
    Reply,
    Route,
    RouteKey,
    Sighting,
)
from probe.core.record import Bad, Good, Record, Verdict
from probe.core.sight import Sight

FAILS = Authenticity(Proof.FAILS, ("it bears no DKIM signature of the sender's domain",))
HOLDS, OPEN = Authenticity(Proof.HOLDS), Authenticity(Proof.OPEN)
GOOD = Good()
KEYS = [
    RouteKey("pool", node, sender, mailbox)
    for node in ("n1", "n2", "n3")
    for sender in ("shop", "news")
    for mailbox in ("corp", "back")
]


class World:
    """Three nodes, two senders, two mailboxes; every probe arrives after a second."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sights = {name: Sight(frozenset({"inbox"}), 0.0, None) for name in ("corp", "back")}
        self.detector = Detector(self.sights, Baselines())
        self.detector.follow(
            [Route(key, 15.0, 60.0, 3600.0) for key in KEYS], {"pool": Relay("pool", "h", 25)}
        )
        self.sequence = 0
        self.incidents: list[Incident] = []

    def round(self, said: dict[RouteKey, Authenticity], verdict: Verdict = GOOD) -> None:
        """One probe on each route, 15 s."""
        for key in KEYS:
            self.probe(key, said.get(key, HOLDS), verdict if key in said else GOOD)
            self.now += 15.0 / len(KEYS)

    def probe(self, key: RouteKey, said: Authenticity, verdict: Verdict) -> None:
        self.sequence += 1
        probe = Probe(self.sequence, key, self.now, self.now, "token", 60.0, 3600.0)
        self.detector.launched(probe)
        reply = Reply(250, "", "queued")
        attempt = Attempt((PhaseTime(Phase.ACK, 0.1),), Phase.ACK, self.now + 0.1, reply=reply)
        self.detector.attempted(self.sequence, attempt, "")
        for sight in self.sights.values():
            sight.proved(Folder.INBOX, self.now + 1.0)
        seen = Sighting(
            self.sequence, "token", Place(key.mailbox, "INBOX", 1, 1), Folder.INBOX, self.now + 1.0
        )
        record = replace(
            Record(probe), accepted=self.now + 0.1, arrived=self.now + 1.0, verdict=verdict
        )
        arrived = Arrived(seen, 0.9, late=False)
        self.detector.changed(Change(record, (arrived, Judged(verdict))))
        self.incidents += self.detector.tick(self.now + 1.0).incidents
        self.detector.changed(Change(record, (Vouched(said),)))
        self.incidents += self.detector.tick(self.now + 1.0).incidents

    def named(self) -> list[tuple[Component, Fault]]:
        open_ones = {one.id: one for one in self.incidents}
        return [
            (one.component, one.faults[0].fault) for one in open_ones.values() if one.closed is None
        ]


def failing(**wanted: str) -> dict[RouteKey, Authenticity]:
    return {
        key: FAILS
        for key in KEYS
        if all(getattr(key, name) == value for name, value in wanted.items())
    }


def test_a_node_that_signs_no_more_is_named_after_two_probes() -> None:
    world = World()
    world.round({})
    [first, second, *_] = failing(node="n2")
    world.probe(first, FAILS, GOOD)
    assert world.named() == []
    world.probe(second, FAILS, GOOD)
    world.round(failing(node="n2"))
    node = Component(Kind.NODE, relay="pool", node="n2")
    assert (node, Fault.UNAUTHENTICATED) in world.named()
    assert "no DKIM signature" in " ".join(world.incidents[-1].evidence)


def test_a_sender_whose_key_is_gone_is_named() -> None:
    world = World()
    world.round({})
    world.round(failing(sender="shop"))
    sender = Component(Kind.SENDER, sender="shop")
    assert (sender, Fault.UNAUTHENTICATED) in world.named()


def test_it_is_over_when_it_holds_again() -> None:
    world = World()
    world.round({})
    world.round(failing(sender="shop"))
    for _ in range(18):
        world.round({})
    assert world.named() == []


def test_what_nobody_could_tell_accuses_nobody() -> None:
    world = World()
    for _ in range(4):
        world.round(dict.fromkeys(failing(sender="shop"), OPEN))
    assert world.incidents == []


def test_junk_that_could_not_be_authenticated_says_so() -> None:
    world = World()
    world.round({})
    world.round(failing(sender="shop"), Bad(Reason.JUNK))
    [(component, fault)] = world.named()
    assert (component.sender, fault) == ("shop", Fault.MISFILING)
    assert "no DKIM signature" in " ".join(world.incidents[-1].evidence)
