"""The loop of the diagnosis: what is gone is gone, and is not called well again."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from probe.core.change import Change, Judged
from probe.core.component import Component, Kind
from probe.core.detection.baseline import Baselines
from probe.core.detection.burst import SIZE
from probe.core.detection.detector import Detector
from probe.core.incident import End
from probe.core.model import Attempt, Break, Node, Phase, Probe, Reason, Route, RouteKey
from probe.core.record import Bad, Record
from probe.core.sight import Sight
from probe.engine.diagnosis import Configured, Diagnostician
from probe.engine.findings import Findings
from tests.engine.world import MAILBOX, NODE, RELAY, ROUTE, SENDER, FakeJournal, FakeMetrics
from tests.hand_turned import HandTurnedClock

CONFIGURED = Configured({"pool": RELAY}, [SENDER], [MAILBOX])


@dataclass
class Roster:
    version: int = 1
    routes: tuple[Route, ...] = (ROUTE,)
    nodes: tuple[Node, ...] = (NODE,)


@dataclass
class Learner:
    nodes: frozenset[tuple[str, str]] = frozenset()


@dataclass
class Outside:
    """Whoever sends bursts and reads mailboxes."""

    sent: list[RouteKey] = field(default_factory=list)
    open: bool = True

    def confirm(self, key: RouteKey) -> bool:
        if self.open:
            self.sent.append(key)
        return self.open

    def ask(self, mailbox: str = "") -> None:
        """Nobody reads here, and nobody looks anything up."""


class World:
    def __init__(self) -> None:
        self.clock = HandTurnedClock(1000.0)
        sights = {"corp": Sight(frozenset({"inbox"}), 0.0, None)}
        self.detector = Detector(sights, Baselines())
        self.findings = Findings(sights, clock=self.clock)
        self.roster, self.learner = Roster(), Learner()
        self.outside = Outside()
        self.diagnostician = Diagnostician(
            self.detector,
            CONFIGURED,
            findings=self.findings,
            roster=self.roster,  # type: ignore[arg-type]
            learner=self.learner,  # type: ignore[arg-type]
            bursts=self.outside,
            readers=Outside(),
            outside=Outside(),
            journal=FakeJournal(),
            metrics=FakeMetrics(),  # type: ignore[arg-type]
            clock=self.clock,
        )

    def turn(self) -> None:
        self.clock.moment += 0.5
        self.diagnostician.turn()


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_wrong_with_a_node_that_is_gone_is_retired_and_not_well_again(world: World) -> None:
    world.turn()
    world.findings.node_certified("pool", "n1", end=2000.0)
    world.turn()
    assert [one.component.kind for one in world.detector.open] == [Kind.NODE]
    world.roster.version, world.roster.routes, world.roster.nodes = 2, (), ()
    world.turn()
    (incident,) = world.diagnostician.incidents()
    assert incident.end is End.RETIRED


def test_a_submission_that_ends_after_its_node_has_gone_accuses_nobody(world: World) -> None:
    world.turn()
    world.findings.node_certified("pool", "n9", end=2000.0)
    world.turn()
    assert world.diagnostician.incidents() == ()


def test_a_learned_node_that_goes_while_the_configuration_is_read_again_is_gone(
    world: World,
) -> None:
    key = RouteKey("pool", "", "shop", "corp")
    world.roster.routes, world.roster.nodes = (Route(key, 15.0, 60.0, 600.0),), ()
    world.learner.nodes = frozenset({("pool", "n1")})
    forgotten: list[tuple[str, str]] = []
    world.detector.forget = lambda *node: forgotten.append(node)  # type: ignore[method-assign]
    world.turn()
    world.diagnostician.follow(CONFIGURED)
    world.learner.nodes = frozenset()
    world.turn()
    assert forgotten == [("pool", "n1")]
    assert Component(Kind.NODE, "pool", "n1") not in {
        status.component for status in world.diagnostician.components()
    }


def test_a_probe_that_cannot_be_sent_now_is_sent_later(world: World) -> None:
    world.turn()
    probe = Probe(1, ROUTE.key, 1000.0, 1000.0, "", deadline=60.0, give_up=600.0)
    world.detector.launched(probe)
    refused = Attempt((), Phase.CONNECT, 1000.0, broken=Break.REFUSED, detail="refused")
    world.detector.attempted(1, refused, "")
    world.detector.changed(Change(Record(probe), (Judged(Bad(Reason.CONNECT_REFUSED)),)))
    world.outside.open = False
    for _ in range(60):
        world.turn()
    world.outside.open = True
    for _ in range(60):
        world.turn()
    assert len(world.outside.sent) == SIZE
