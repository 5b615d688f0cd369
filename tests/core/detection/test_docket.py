"""Incidents open, change and close once each, and keep what is known of them."""

from probe.core.component import Component, Fault, Kind
from probe.core.detection.docket import Accusation, Docket
from probe.core.incident import End, Grievance
from tests.core.detection.world import N1, N2, RELAY


def accusation(component: Component = N1, **changes: object) -> Accusation:
    known: dict[str, object] = {
        "since": 90.0,
        "faults": (Grievance(Fault.HOLDING, 90.0),),
        "evidence": ("12:00:00 pool/n1/shop/corp: accepted, and not there 9 s later",),
    }
    return Accusation(component, **(known | changes))  # type: ignore[arg-type]


def test_an_incident_opens_and_closes_as_a_blip() -> None:
    docket = Docket()
    docket.accuse([accusation()], 100.0)
    [opened] = docket.told()
    assert (opened.component, opened.opened, opened.since) == (N1, 100.0, 90.0)
    docket.accuse([accusation()], 101.0)
    assert docket.told() == (), "nothing has changed"
    docket.accuse([], 130.0)
    [closed] = docket.told()
    assert (closed.id, closed.closed, closed.end) == (opened.id, 130.0, End.BLIP)
    assert docket.open == {}


def test_a_confirmed_one_recovers() -> None:
    docket = Docket()
    confirmed = (Grievance(Fault.HOLDING, 90.0, confirmed=120.0),)
    docket.accuse([accusation()], 100.0)
    docket.accuse([accusation(faults=confirmed)], 120.0)
    docket.accuse([], 200.0)
    [told] = docket.told()
    assert told.end is End.RECOVERED, "what is asked for late is told as it is now"


def test_what_was_confirmed_before_a_restart_is_not_confirmed_a_second_time() -> None:
    before = Docket()
    before.accuse([accusation(faults=(Grievance(Fault.HOLDING, 90.0, confirmed=120.0),))], 120.0)
    after = Docket(before.told())
    after.accuse([accusation(faults=(Grievance(Fault.HOLDING, 130.0),))], 130.0)
    assert after.told() == ()
    (incident,) = after.open.values()
    assert incident.faults == (Grievance(Fault.HOLDING, 90.0, confirmed=120.0),)


def test_what_is_confirmed_of_a_part_is_not_yet_so_of_the_whole() -> None:
    docket = Docket()
    docket.accuse([accusation(faults=(Grievance(Fault.HOLDING, 90.0, confirmed=120.0),))], 120.0)
    docket.rename(N1, RELAY, 130.0)
    docket.accuse([accusation(RELAY)], 130.0)
    assert not docket.open[RELAY].confirmed


def test_it_may_turn_out_to_be_another_component_and_stays_the_same_incident() -> None:
    docket = Docket()
    docket.accuse([accusation()], 100.0)
    [first] = docket.told()
    docket.rename(N1, RELAY, 105.0)
    docket.accuse([accusation(RELAY)], 105.0)
    [then] = docket.told()
    assert (then.id, then.component, then.opened) == (first.id, RELAY, 100.0)


def test_two_that_turn_out_to_be_one_are_merged() -> None:
    docket = Docket()
    docket.accuse([accusation(), accusation(N2)], 100.0)
    docket.told()
    docket.rename(N1, RELAY, 105.0)
    docket.rename(N2, RELAY, 105.0)
    ends = {one.component: one.end for one in docket.told()}
    assert ends == {RELAY: None, N2: End.MERGED}


def test_the_first_evidence_is_kept_and_no_probe_is_told_of_twice() -> None:
    docket = Docket()
    docket.accuse([accusation()], 100.0)
    later = tuple(f"12:01:{n:02} pool/n1/shop/corp: 550 no" for n in range(30, 0, -1))
    docket.accuse([accusation(evidence=later)], 160.0)
    older = ("12:01:30 pool/n1/shop/corp: accepted, and not there 12 s later", *later[1:])
    docket.accuse([accusation(evidence=older)], 161.0)
    evidence = docket.open[N1].evidence
    assert evidence[0] == older[0]
    assert evidence[-1].startswith("12:00:00")
    assert len({line.partition(": ")[0] for line in evidence}) == len(evidence)


def test_no_two_incidents_have_the_same_id() -> None:
    docket = Docket()
    components = [Component(Kind.NODE, "pool", f"n{n}") for n in range(5)]
    docket.accuse([accusation(one) for one in components], 100.0)
    assert len({one.id for one in docket.told()}) == 5
