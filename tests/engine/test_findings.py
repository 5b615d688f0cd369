"""What is wrong with mailboxes is known from its beginning to its end."""

from dataclasses import replace

from probe.core.model import Bounce, Folder, Place, Probe, Reply, State
from probe.core.quota import Quota
from probe.core.sight import Sight
from probe.engine.findings import Findings
from tests.engine.world import ACCEPTED, KEY, FakeMetrics
from tests.hand_turned import HandTurnedClock

REFUSED = replace(ACCEPTED, reply=Reply(452, "4.2.2", "mailbox full"))


class World:
    def __init__(self) -> None:
        self.clock, self.metrics = HandTurnedClock(1000.0), FakeMetrics()
        self.sights = {"corp": self.sight()}
        self.findings = Findings(self.sights, clock=self.clock)

    def sight(self) -> Sight:
        sight = Sight(frozenset({"inbox"}), 0.0, None)
        sight.proved("inbox", 999.0)
        return sight

    def probe(self, launched: float) -> Probe:
        return Probe(1, KEY, launched, launched, "a" * 66, 60.0, 3600.0)

    def state(self) -> State:
        self.findings.refresh()
        [corp] = self.findings.components()
        return corp.state


def test_a_refusal_and_an_arrival_are_its_beginning_and_its_end() -> None:
    world = World()
    for launched in (1000.0, 1001.0):
        world.findings.answered(world.probe(launched), REFUSED)
    assert world.findings.is_full("corp")
    world.clock.moment += 60
    [corp] = world.findings.components()
    assert corp.faults[0].confirmed
    assert "452 4.2.2 mailbox full" in corp.faults[0].evidence[0]
    world.findings.arrived(world.probe(1050.0))
    assert not world.findings.is_full("corp")


def test_a_bounce_is_evidence_and_other_bounces_are_none() -> None:
    world = World()
    place = Place("back", "INBOX", 1, 1)
    bounce = Bounce(1, place, 1001.0, "failed", "5.1.1", "nobody")
    world.findings.returned(world.probe(1000.0), bounce)
    assert world.state() is State.OK
    full = replace(bounce, status="5.2.2", text="full")
    world.findings.returned(world.probe(1000.0), full)
    assert world.state() is State.DEGRADED
    [corp] = world.findings.components()
    assert corp.faults[0].evidence == ("DSN failed 5.2.2 full",)


def test_a_mailbox_that_cannot_be_read_is_down() -> None:
    world = World()
    for _ in range(2):
        world.sights["corp"].blinded("inbox", 1000.0)
        world.findings.failed("corp", Folder.INBOX, "connection refused")
    assert world.state() is State.DOWN


def test_what_is_not_configured_any_more_is_forgotten() -> None:
    world = World()
    world.findings.measured("corp", Quota(1.0))
    world.sights["corp"] = world.sight()
    assert world.state() is State.OK, "another mailbox has taken its name"
    del world.sights["corp"]
    world.findings.refresh()
    world.findings.answered(world.probe(1000.0), REFUSED)
    assert world.findings.components() == ()
