"""Nodes come and go, and their routes with them."""

from dataclasses import dataclass
from typing import cast

from probe.core.ledger import Ledger
from probe.core.model import Attempt, Node, Probe, Reason, RouteKey, State, Timeouts
from probe.core.record import Bad, Record
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.courier import Courier
from probe.engine.desk import Desk
from probe.engine.overview import Overview
from probe.engine.roster import Roster
from probe.engine.sender import Sender
from probe.engine.supervisor import Supervisor
from tests.engine.world import ACCEPTED, FakeClock, FakeJournal, FakeMetrics

ONE, TWO = (Node("pool", name, f"192.0.2.{name}", 25) for name in ("1", "2"))


@dataclass(frozen=True)
class Plan:
    interval: float = 15.0
    deadline: float = 60.0
    give_up: float = 3600.0


class QuietDesk:
    conflict = False


class World:
    def __init__(self) -> None:
        self.clock, self.metrics = FakeClock(), FakeMetrics()
        self.ledger = Ledger({"corp": Sight(frozenset({"inbox"}), 0.0, None)})
        self.books = Books(
            self.ledger, journal=FakeJournal(), metrics=self.metrics, clock=self.clock
        )
        sender = Sender(cast(Courier, None), metrics=self.metrics, clock=self.clock)
        plans = {("pool", "shop", "corp"): Plan()}
        self.roster = Roster(plans, sender=sender, books=self.books, metrics=self.metrics)
        supervisor = Supervisor(clock=self.clock, metrics=self.metrics)
        self.desk, self.journal = QuietDesk(), FakeJournal()
        self.overview = Overview(
            self.books,
            sender,
            supervisor,
            desk=cast(Desk, self.desk),
            journal=self.journal,
            clock=self.clock,
        )

    def send(self, node: Node, attempt: Attempt, sequence: int) -> None:
        now = self.clock.now()
        probe = Probe(sequence, key(node), now, now, f"token{sequence}", 60.0, 3600.0)
        self.ledger.launched(Record(probe), Timeouts())
        self.books.post(self.ledger.submitted(sequence, attempt))

    def routes(self) -> list[str]:
        return [route.key.node for route in self.overview.status().routes]


def key(node: Node) -> RouteKey:
    return RouteKey("pool", node.name, "shop", "corp")


def test_a_node_that_is_gone_is_at_fault_no_longer_though_its_mail_is_waited_for() -> None:
    world = World()
    world.roster.joined(ONE)
    world.roster.joined(TWO)
    world.send(TWO, ACCEPTED, 1)
    world.books.histories[key(TWO)].verdicts.append(Bad(Reason.OVERDUE))
    assert world.overview.status().state is State.DEGRADED
    world.roster.retired(TWO)
    world.roster.forget_settled()
    assert world.overview.status().state is State.UNKNOWN, "the other has no verdict yet"
    assert world.routes() == ["1"]
    assert world.books.level(key(TWO)).in_flight == 1
    assert world.metrics.count("retire_route", key(TWO)) == 1
    assert world.metrics.count("forget_route", key(TWO)) == 0


def test_a_route_whose_node_is_gone_is_forgotten_when_nothing_of_it_is_open() -> None:
    world = World()
    world.roster.joined(ONE)
    world.roster.retired(ONE)
    world.roster.forget_settled()
    assert world.metrics.count("forget_route", key(ONE)) == 1
    assert key(ONE) not in world.books.histories


def test_a_node_that_comes_back_is_shown_again() -> None:
    world = World()
    world.roster.joined(ONE)
    world.roster.retired(ONE)
    assert world.routes() == []
    world.roster.joined(ONE)
    assert world.routes() == ["1"]


def test_what_is_wrong_with_the_prober_itself_is_said_in_sentences() -> None:
    world = World()
    assert world.overview.status().notices == ()
    world.desk.conflict, world.journal.up = True, False
    assert len(world.overview.status().notices) == 2
