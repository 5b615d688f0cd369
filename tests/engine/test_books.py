"""What the ledger decides is saved and counted."""

from dataclasses import replace

from probe.core.attic import WIDTH
from probe.core.ledger import Ledger
from probe.core.model import Probe, RouteKey, Timeouts
from probe.core.record import Record
from probe.core.sight import Sight
from probe.engine.books import Books
from tests.engine.world import ACCEPTED, KEY, FakeJournal, FakeMetrics
from tests.hand_turned import HandTurnedClock


class World:
    """Books over a ledger that holds `most` records, whose mailbox is read all the time."""

    def __init__(self, *, most: int = 50_000) -> None:
        self.clock, self.journal, self.metrics = (
            HandTurnedClock(1000.0),
            FakeJournal(),
            FakeMetrics(),
        )
        self.sight = Sight(frozenset({"inbox"}), 0.0, None)
        self.ledger = Ledger({"corp": self.sight}, most=most)
        self.books = Books(
            self.ledger, journal=self.journal, metrics=self.metrics, clock=self.clock
        )
        self.books.open(KEY)

    def read(self, until: float) -> None:
        moment = self.sight.proof or until
        while moment < until:
            moment = min(moment + 20.0, until)
            self.sight.proved("inbox", moment)
        self.sight.proved("inbox", until)
        self.clock.moment = until

    def launch(self, sequence: int, at: float, key: RouteKey = KEY) -> None:
        probe = Probe(sequence, key, at, at, "a" * 66, 60.0, 3600.0)
        self.ledger.launched(Record(probe), Timeouts())

    def accept(self, sequence: int, at: float, key: RouteKey = KEY) -> None:
        self.launch(sequence, at, key)
        self.books.post(self.ledger.submitted(sequence, replace(ACCEPTED, ended=at)))


def test_what_is_given_up_together_is_counted_one_by_one() -> None:
    world = World(most=2)
    world.read(1000.0)
    for sequence in range(5):
        world.accept(sequence, 1000.0)
    world.read(1100.0)
    world.books.tick()
    assert world.books.level(KEY).overdue == 5
    world.read(4600.0 + WIDTH)
    world.books.tick()
    assert world.metrics.count("lost", KEY) == 5
    assert world.books.level(KEY).in_flight == 0
    [(mailbox, before, last)] = world.journal.given_up
    assert (mailbox, last) == ("corp", 2)
    assert 4600.0 <= before <= 4600.0 + WIDTH
