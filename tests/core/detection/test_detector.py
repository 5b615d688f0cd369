"""The detector as a whole, on a handful of probes: whom it names, and what it must not take in."""

from __future__ import annotations

from dataclasses import replace

from probe.core.change import Change, Judged
from probe.core.component import Component, Fault, Kind
from probe.core.detection.accusation import tie_of
from probe.core.detection.baseline import Baselines
from probe.core.detection.burst import SIZE
from probe.core.detection.case import Case
from probe.core.detection.cases import Cases
from probe.core.detection.docket import Docket
from probe.core.detection.history import History
from probe.core.detection.lesson import Lessons
from probe.core.detection.observation import EVERYBODY
from probe.core.detection.topology import Topology
from probe.core.incident import Grievance, Incident, Share
from probe.core.model import (
    Phase,
    PhaseTime,
    Probe,
    Reason,
    Reply,
    Route,
    RouteKey,
    UnknownCause,
)
from probe.core.record import Bad, Record, Unknown
from tests.core.detection.world import CLOSED, CORP, N1, N3, REFUSED, RELAY, TAKEN, World, in_turn


def test_the_only_learned_node_may_be_named_before_it_has_greeted_again() -> None:
    world = World(nodes=[""])
    world.follow()
    for moment in range(10):
        world.came(world.sent(moment, node="", learned="n1"), moment)
    for moment in range(20, 40):
        world.sent(moment, CLOSED, node="")
        world.tick(moment + 0.5)
    (incident,) = world.detector.open
    assert [one.fault for one in incident.faults] == [Fault.UNREACHABLE]


def test_a_tie_covers_all_that_it_may_be() -> None:
    """No route goes through the members of all: told by those alone it would have no fault."""
    baselines = Baselines()
    lessons = Lessons(baselines)
    history = History({}, baselines, lessons)
    cases = Cases(history, lessons, Docket(), wall=lambda now: now, changed=lambda: None)
    keys = [RouteKey("pool", "n1", "shop", "corp"), RouteKey("spare", "n2", "shop", "home")]
    cases.follow(Topology([Route(key, 15.0, 60.0, 600.0) for key in keys]), {})
    contenders = (CORP, Component(Kind.RELAY, relay="spare"))
    tie = Case(tie_of(contenders), 0.0, 0.0, EVERYBODY, alternatives=contenders, tie=True)
    assert cases.extent(tie) == frozenset(keys)


def test_that_it_is_missing_is_known_when_it_is_overdue_though_it_was_taken_slowly() -> None:
    """Else what a slow node holds would always be too old to be confirmed."""
    baselines = Baselines()
    history = History({}, baselines, Lessons(baselines))
    probe = Probe(1, RouteKey("pool", "n1", "shop", "corp"), 0.0, 0.0, "", 60.0, give_up=600.0)
    history.launched(probe)
    slowly = replace(TAKEN, phases=(PhaseTime(Phase.GREETING, 50.0),), ended=50.0)
    history.attempted(1, slowly, "")
    (one,) = history.observations
    assert one.failure and (one.failure.fault, one.known) == (Fault.SLOW, 50.0)
    history.changed(Change(Record(probe, accepted=50.0), (Judged(Bad(Reason.OVERDUE)),)))
    assert (one.failure.fault, one.known) == (Fault.HOLDING, 110.0)


def test_what_a_blind_mailbox_held_back_accuses_nobody_when_it_is_back() -> None:
    world = World()
    world.follow()
    for moment in range(100, 160):
        world.read(moment)
        world.came(world.sent(moment), moment)
    world.sights["corp"].blinded("inbox", 160.0)
    held = []
    for number in range(200):
        moment = 160.0 + 5 * number
        held.append(world.sent(moment, node=in_turn(number)))
        if number % 31 == 15:  # As seldom as it happens.
            world.sent(moment + 1, REFUSED, node=in_turn(number))
        world.tick(moment + 2)
        assert world.named == []
    world.read(1200.0)
    for record in held:
        world.came(record, 1200.0, Unknown(UnknownCause.MAILBOX_UNREADABLE))
    world.tick(1201.0)
    world.tick(1202.0)
    assert world.named == []


def test_how_long_a_message_lay_in_a_blind_mailbox_is_not_learned() -> None:
    world = World()
    world.follow()
    for moment in range(100, 350):
        world.read(moment)
        world.came(world.sent(moment), moment + 0.1)
    world.sights["corp"].blinded("inbox", 350.0)
    held = [world.sent(350.0 + number) for number in range(100)]
    world.read(1200.0)
    for record in held:
        world.came(record, 1200.0, Unknown(UnknownCause.MAILBOX_UNREADABLE))
    world.tick(1500.0)
    assert world.baselines.outstanding("pool", "corp", 60.0) < 0.001


