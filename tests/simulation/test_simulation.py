"""The simulated world does what it says, and the core hears of it as it would from the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from probe.core.allowance import RelayLimits
from probe.core.change import Arrived, Copied, Returned
from probe.core.component import Component, Kind
from probe.core.model import Phase, RouteKey
from probe.core.record import Bad
from probe.core.sight import Sight
from tests.simulation.archive import Archive
from tests.simulation.blank import Blank
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import EVERYTHING, Grid
from tests.simulation.prober import Mind
from tests.simulation.simulation import EPOCH, Simulation
from tests.simulation.world import Climate

CALM = Climate(failures=0.0)
THREE = Grid(1, 3, 1)
NODE = Component(Kind.NODE, "a", "a1")
MAILBOX = Component(Kind.MAILBOX, mailbox="m1")


class Watched:
    """A simulation whose detectors write down what they hear."""

    def __init__(self, *faults: Fault, grid: Grid = THREE, climate: Climate = CALM) -> None:
        self.minds: list[Blank] = []
        self.run = Simulation(grid, climate, seed=1, make_mind=self._make)
        self.run.world.strike(*faults)

    def _make(self, sights: Mapping[str, Sight], archive: Archive) -> Mind:
        self.minds.append(Blank())
        return Mind(self.minds[-1], lambda: {"x": (1.0,)})

    @property
    def mind(self) -> Blank:
        return self.minds[-1]

    def verdicts(self, seconds: float) -> dict[str, int]:
        self.run.until(seconds)
        return dict(self.run.diary.verdicts)

    def delays(self) -> list[float]:
        events = (event for change in self.mind.changes for event in change.events)
        return [event.seconds for event in events if isinstance(event, Arrived)]


def test_on_a_healthy_day_everything_is_good() -> None:
    watched = Watched()
    assert watched.verdicts(600.0) == {"good": 120}
    assert watched.run.diary.probes == 120
    assert sorted(watched.delays())[60] == pytest.approx(0.05, rel=0.4)


@pytest.mark.parametrize(
    ("ill", "verdict", "count"),
    [
        (Ill.HOLD, "overdue", 4),  # What is held for less than a minute is in time.
        (Ill.LOSE, "overdue", 8),
        (Ill.REFUSE_CONNECTIONS, "connect_refused", 8),
        (Ill.RESTART, "connect_refused", 8),
        (Ill.REFUSE, "temp_reject", 8),
        (Ill.DROP, "connect_timeout", 8),
        (Ill.BOUNCE, "bounced", 8),
    ],
)
def test_a_fault_shows_in_the_verdicts_of_its_routes(ill: Ill, verdict: str, count: int) -> None:
    """One node of three, for 120 s, at 15 s."""
    watched = Watched(Fault(NODE, ill, 60.0, 180.0))
    assert watched.verdicts(300.0)[verdict] == count
    bad = [c.record for c in watched.mind.changes if isinstance(c.record.verdict, Bad)]
    assert {record.probe.route.node for record in bad} == {"a1"}


def test_a_share_is_struck_at_random() -> None:
    watched = Watched(Fault(EVERYTHING, Ill.REFUSE, share=0.25))
    assert watched.verdicts(3600.0)["temp_reject"] == pytest.approx(180, rel=0.2)


def test_held_mail_comes_when_the_queue_moves_again() -> None:
    watched = Watched(Fault(NODE, Ill.HOLD, 60.0, 160.0))
    watched.run.until(170.0)
    late = sorted(seconds for seconds in watched.delays() if seconds > 2.0)
    assert len(late) in (6, 7)
    assert late[-1] > 85.0


def test_lost_mail_never_comes() -> None:
    watched = Watched(Fault(NODE, Ill.LOSE, 60.0, 160.0))
    watched.run.until(3600.0)
    assert max(watched.delays()) < 10.0


def test_a_late_greeting_is_told_as_it_begins_and_hides_nothing() -> None:
    watched = Watched(Fault(NODE, Ill.GREET_LATE))
    assert watched.verdicts(120.0)["good"] >= 22
    late = [a for a in watched.mind.attempts.values() if a.phases[1].seconds == 8.0]
    assert len(late) in (7, 8)
    moments = {s: moment for s, phase, moment in watched.mind.phases if phase is Phase.GREETING}
    launches = {probe.sequence: probe.launched for probe in watched.mind.probes}
    assert all(0 < moments[s] - launches[s] < 0.1 for s in moments)


def test_phases_are_told_in_order_and_none_is_left_out() -> None:
    watched = Watched()
    watched.run.until(60.0)
    for probe in watched.mind.probes:
        told = [(phase, moment) for s, phase, moment in watched.mind.phases if s == probe.sequence]
        attempt = watched.mind.attempts[probe.sequence]
        assert [phase for phase, _ in told] == [timed.phase for timed in attempt.phases]
        assert [moment for _, moment in told] == sorted(moment for _, moment in told)
        assert attempt.ended == pytest.approx(told[-1][1] + attempt.phases[-1].seconds)


def test_duplicates_and_bounces_are_seen() -> None:
    twice = Watched(Fault(NODE, Ill.DUPLICATE))
    back = Watched(Fault(NODE, Ill.BOUNCE))
    for watched, kind in ((twice, Copied), (back, Returned)):
        watched.run.until(120.0)
        events = [event for change in watched.mind.changes for event in change.events]
        assert sum(isinstance(event, kind) for event in events) == 8


def test_relays_back_off_from_a_dead_mailbox_and_nobody_is_judged_for_it() -> None:
    watched = Watched(Fault(MAILBOX, Ill.DEAD, 60.0, 360.0))
    assert set(watched.verdicts(1200.0)) == {"good", "unknown"}
    events = [e for c in watched.mind.changes for e in c.events if isinstance(e, Arrived)]
    first_back = min(e.sighting.seen - EPOCH for e in events if e.seconds > 60.0)
    assert first_back > 360.0
    assert max(watched.delays()) > 300.0


def test_confirmation_probes_are_sent_at_once_within_the_limit_of_the_relay() -> None:
    grid = Grid(1, 3, 1, limits=RelayLimits(per_minute=15))
    watched = Watched(grid=grid)
    watched.run.until(60.0)
    watched.mind.wishes += [RouteKey("a", "a1", "s1", "m1")] * 9
    watched.run.until(75.0)
    assert watched.run.diary.confirmations + watched.run.diary.denied == 9
    assert 1 <= watched.run.diary.confirmations <= 4
    sent = [probe for probe in watched.mind.probes if probe.confirmation]
    assert len(sent) == watched.run.diary.confirmations
    assert all(probe.slot == probe.launched for probe in sent)


def test_after_a_kill_what_was_on_its_way_is_taken_over() -> None:
    watched = Watched(Fault(NODE, Ill.HOLD, 60.0, 200.0))
    watched.run.until(100.0)
    watched.run.restart(down=5.0)
    watched.run.until(105.0)
    restored = [change.record for change in watched.mind.changes]
    assert {record.probe.route.node for record in restored} == {"a1"}
    assert watched.run.archive.stopped == EPOCH + 100.0
    watched.run.until(300.0)
    assert max(watched.delays()) > 100.0, "held mail of the first run, seen by the second"


def test_a_clock_that_is_set_leaves_the_timeline_alone_until_the_next_start() -> None:
    watched = Watched()
    watched.run.until(100.0)
    watched.run.set_clock(3600.0)
    watched.run.until(200.0)
    assert watched.mind.ticks[-1] <= EPOCH + 200.0
    assert watched.verdicts(300.0) == {"good": 60}
    watched.run.restart(down=5.0)
    watched.run.until(320.0)
    assert watched.mind.ticks[0] >= EPOCH + 3600.0 + 305.0
    assert watched.run.archive.stopped == EPOCH + 3600.0 + 300.0
    watched.run.until(600.0)
    assert set(watched.run.diary.verdicts) == {"good"}


def test_a_clock_that_is_set_while_nobody_runs_makes_unknown_what_is_on_its_way() -> None:
    watched = Watched(Fault(NODE, Ill.HOLD, 60.0, 200.0))
    watched.run.until(100.0)
    watched.run.restart(down=5.0)
    watched.run.until(102.0)
    watched.run.set_clock(-3600.0)
    watched.run.until(106.0)
    assert watched.run.diary.verdicts["unknown"] in (2, 3)
    watched.run.until(400.0)
    assert "overdue" in watched.run.diary.verdicts


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (Watched(Fault(NODE, Ill.REFUSE, share=0.5)) for _ in range(2))
    assert first.verdicts(3600.0) == second.verdicts(3600.0)
    assert first.mind.changes == second.mind.changes


def test_what_is_settled_is_forgotten() -> None:
    watched = Watched(climate=replace(CALM, failures=0.01))
    watched.run.until(3600.0)
    assert len(watched.run.archive.records) < 60
