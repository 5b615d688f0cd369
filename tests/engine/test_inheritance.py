"""A restart forgets nothing of what matters, and makes nothing look younger than it is."""

from dataclasses import replace

from probe.core.model import Probe, RouteKey
from probe.core.record import Record
from probe.engine.inheritance import inherit
from probe.engine.learner import Learner
from probe.ports import Remembered
from tests.engine.test_roster import World
from tests.engine.world import KEY, NODE

NOTHING = Remembered((), {}, {}, 900.0, False)


def inherited(remembered: Remembered) -> World:
    world = World()
    inherit(
        remembered,
        roster=world.roster,
        learner=Learner([], books=world.books, metrics=world.metrics, clock=world.clock),
        books=world.books,
        journal=world.journal,
        metrics=world.metrics,
    )
    world.roster.joined(NODE)
    return world


def in_flight(sequence: int, at: float, key: RouteKey = KEY) -> Record:
    return Record(Probe(sequence, key, at, at, "", 60.0, 3600.0), accepted=at, ended=True)


def test_a_route_that_never_succeeded_is_as_old_as_it_is() -> None:
    assert inherited(replace(NOTHING, began={KEY: 300.0})).books.level(KEY).last_success == 300.0
    assert inherited(NOTHING).books.level(KEY).last_success == 1000.0
    stepped = inherited(replace(NOTHING, began={KEY: 9e9}))
    assert stepped.books.level(KEY).last_success == 1000.0


def test_what_had_been_overtaken_before_the_restart_is_not_unanswered() -> None:
    world = inherited(
        replace(NOTHING, open=(in_flight(1, 500.0), in_flight(2, 980.0)), last_success={KEY: 950.0})
    )
    level = world.books.level(KEY)
    assert (level.in_flight, level.last_success) == (2, 950.0)
    assert level.oldest_unanswered == 980.0


def test_what_is_not_configured_any_more_accuses_nobody_and_is_waited_for() -> None:
    gone = replace(KEY, sender="gone")
    world = inherited(replace(NOTHING, open=(in_flight(1, 980.0, gone),), last_success={gone: 9.0}))
    assert world.metrics.count("scheduled", gone) == 1
    assert world.metrics.count("unknown", gone, "config") == 1
    assert world.books.level(gone).in_flight == 1
    assert [route.key for route in world.overview.status().routes] == [KEY]
    world.read(980.0 + 3600.0)
    world.books.tick()
    world.forget()
    assert world.metrics.count("lost", gone) == 1
    assert set(world.books.histories) == {KEY}


def test_a_confirmation_probe_was_never_scheduled() -> None:
    left = in_flight(1, 1001.0)
    left = replace(left, probe=replace(left.probe, confirmation=True))
    cut = Record(replace(left.probe, sequence=2))
    world = inherited(replace(NOTHING, open=(left, cut)))
    assert world.metrics.count("scheduled") == 0
    assert world.books.level(KEY).undecided == 0
    assert world.books.level(KEY).in_flight == 2
    world.read(1001.0 + 3700.0)
    world.books.tick()
    assert world.metrics.count("confirmed", KEY, "ok=False") == 1
    assert world.metrics.count("unknown") == world.metrics.count("judged") == 0


def test_what_is_on_its_way_to_a_mailbox_that_nobody_reads_is_let_go() -> None:
    gone = replace(KEY, mailbox="gone")
    world = inherited(replace(NOTHING, open=(in_flight(1, 980.0, gone),)))
    assert world.metrics.count("scheduled") == world.metrics.count("unknown") == 0
    assert world.journal.records[1].settled
    assert set(world.books.histories) == {KEY}
