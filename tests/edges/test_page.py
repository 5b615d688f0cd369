"""What the status page says of incidents and components."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

import pytest

from probe.core.component import Component, Fault, Kind
from probe.core.incident import End, Grievance, Incident, Share
from probe.core.model import RouteKey, State
from probe.core.status import ComponentStatus, FaultStatus, RouteStatus, Status
from probe.edges.web.page import page

NOW = 1_795_316_765.0
RELAY = Component(Kind.RELAY, relay="pool")
BACKUP = Component(Kind.RELAY, relay="backup")
NODE = Component(Kind.NODE, relay="pool", node="192.0.2.12")
MAILBOX = Component(Kind.MAILBOX, mailbox="corp")
EITHER = Component(Kind.ROUTE, relay="pool", mailbox="corp")

HELD = Incident(
    id="1",
    component=NODE,
    opened=NOW - 114,
    changed=NOW - 114,
    since=NOW - 120,
    faults=(Grievance(Fault.HOLDING, NOW - 120, confirmed=NOW - 99),),
    share=Share(0.93, 1.0),
    evidence=tuple(f"line {number}" for number in range(9)),
    unaffected=("node pool/192.0.2.11: 9 probes on time lately",),
    standby=("backup",),
)
OVER = replace(HELD, id="0", closed=NOW - 60, end=End.RECOVERED)


def component(one: Component, state: State = State.OK, *faults: Fault) -> ComponentStatus:
    named = tuple(FaultStatus(fault, NOW - 200, evidence=("quota",)) for fault in faults)
    return ComponentStatus(one, state, NOW, named)


WELL = Status(State.OK, NOW, components=tuple(component(one) for one in (RELAY, BACKUP, NODE)))
DOWN = component(NODE, State.DOWN, Fault.HOLDING)
HOLDING = replace(WELL, components=(*WELL.components[:2], DOWN), incidents=(HELD,))


def text(status: Status) -> str:
    """The page as it is read: without tags, and with a space for what parts them."""
    body = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", page(status, NOW), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_an_open_incident_is_shown_with_all_that_helps() -> None:
    shown = text(HOLDING)
    for said in (
        "1 open incident Node pool/192.0.2.12 accepts mail and holds it",
        "Down · confirmed · for 2 min, since 03:04:05 UTC · 93 to 100 % of the probes fail",
        "Node pool/192.0.2.11 works. Standby relay backup works.",
        "line 0 line 1 line 2 line 3 line 4 line 5 3 older lines in the JSON",
    ):
        assert said in shown


def test_what_is_wrong_leads_to_what_to_do() -> None:
    full = component(MAILBOX, State.DEGRADED, Fault.FULL)
    shown = page(replace(HOLDING, components=(*HOLDING.components, full)), NOW, "https://a.example")
    links = re.findall(r'<a href="https://a\.example/runbooks/(\w+)">what to do</a>', shown)
    assert links == ["MailProbeNodeAtFault", "MailProbeMailboxAtFault"]


def test_a_tie_says_so() -> None:
    tie = replace(
        HELD, component=EITHER, alternatives=(RELAY, MAILBOX), faults=(Grievance(Fault.LATE, NOW),)
    )
    shown = text(replace(WELL, incidents=(tie,)))
    assert "Mail arrives late because of either relay pool or mailbox corp" in shown
    assert "not confirmed yet" in shown
    assert "Which of them cannot be told yet." in shown
    alike = text(replace(WELL, incidents=(replace(HELD, alternatives=(RELAY,)),)))
    assert "It cannot be told apart from relay pool." in alike


def test_what_is_wrong_without_an_incident_is_shown_too_and_nothing_twice() -> None:
    full = component(MAILBOX, State.DEGRADED, Fault.FULL)
    shown = text(replace(HOLDING, components=(*HOLDING.components, full)))
    assert "2 open incidents" in shown
    assert shown.index("Node pool/192.0.2.12 accepts") < shown.index("Mailbox corp is full")
    assert shown.count("Node pool/192.0.2.12 accepts mail and holds it") == 2  # Headline and card.
    assert "since 03:02:45 UTC · what to do quota" in shown


def test_every_component_has_its_state_in_a_word() -> None:
    shown = text(replace(HOLDING, standby=frozenset({"backup"})))
    assert "Relays pool OK backup OK standby" in shown, "what stands by comes last"
    assert "Nodes pool/192.0.2.12 Down holding" in shown


def test_a_combination_is_shown_while_it_is_at_fault() -> None:
    tie = replace(component(EITHER, State.DOWN, Fault.LATE), alternatives=(RELAY, MAILBOX))
    way = component(EITHER, State.DEGRADED, Fault.LATE)
    assert "Combinations" not in text(replace(WELL, components=(component(EITHER),)))
    assert "Combinations relay pool or mailbox corp Down late" in text(
        replace(WELL, components=(tie,))
    )
    assert "Combinations pool/corp Degraded late" in text(replace(WELL, components=(way,)))


def test_what_is_over_is_shown_with_how_long_it_took() -> None:
    many = tuple(replace(OVER, id=str(n), opened=NOW - n, closed=NOW - 60 - n) for n in range(20))
    shown = text(replace(WELL, incidents=many))
    assert "Holding Node pool/192.0.2.12 is well again after 60 s" in shown
    assert "the incident was confirmed. 60 s ago" in shown
    assert shown.count("is well again") == 10
    assert "open incident" not in shown


def test_a_standby_relay_is_marked_in_the_routes() -> None:
    routes = tuple(
        RouteStatus(RouteKey(relay, "n1", "shop", "corp"), State.OK, 0)
        for relay in ("pool", "backup")
    )
    shown = text(Status(State.OK, NOW, routes, standby=frozenset({"backup"})))
    assert "backup · shop → corp · standby" in shown
    assert "pool · shop → corp ·" not in shown


def test_a_page_of_very_much_stays_small() -> None:
    nodes = [Component(Kind.NODE, relay="pool", node=f"n{number}") for number in range(1000)]
    incidents = tuple(replace(HELD, component=node, evidence=("x" * 999,) * 20) for node in nodes)
    states = tuple(component(node, State.DOWN, Fault.HOLDING) for node in nodes)
    everything = Status(State.DOWN, NOW, components=states, incidents=incidents)
    assert "980 more, none worse, in the JSON." in text(everything)
    assert "900 more, none worse" in text(everything)
    assert len(page(everything, NOW)) < 100_000


@pytest.mark.parametrize("hostile", ["<script>x</script>", '"><img src=x>', "a\udc80\x00\u202e&"])
def test_hostile_evidence_stays_text(hostile: str) -> None:
    held = replace(HELD, evidence=(hostile,), unaffected=(hostile,), standby=(hostile,))
    way = replace(EITHER, node=hostile)
    over = replace(OVER, component=way)
    status = replace(HOLDING, incidents=(held, over), notices=(hostile,))
    shown = page(replace(status, components=(component(way, State.DOWN, Fault.LATE),)), NOW)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "\x00" not in shown
