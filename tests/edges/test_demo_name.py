"""What the demo takes from the prober's pages as named."""

import pytest

from probe.core.component import Component, Fault, Kind
from probe.demo.name import Name, Names, names_of

WELL = {"kind": "node", "relay": "pool", "node": "node1", "sender": "", "mailbox": "", "flow": "",
        "state": "ok", "faults": [], "confirmed": False, "since": "2026-11-22T03:04:05Z",
        "failing_share": None, "alternatives": [], "evidence": []}  # fmt: skip
ILL = {
    **WELL,
    "state": "degraded",
    "faults": ["holding", "intermittent"],
    "evidence": ["7 messages are unanswered"],
}
INCIDENT = {
    "id": "1", "opened": "2026-11-22T03:04:05Z", "changed": "2026-11-22T03:04:05Z", "closed": None,
    "component": {label: WELL[label] for label in ("kind", "relay", "node", "sender", "mailbox",
                                                   "flow")},
    "faults": ["holding"], "failing_share": None, "alternatives": [], "evidence": ["one"],
    "unaffected": [], "standby": ["backup"],
}  # fmt: skip
NODE = Component(Kind.NODE, relay="pool", node="node1")
BOTH = (Fault.HOLDING, Fault.INTERMITTENT)


def test_what_is_well_is_not_named() -> None:
    assert names_of({"components": [WELL]}, []) == Names()


def test_a_component_with_faults_is_named_with_its_evidence() -> None:
    evidence = ("7 messages are unanswered",)
    assert names_of({"components": [WELL, ILL]}, []).standing == (
        Name(NODE, BOTH, evidence=evidence),
    )


def test_a_component_with_alternatives_is_undecided() -> None:
    ill = {**ILL, "alternatives": [{"kind": "mailbox", "mailbox": "corp"}]}
    (name,) = names_of({"components": [ill]}, []).standing
    assert not name.decided


@pytest.mark.parametrize("closed", [None, "2026-11-22T03:05:05Z"])
def test_every_incident_was_named_over_or_not(closed: str | None) -> None:
    names = names_of({"components": [WELL]}, [{**INCIDENT, "closed": closed}])
    assert names.standing == ()
    assert [(name.component, name.faults) for name in names.ever] == [(NODE, (Fault.HOLDING,))]


def test_the_incident_tells_which_standby_works() -> None:
    (name,) = names_of({"components": [ILL]}, [INCIDENT]).standing
    assert name.standby == ("backup",)
