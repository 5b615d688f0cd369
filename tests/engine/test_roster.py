"""Nodes come and go, and their routes with them: nothing of them is lost, doubled or left over."""

from collections import Counter
from dataclasses import replace

from probe.core.allowance import Limits
from probe.core.model import (
    Bounce,
    Node,
    Phase,
    Place,
    Probe,
    Reason,
    Route,
    RouteKey,
    State,
    UnknownCause,
)
from probe.core.record import Bad, Record
from probe.engine.findings import Findings
from probe.engine.overview import Diagnosis, Overview
from probe.engine.roster import LINGER, Roster
from probe.engine.throttle import Throttle
from tests.engine.test_books import World as BooksWorld
from tests.engine.world import ACCEPTED, KEY, NODE, ROUTE


class QuietDesk:
    """Knows of no rival."""

    conflict = False


class FakeSender:
    """Knows which routes are due."""

    ready = True

    def __init__(self) -> None:
        self.routes: Counter[RouteKey] = Counter()

    def add(self, route: Route, node: Node) -> None:
        self.routes[route.key] += 1

    def remove(self, key: RouteKey) -> None:
        self.routes[key] -= 1


class FakeSupervisor:
    def stalled(self) -> list[str]:
        return []


class World(BooksWorld):
    def __init__(self, diagnosis: Diagnosis | None = None) -> None:
        super().__init__()
        self.books.histories.clear()
        self.sender = FakeSender()
        self.roster = Roster(
            {("pool", "shop", "corp"): ROUTE},
            throttle=Throttle(Limits(), self.clock),
            sender=self.sender,
            books=self.books,
            metrics=self.metrics,
        )
        self.findings = Findings({"corp": self.sight}, clock=self.clock)
        self.overview = Overview(
            self.books,
            self.sender,
            FakeSupervisor(),
            diagnosis=self.findings if diagnosis is None else diagnosis,
            desk=QuietDesk(),
            journal=self.journal,
            clock=self.clock,
        )
        self.read(1000.0)

    def fail(self, sequence: int) -> None:
        self.accept(sequence, self.clock.now())
        self.read(self.clock.now() + 70.0)
        self.books.tick()

    def forget(self) -> None:
        """As late as can be."""
        for _ in range(2):
            self.roster.forget_settled(self.clock.now())
            self.clock.moment += LINGER

    def see_late(self, record: Record) -> None:
        bounce = Bounce(record.probe.sequence, Place("corp", "INBOX", 1, 9), 9e9, "failed", "5.1.1")
        self.books.post([self.ledger.bounced(bounce, record)])


def test_a_node_that_is_taken_out_ends_the_trouble_at_once() -> None:
    world = World()
    world.roster.joined(NODE)
    for sequence in range(3):
        world.fail(sequence)
    assert world.overview.status().state is State.DOWN
    world.roster.retired(NODE)
    status = world.overview.status()
    assert (status.state, status.routes) == (State.UNKNOWN, ())
    assert world.books.level(KEY).in_flight == 3, "what is in flight is still waited for"


def test_a_retired_route_is_forgotten_when_its_last_probe_is_settled() -> None:
    world = World()
    world.roster.joined(NODE)
    world.fail(1)
    world.roster.retired(NODE)
    world.forget()
    assert world.metrics.count("forget_route") == 0
    record = world.journal.records[1]
    world.see_late(record)
    world.forget()
    assert world.metrics.count("forget_route", KEY) == 1
    world.see_late(Record(record.probe))
    assert world.metrics.count("bounced", KEY) == 1, "a forgotten route has no account any more"
    assert KEY not in world.books.histories


def test_the_last_numbers_of_a_route_can_still_be_scraped() -> None:
    world = World()
    world.roster.joined(NODE)
    world.fail(1)
    world.roster.retired(NODE)
    world.see_late(world.journal.records[1])
    for _ in range(3):
        world.roster.forget_settled(world.clock.now())
        world.clock.moment += LINGER / 4
    assert world.metrics.count("forget_route") == 0
    world.forget()
    assert world.metrics.count("forget_route", KEY) == 1


def test_a_route_is_not_forgotten_while_a_submission_of_it_goes_on() -> None:
    world = World()
    world.roster.joined(NODE)
    world.launch(1, 1000.0)
    world.ledger.entered(1, Phase.CONNECT, 1000.0)
    world.read(1011.0)
    world.books.tick()
    world.roster.retired(NODE)
    world.forget()
    assert world.metrics.count("judged", KEY, "connect_timeout") == 1
    assert KEY in world.books.histories, "the relay may take the message after all"
    world.books.post(world.ledger.submitted(1, replace(ACCEPTED, ended=1050.0)))
    assert world.books.level(KEY).in_flight == 1


def test_a_node_that_comes_back_goes_on_where_it_stood() -> None:
    world = World()
    world.roster.joined(NODE)
    world.fail(1)
    world.roster.retired(NODE)
    world.roster.joined(NODE)
    world.forget()
    assert world.sender.routes == {KEY: 1}
    assert world.overview.status().state is State.DEGRADED
    assert world.metrics.count("forget_route") == 0
    assert world.ledger.get(1) is not None
    assert world.ledger.get(1).verdict == Bad(Reason.OVERDUE)


def test_what_the_last_run_left_is_accounted_for_before_its_node_is_known() -> None:
    world = World()
    probe = Probe(1, KEY, 900.0, 900.0, "", 60.0, 3600.0)
    left = Record(probe, accepted=900.0, ended=True)
    world.roster.adopt(probe)
    world.books.post([world.ledger.restore(left, UnknownCause.CLOCK)])
    world.forget()
    assert world.overview.status().routes == ()
    assert world.metrics.count("unknown", KEY, "clock") == 1
    assert world.books.level(KEY).in_flight == 1
    world.roster.joined(NODE)
    assert [route.key for route in world.overview.status().routes] == [KEY]