def test_a_relay_that_takes_mail_again_is_well_though_the_mailbox_is_blind() -> None:
    world = World()
    world.follow()
    world.all_well(100, 160)
    for moment in range(160, 180):
        world.sent(moment, CLOSED, node=in_turn(moment))
        world.tick(moment + 0.5)
    assert world.named == [RELAY]
    world.sights["corp"].blinded("inbox", 180.0)
    for moment in range(181, 221):
        world.sent(moment, node=in_turn(moment))
        world.tick(moment + 0.5)
    assert world.named == []


def test_what_lies_in_a_blind_mailbox_and_is_returned_is_told_of_all_the_same() -> None:
    world = World(mailboxes=["corp", "back"])
    world.follow()
    world.all_well(100, 130)
    world.sights["corp"].blinded("inbox", 130.0)
    sent = [world.sent(130.0 + number, node="n1") for number in range(20)]
    world.tick(151.0)
    for record in sent[:3]:
        world.returned(record, 152.0, "5.1.1", "no", to="back")
    for moment in range(152, 170):
        world.tick(moment)
    assert [one.fault for case in world.detector.open for one in case.faults] == [Fault.BOUNCING]


def test_what_lay_in_a_mailbox_is_looked_for_when_it_can_be_read_again() -> None:
    world = World()
    world.follow()
    world.all_well(100, 130)
    world.sights["corp"].blinded("inbox", 130.0)
    world.sent(131.0)
    assert world.tick(135.0).asks == ()
    world.sights["corp"].proved("inbox", 140.0)
    world.sights["corp"].came(("pool", "n1"), 141.0, 141.0)
    world.sent(142.0)
    world.read(150.0)
    assert world.tick(150.0).asks == ("corp",)


def left_open(component: Component, **told: object) -> Incident:
    """What the last run says of a fault that was confirmed."""
    known: dict[str, object] = {
        "faults": (Grievance(Fault.HOLDING, -100.0, confirmed=-50.0),),
        "share": Share(0.9, 1.0),
    }
    return Incident("1", component, -90.0, -50.0, -100.0, **(known | told))  # type: ignore[arg-type]


def test_an_incident_of_the_last_run_goes_on_though_its_node_joins_later() -> None:
    world = World(incidents=[left_open(N1)])
    world.tick(1.0)
    world.follow()
    for moment in range(2, 200):
        world.tick(moment)
    (incident,) = world.detector.open
    assert (incident.id, incident.component, incident.confirmed) == ("1", N1, True)


def test_what_could_not_be_told_apart_in_the_last_run_is_found_out_anew() -> None:
    tie = Component(Kind.ROUTE, relay="pool", node="n1", mailbox="corp")
    grievance = Grievance(Fault.HOLDING, -100.0)
    left = left_open(tie, faults=(grievance,), alternatives=(N1, CORP))
    world = World(incidents=[left])
    world.follow()
    world.tick(1.0)
    (incident,) = world.detector.open
    assert incident.alternatives == (N1, CORP), "for a while it is taken for true"
    for moment in range(2, 30):
        world.sent(moment, REFUSED, node="n1")
        world.came(world.sent(moment, node="n2"), moment)
        world.tick(moment + 0.5)
    assert N1 in world.named


def test_a_bounce_that_says_the_mailbox_is_full_accuses_nobody_else() -> None:
    world = World()
    world.follow()
    for moment in range(100, 110):
        world.returned(world.sent(moment), moment + 1, "5.2.2", "quota")
        world.tick(moment + 1.5)
    (incident,) = world.detector.open
    assert (incident.component, incident.faults[0].fault) == (CORP, Fault.FULL)


def test_what_a_long_fault_left_behind_does_not_bring_it_back() -> None:
    world = World()
    world.follow()
    for number in range(9000):
        world.sent(100.0 + number / 50, REFUSED, node=in_turn(number))
    world.tick(280.0)
    world.read(300.0)
    for number in range(60):
        world.came(world.sent(300.0 + number, node=in_turn(number)), 300.0 + number)
        world.tick(300.5 + number)
    assert world.named == []
    assert len({incident.id for incident in world.tick(361.0).incidents}) == 0


def test_a_node_gets_its_burst_while_a_mailbox_is_at_fault() -> None:
    world = World(mailboxes=["corp", "home"])
    world.follow()
    for moment in range(100, 160):
        world.sent(moment, REFUSED, node=in_turn(moment), to="home")
        world.came(world.sent(moment, node=in_turn(moment)), moment)
        world.tick(moment + 0.5)
    assert world.named == [Component(Kind.MAILBOX, mailbox="home")]
    world.sent(160.0, CLOSED, node="n1")
    ticks = [world.tick(160.5 + number / 2) for number in range(12)]
    burst = [key for tick in ticks for key in tick.wishes if key.node == "n1"]
    assert sum(key.mailbox == "corp" for key in burst) >= 3


