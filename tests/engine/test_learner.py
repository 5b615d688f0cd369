"""Nodes behind a load balancer are learned, shown and forgotten."""

from dataclasses import replace

from probe.core.learned import MAX_LEARNED, MEMORY
from probe.core.ledger import Ledger
from probe.core.model import Attempt, Node, Phase, PhaseTime, Probe, RouteKey, Timeouts
from probe.core.node_plan import NodePlan
from probe.core.record import Record
from probe.core.sight import Sight
from probe.engine.books import Books
from probe.engine.learner import Learner
from tests.engine.world import ACCEPTED, RELAY, FakeJournal, FakeMetrics
from tests.hand_turned import HandTurnedClock

BALANCER = replace(RELAY, plan=NodePlan.GREETING)
NODE = Node("pool", "", "smtp.example", 25)
KEY = RouteKey("pool", "", "shop", "corp")


def attempt(host: str) -> Attempt:
    return replace(ACCEPTED, phases=(PhaseTime(Phase.EHLO, 0.1),), greeting_host=host)


class World:
    def __init__(self) -> None:
        self.clock, self.metrics = HandTurnedClock(1000.0), FakeMetrics()
        ledger = Ledger({"corp": Sight(frozenset({"inbox"}), 0.0, None)})
        self.books = Books(ledger, journal=FakeJournal(), metrics=self.metrics, clock=self.clock)
        self.books.open(KEY)
        self.learner = Learner([BALANCER], books=self.books, metrics=self.metrics, clock=self.clock)

    def take(self, host: str, sequence: int = 1) -> str:
        """The node with this greeting accepts a probe."""
        ledger, node = self.books.ledger, self.learner.node_of(NODE, attempt(host))
        probe = Probe(sequence, KEY, 0.0, 0.0, "token", 60.0, 2 * MEMORY)
        ledger.launched(Record(probe), Timeouts())
        ledger.submitted(sequence, attempt(host), learned=node)
        return node

    def shown(self) -> dict[str, int]:
        """What is in flight by node, as it is exported."""
        self.metrics.calls.clear()
        self.learner.refresh()
        self.learner.show()
        return {
            call[1].split("/")[1]: int(call[2].removeprefix("in_flight="))
            for call in self.metrics.calls
            if call[0] == "flying"
        }


def test_each_message_counts_for_the_node_that_took_it() -> None:
    world = World()
    assert [world.take(f"MX{n}.test", n) for n in (1, 2, 2)] == ["mx1.test", "mx2.test", "mx2.test"]
    assert world.metrics.count("add_node") == 2, "a node joins once"
    world.take("mx1.test", 4)
    assert world.shown() == {"mx1.test": 2, "mx2.test": 1}
    level = world.books.level(KEY)
    assert (level.in_flight, level.undecided) == (0, 3), "the counters are the route's"


def test_a_relay_of_another_kind_learns_nothing() -> None:
    world = World()
    learner = Learner([RELAY], books=world.books, metrics=world.metrics, clock=world.clock)
    assert learner.node_of(NODE, attempt("mx1.test")) == ""
    assert not world.metrics.calls


def test_a_node_is_forgotten_when_it_has_been_gone_for_long_and_owes_nothing() -> None:
    world = World()
    world.take("mx1.test")
    world.learner.node_of(NODE, attempt("mx2.test"))
    assert world.shown() == {"mx1.test": 1, "mx2.test": 0}
    world.clock.moment += MEMORY + 1
    assert world.shown() == {"mx1.test": 1}
    assert world.metrics.count("retire_node") == 1


def test_what_the_last_run_left_by_a_node_is_shown_again() -> None:
    world = World()
    world.learner.adopt("pool", "mx1.test")
    world.learner.adopt("pool", "")
    assert world.shown() == {"mx1.test": 0}


def test_after_a_reload_the_nodes_of_another_balancer_stay_only_for_what_they_owe() -> None:
    world = World()
    world.take("mx1.test")
    world.learner.node_of(NODE, attempt("mx2.test"))
    world.learner.follow([replace(BALANCER, helo="other")])
    assert world.shown() == {"mx1.test": 1, "mx2.test": 0}, "it is the same balancer"
    world.learner.follow([replace(BALANCER, host="other.example")])
    assert world.shown() == {"mx1.test": 1}
    world.learner.follow([])
    world.books.post(world.books.ledger.dismiss(lambda key: True))
    assert world.shown() == {}
    assert world.learner.node_of(NODE, attempt("mx1.test")) == ""


def test_nodes_make_room_for_others_though_nobody_asks_what_is_shown() -> None:
    world = World()
    for generation in range(3):
        for number in range(MAX_LEARNED):
            name = f"mx{number}.{generation}.test"
            assert world.learner.node_of(NODE, attempt(name)) == name
        world.clock.moment += MEMORY + 1
        world.learner.refresh()
        assert not world.learner.nodes
