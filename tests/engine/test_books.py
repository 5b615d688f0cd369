"""What the ledger decides is saved and counted."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from probe.core.attic import WIDTH
from probe.core.ledger import Ledger
from probe.core.model import (
    AuthResult,
    Bounce,
    Folder,
    HopDelay,
    HopKind,
    Part,
    Place,
    Probe,
    RouteKey,
    Sighting,
    Timeouts,
)
from probe.core.record import Record
from probe.core.sight import Sight
from probe.core.standstill import Standstill
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

    def launch(
        self, sequence: int, at: float, key: RouteKey = KEY, *, confirmation: bool = False
    ) -> None:
        probe = Probe(sequence, key, at, at, "a" * 66, 60.0, 3600.0, confirmation)
        self.ledger.launched(Record(probe), Timeouts())

    def accept(
        self, sequence: int, at: float, key: RouteKey = KEY, *, confirmation: bool = False
    ) -> None:
        self.launch(sequence, at, key, confirmation=confirmation)
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


# ---- confirmation probes


def a_confirmation() -> World:
    """A world with one confirmation probe that was accepted at 1000.5."""
    world = World()
    world.read(1000.0)
    world.accept(1, 1000.5, confirmation=True)
    return world


def seen(
    world: World, at: float, *, sequence: int = 1, uid: int = 1, folder: Folder = Folder.INBOX
) -> None:
    """The message arrives, with all that a message can tell."""
    sighting = Sighting(
        sequence=sequence,
        token="a" * 66,
        place=Place("corp", folder.value, 1, uid),
        folder=folder,
        seen=at,
        altered=frozenset({Part.BODY}) if folder is Folder.JUNK else frozenset(),
        hops=(HopDelay(HopKind.TRANSIT, 0.2),),
        authentication=(AuthResult("spf", "pass"),),
    )
    world.read(at)
    world.books.post([world.ledger.sighted(sighting, world.journal.records[sequence])])


def returned(world: World, at: float) -> None:
    bounce = Bounce(1, Place("back", "INBOX", 1, 9), at, "failed", "5.1.1")
    world.books.post([world.ledger.bounced(bounce, world.journal.records[1])])


def waited(world: World, until: float) -> None:
    """Nothing comes."""
    for moment in (1100.0, until):
        world.read(moment)
        world.books.tick()


def blind(world: World) -> None:
    world.sight.blinded("inbox", 1001.0)
    waited(world, 1200.0)


FATES: list[tuple[Callable[[World], None], dict[tuple[str, ...], int]]] = [
    (lambda w: seen(w, 1001.0), {("confirmed", "ok=True"): 1}),
    (lambda w: seen(w, 1001.0, folder=Folder.JUNK), {("confirmed", "ok=False"): 1}),
    (lambda w: waited(w, 1200.0), {("confirmed", "ok=False"): 1}),
    (
        lambda w: waited(w, 5000.0),
        {("confirmed", "ok=False"): 1, ("lost", "confirmation=True"): 1},
    ),
    (
        lambda w: (waited(w, 1200.0), seen(w, 1300.0)),
        {("confirmed", "ok=False"): 1, ("late",): 1},
    ),
    (
        lambda w: (seen(w, 1001.0), seen(w, 1002.0, uid=2)),
        {("confirmed", "ok=True"): 1, ("duplicate",): 1},
    ),
    (
        lambda w: returned(w, 1001.0),
        {("confirmed", "ok=False"): 1, ("bounced", "5.1.1"): 1},
    ),
    (blind, {}),
]


@pytest.mark.parametrize(("fate", "counted"), FATES)
def test_a_confirmation_probe_is_counted_by_its_own_verbs_only(
    fate: Callable[[World], None], counted: dict[tuple[str, ...], int]
) -> None:
    world = a_confirmation()
    assert world.books.level(KEY).in_flight == 1
    fate(world)
    expected = {(verb, str(KEY), *more): n for (verb, *more), n in counted.items()}
    assert world.metrics.calls == expected
    assert list(world.books.histories[KEY].verdicts) == []
    level = world.books.level(KEY)
    assert (level.undecided, level.last_success) == (0, 1000.0), "it began at 1000"


def test_a_confirmation_probe_in_flight_is_overdue_and_unanswered_like_any_other() -> None:
    world = World()
    world.read(1000.0)
    world.accept(1, 1001.0, confirmation=True)
    world.accept(2, 1002.0)
    waited(world, 1200.0)
    level = world.books.level(KEY)
    assert (level.in_flight, level.overdue, level.oldest_unanswered) == (2, 2, 1001.0)
    assert world.ledger.levels.mailbox("corp").expected == 2


def test_confirmation_probes_among_those_given_up_together_are_told_apart() -> None:
    world = World(most=2)
    world.read(1000.0)
    for sequence in range(6):
        world.accept(sequence, 1000.0, confirmation=sequence % 2 == 0)
    world.read(1100.0)
    world.books.tick()
    seen(world, 1101.0)
    seen(world, 1101.0, sequence=2)
    world.read(4600.0 + WIDTH)
    world.books.tick()
    assert world.metrics.count("lost", KEY, "confirmation=False") == 2
    assert world.metrics.count("lost", KEY, "confirmation=True") == 2


@pytest.mark.parametrize(("seconds", "blind"), [(5.0, False), (20.0, True)])
def test_after_a_long_standstill_nobody_knows_when_what_came_then_came(
    seconds: float, blind: bool
) -> None:
    world = World()
    world.read(1000.0)
    world.clock.standstill = Standstill(1000.0, seconds)
    for _ in range(3):
        world.books.tick()
    assert world.sight.blind is blind
    assert world.metrics.count("lagged") == 1
