"""What the last run left is taken up, and what is known without probes is told."""

from __future__ import annotations

from probe.core.component import Component, Fault, Kind, Named
from probe.core.detection.detector import REMEMBERED
from probe.core.incident import End, Grievance, Incident, Share
from tests.core.detection.world import CORP, N1, World

SURE = Share(0.7, 1.0)


def left(component: Component = N1, share: Share | None = SURE) -> World:
    """A prober that has begun anew, and what the last run left open."""
    faults = (Grievance(Fault.HOLDING, 900.0, confirmed=950.0),)
    incident = Incident("1", component, 910.0, 950.0, 900.0, faults, share=share)
    return World(incidents=[incident])


def test_an_incident_goes_on_after_a_restart_when_its_routes_are_in_force_again() -> None:
    world = left()
    assert world.tick(1000.0).incidents == (), "it is neither over nor another one"
    world.follow()
    for second in range(1, 200):
        world.tick(1000.0 + second)
    [still] = world.detector.open
    assert still.confirmed
    assert still.id == "1"


def test_an_incident_whose_node_is_gone_is_closed_in_time() -> None:
    world = left(Component(Kind.NODE, "pool", "gone"))
    world.follow()
    assert world.tick(1000.0).incidents == ()
    [closed] = world.tick(1001.0 + REMEMBERED).incidents
    assert closed.closed is not None


def test_a_node_that_is_taken_out_of_dns_ends_its_incident_at_once() -> None:
    world = left()
    world.follow()
    world.tick(1000.0)
    world.keys = [key for key in world.keys if key.node != "n1"]
    world.follow()
    [closed] = world.tick(1001.0).incidents
    assert closed.end is End.RETIRED


def test_what_was_known_without_probes_stays_until_it_is_known_anew() -> None:
    world = left(CORP, share=None)
    world.follow()
    world.tick(1000.0)
    world.detector.declare(CORP, (Named(Fault.UNREADABLE, 1001.0, ("no route",)),))
    told = world.tick(1002.0).incidents
    assert [one.id for one in told] == ["1"], "it is the same incident"
    world.detector.declare(CORP, ())
    [closed] = world.tick(1003.0).incidents
    assert (closed.id, closed.closed) == ("1", 1003.0)
