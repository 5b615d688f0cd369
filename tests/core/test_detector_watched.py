"""What the ledger has judged counts at once, even while a submission is still being watched."""

from __future__ import annotations

from dataclasses import replace

from probe.core.change import Arrived, Change, Judged, Returned
from probe.core.component import Component, Kind
from probe.core.detection.baseline import Baselines
from probe.core.detection.detector import Detector
from probe.core.model import (
    Attempt,
    Bounce,
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
from probe.core.record import Bad, Good, Record
from probe.core.sight import Sight

NODES = ("n1", "n2", "n3")
TAKEN = Attempt(
    (PhaseTime(Phase.ACK, 0.1),),
    Phase.ACK,
    ended=0.0,
    reply=Reply(250, "2.0.0", "Ok: queued as A1"),
)


def place(uid: int) -> Place:
    return Place("corp", "INBOX", 1, uid)


class Told:
    """A detector of one relay and one mailbox, and what it is told of each probe."""

    def __init__(self) -> None:
        self.detector = Detector({"corp": Sight(frozenset({"inbox"}), 0.0, None)}, Baselines())
        keys = [RouteKey("pool", node, "shop", "corp") for node in NODES]
        routes = [Route(key, 15.0, 60.0, 600.0) for key in keys]
        self.detector.follow(routes, {"pool": Relay("pool", "pool.test", 25)})
        self._sequence = 0

    def launch(self, node: str, moment: float) -> Record:
        """A probe has come as far as the connection."""
        self._sequence += 1
        route = RouteKey("pool", node, "shop", "corp")
        probe = Probe(self._sequence, route, moment, moment, "", deadline=60.0, give_up=600.0)
        self.detector.launched(probe)
        self.detector.entered(probe.sequence, Phase.CONNECT, moment)
        return Record(probe)

    def hangs(self, node: str, moment: float) -> None:
        """It is judged after 3 s, and nobody has answered yet."""
        record = replace(self.launch(node, moment), verdict=Bad(Reason.CONNECT_TIMEOUT))
        self.detector.tick(moment + 3.0)
        self.detector.changed(Change(record, (Judged(Bad(Reason.CONNECT_TIMEOUT)),)))

    def accepted(self, node: str, moment: float) -> Record:
        """The relay took it."""
        record = self.launch(node, moment)
        self.detector.entered(record.probe.sequence, Phase.GREETING, moment)
        self.detector.attempted(record.probe.sequence, replace(TAKEN, ended=moment), "")
        return replace(record, accepted=moment)

    def arrives(self, node: str, moment: float) -> None:
        """All is well with this one."""
        record = replace(self.accepted(node, moment), arrived=moment)
        sequence = record.probe.sequence
        sighting = Sighting(sequence, "", place(sequence), Folder.INBOX, moment)
        events = Arrived(sighting, 0.0, late=False), Judged(Good())
        self.detector.changed(Change(record, events))

    def returns(self, node: str, moment: float) -> None:
        """It was accepted, and bounces."""
        record = self.accepted(node, moment)
        sequence = record.probe.sequence
        bounce = Bounce(sequence, place(sequence), moment, "failed", "5.1.1", "550 nobody")
        self.detector.changed(Change(record, (Returned(bounce), Judged(Bad(Reason.BOUNCED)))))

    def named(self, now: float) -> list[Component]:
        self.detector.tick(now)
        return [incident.component for incident in self.detector.open]


def test_connections_that_hang_are_failures_once_they_are_judged() -> None:
    told = Told()
    for number in range(5):
        told.hangs("n2", 100.0 + number)
        told.arrives("n3", 104.0 + number)
    assert told.named(110.0) == [Component(Kind.NODE, relay="pool", node="n2")]


def test_where_all_hang_it_may_be_our_own_network() -> None:
    told = Told()
    for number in range(9):
        told.hangs(NODES[number % 3], 100.0 + number)
    assert told.named(112.0) == [Component(Kind.PROBER)]


def test_a_bounce_tells_why() -> None:
    told = Told()
    for moment in range(100, 106):
        told.returns("n2", moment)
        told.arrives("n3", moment)
        told.arrives("n1", moment)
    told.detector.tick(107.0)
    (incident,) = told.detector.open
    assert any("5.1.1 550 nobody" in line for line in incident.evidence)