def test_what_is_left_of_a_wide_fault_is_the_node_that_still_fails_whatever_its_name() -> None:
    """Both relays have an n1: the one that is well again is not the other one."""
    world = World(nodes=["n1", "n2"], relays=["pool", "spare"])
    world.follow()
    for moment in range(100, 130):
        for key in world.keys:
            world.sent(moment, REFUSED, key.node, relay=key.relay)
        world.tick(moment + 0.5)
    assert world.named == [CORP]
    left, rechecked = RouteKey("spare", "n1", "shop", "corp"), set[RouteKey]()
    for moment in range(130, 150):
        for key in world.keys:
            if key == left:
                world.sent(moment, REFUSED, key.node, relay=key.relay)
            else:
                world.came(world.sent(moment, TAKEN, key.node, relay=key.relay), moment)
        rechecked.update(world.tick(moment + 0.5).wishes)
    assert world.named == [Component(Kind.NODE, relay="spare", node="n1")]
    assert rechecked == {left}


def test_what_may_be_at_fault_gets_less_as_more_is_known_until_one_is_left() -> None:
    world = World(mailboxes=["corp", "home"])
    world.follow()
    moment = 100
    for moment in range(100, 118):
        world.sent(moment, REFUSED, node="n1")
        world.tick(moment + 0.5)
    (tie,) = world.detector.open
    assert {CORP, N1} <= {*tie.alternatives}
    while CORP in world.detector.open[0].alternatives:
        moment += 1
        world.came(world.sent(moment, node=f"n{moment % 2 + 2}"), moment)
        world.tick(moment + 0.5)
        assert moment < 200, "the mailbox is well with other nodes, and it is never said"
    assert N1 in world.detector.open[0].alternatives, "of the node nothing more is known"
    while world.named != [N1]:
        moment += 1
        world.sent(moment, REFUSED, node="n1", to="home")
        world.tick(moment + 0.5)
        assert moment < 300, "it is never named alone"
    (incident,) = world.detector.open
    assert (incident.id, incident.alternatives) == (tie.id, ())


def test_what_turns_out_to_be_as_likely_is_told_of_as_well() -> None:
    world = World(mailboxes=["corp", "home"])
    world.follow()
    for moment in range(100, 118):
        world.sent(moment, REFUSED, node="n1")
        world.came(world.sent(moment, node="n2"), moment)
        world.tick(moment + 0.5)
    (tie,) = world.detector.open
    assert N1 in tie.alternatives and CORP not in tie.alternatives
    told = set[Component]()
    for moment in range(118, 136):
        world.sent(moment, REFUSED, node="n3")
        told.update(*(one.alternatives for one in world.tick(moment + 0.5).incidents))
    assert N3 in told


def test_a_suspicion_gets_its_burst_when_the_relay_throttles_no_longer() -> None:
    world = World()
    world.follow()
    busy = replace(CLOSED, reply=Reply(421, "4.7.0", "too many"), broken=None)
    world.sent(100.0, busy, node="n1")
    for half in range(100):
        assert not world.tick(100.5 + half / 2).wishes, "not while it says that we are too many"
    world.sent(161.0, CLOSED, node="n1")
    wishes = [key for half in range(60) for key in world.tick(161.5 + half / 2).wishes]
    assert sum(key.node == "n1" for key in wishes) == SIZE


def test_a_suspicion_gets_its_burst_though_at_first_nothing_may_be_sent() -> None:
    world = World()
    world.follow()
    world.sent(100.0, CLOSED, node="n1")
    for half in range(60):
        for key in world.tick(100.5 + half / 2).wishes:
            world.detector.denied(key)
    wishes = [key for half in range(60) for key in world.tick(130.5 + half / 2).wishes]
    assert sum(key.node == "n1" for key in wishes) == SIZE


def test_it_is_over_behind_a_balancer_when_its_nodes_greet_again() -> None:
    """Who refused a connection is not known, only that it was behind this address."""
    world = World(nodes=[""])
    world.follow()
    for moment in range(10):
        world.came(world.sent(moment, node="", learned=f"n{moment % 2}"), moment)
    for moment in range(20, 40):
        world.sent(moment, CLOSED, node="")
        world.tick(moment + 0.5)
    assert world.named
    for moment in range(40, 60):
        world.came(world.sent(moment, node="", learned=f"n{moment % 2}"), moment)
        world.tick(moment + 0.5)
    assert not world.named
