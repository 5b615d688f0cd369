"""What the last run left is taken up, and what is known without probes is told."""

from __future__ import annotations

from probe.core.component import Component, Fault, Kind, Named
from probe.core.detection.baseline import Baselines
from probe.core.detection.detector import REMEMBERED, Detector
from probe.core.incident import End, Grievance, Incident, Share
from probe.core.model import Relay, Route, RouteKey
from probe.core.sight import Sight

NODE = Component(Kind.NODE, "pool", "n1")
CORP = Component(Kind.MAILBOX, mailbox="corp")
ROUTES = [Route(RouteKey("pool", f"n{n}", "shop", "corp"), 15.0, 60.0, 3600.0) for n in range(3)]
SURE = Share(0.7, 1.0)
RELAYS = {"pool": Relay("pool", "smtp.example", 25)}


def incident(component: Component = NODE, share: Share | None = SURE) -> Incident:
    faults = (Grievance(Fault.HOLDING, 900.0, confirmed=950.0),)
    return Incident("1", component, 910.0, 950.0, 900.0, faults, share=share)


def detector(*incidents: Incident) -> Detector:
    return Detector(
        {"corp": Sight(frozenset({"inbox"}), 0.0, None)}, Baselines(), incidents=incidents
    )


def test_an_incident_goes_on_after_a_restart_when_its_routes_are_in_force_again() -> None:
    watcher = detector(incident())
    assert watcher.tick(1000.0).incidents == (), "it is neither over nor another one"
    watcher.follow(ROUTES, RELAYS)
    for second in range(1, 200):
        watcher.tick(1000.0 + second)
    [still] = watcher.open
    assert still.confirmed
    assert still.id == "1"


def test_an_incident_whose_node_is_gone_is_closed_in_time() -> None:
    watcher = detector(incident(Component(Kind.NODE, "pool", "gone")))
    watcher.follow(ROUTES, RELAYS)
    assert watcher.tick(1000.0).incidents == ()
    [closed] = watcher.tick(1001.0 + REMEMBERED).incidents
    assert closed.closed is not None


def test_a_node_that_is_taken_out_of_dns_ends_its_incident_at_once() -> None:
    watcher = detector(incident())
    watcher.follow(ROUTES, RELAYS)
    watcher.tick(1000.0)
    watcher.follow([route for route in ROUTES if route.key.node != "n1"], RELAYS)
    [closed] = watcher.tick(1001.0).incidents
    assert closed.end is End.RETIRED


def test_what_was_known_without_probes_stays_until_it_is_known_anew() -> None:
    watcher = detector(incident(CORP, share=None))
    watcher.follow(ROUTES, RELAYS)
    watcher.tick(1000.0)
    watcher.declare(CORP, (Named(Fault.UNREADABLE, 1001.0, ("no route",)),))
    told = watcher.tick(1002.0).incidents
    assert [one.id for one in told] == ["1"], "it is the same incident"
    watcher.declare(CORP, ())
    [closed] = watcher.tick(1003.0).incidents
    assert (closed.id, closed.closed) == ("1", 1003.0)
