"""What people read about an incident."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.core.component import Component, Fault, Kind
from probe.core.duration import in_words
from probe.core.incident import End, Grievance, Incident, Share
from probe.core.sentence import complaint, listed, subject, told

SINCE = 1_795_316_645.678  # 2026-11-22 03:04:05 UTC
PROBER = Component(Kind.PROBER)
RELAY = Component(Kind.RELAY, relay="pool")
NODE = Component(Kind.NODE, relay="pool", node="192.0.2.12")
SENDER = Component(Kind.SENDER, sender="shop")
MAILBOX = Component(Kind.MAILBOX, mailbox="corp")
WAY = Component(Kind.ROUTE, relay="pool", node="192.0.2.12", sender="shop", mailbox="corp")
EITHER = Component(Kind.ROUTE, relay="pool", mailbox="corp")

HELD = Incident(
    id="1",
    component=NODE,
    opened=SINCE + 6,
    changed=SINCE + 6,
    since=SINCE,
    faults=(Grievance(Fault.HOLDING, SINCE),),
    share=Share(0.934, 1.0),
    evidence=("03:04:05 pool/192.0.2.12/shop/corp: 250 OK, and it is not there 6 s later", "older"),
    unaffected=("node pool/192.0.2.11: 9 probes on time lately", "node pool/2001:db8::1"),
    standby=("backup",),
)
TIED = replace(HELD, component=EITHER, alternatives=(RELAY, MAILBOX), unaffected=(), standby=())


def confirmed(incident: Incident, moment: float) -> Incident:
    faults = tuple(replace(one, confirmed=moment) for one in incident.faults)
    return replace(incident, faults=faults, changed=moment)


@pytest.mark.parametrize(
    ("component", "faults", "sentence"),
    [
        (NODE, [Fault.HOLDING], "Node pool/192.0.2.12 accepts mail and holds it"),
        (NODE, [Fault.UNREACHABLE], "Node pool/192.0.2.12 does not answer"),
        (
            NODE,
            [Fault.REFUSING, Fault.INTERMITTENT],
            "Node pool/192.0.2.12 sometimes refuses mail",
        ),
        (RELAY, [Fault.SLOW, Fault.LATE], "Relay pool accepts mail slowly and delivers mail late"),
        (RELAY, [Fault.INTERMITTENT], "Relay pool fails now and then"),
        (MAILBOX, [Fault.UNREADABLE, Fault.FULL], "Mailbox corp cannot be read and is full"),
        (MAILBOX, [Fault.BOUNCING], "Mail to mailbox corp bounces"),
        (SENDER, [Fault.REFUSING], "Mail from sender shop is refused"),
        (SENDER, [Fault.DNS], "Mail from sender shop is at risk by a fault in its DNS"),
        (PROBER, [Fault.UNREACHABLE], "The prober itself reaches nobody"),
        (
            WAY,
            [Fault.MISFILING],
            "Mail from sender shop through node pool/192.0.2.12 to mailbox corp is filed as junk",
        ),
        (EITHER, [Fault.LATE], "Mail through relay pool to mailbox corp arrives late"),
    ],
)
def test_a_complaint_says_who_does_what(
    component: Component, faults: list[Fault], sentence: str
) -> None:
    assert complaint(component, faults) == sentence


@pytest.mark.parametrize("component", [RELAY, NODE, SENDER, MAILBOX, WAY])
def test_every_fault_has_words_of_its_own(component: Component) -> None:
    assert len({complaint(component, [fault]) for fault in Fault}) == len(Fault)


def test_an_incident_that_opens() -> None:
    assert told(HELD, None) == (
        "Node pool/192.0.2.12 accepts mail and holds it. Last seen:"
        " 03:04:05 pool/192.0.2.12/shop/corp: 250 OK, and it is not there 6 s later."
        " It began at 03:04:05 UTC; 93 to 100 % of the probes fail."
        " Node pool/192.0.2.11 and node pool/2001:db8::1 work. Standby relay backup works."
    )


def test_a_tie_is_told_as_one() -> None:
    assert told(replace(TIED, evidence=("250 OK",)), None) == (
        "Mail is accepted and held because of either relay pool or mailbox corp."
        " Last seen: 250 OK. Which of them cannot be told yet."
        " It began at 03:04:05 UTC; 93 to 100 % of the probes fail."
    )


def test_a_single_suspect_that_is_not_certain_is_no_certainty() -> None:
    assert told(replace(TIED, alternatives=(RELAY,), evidence=()), None).startswith(
        "Mail is accepted and held because of perhaps relay pool. This is not certain yet."
    )


def test_of_many_that_work_a_few_are_named() -> None:
    many = replace(HELD, unaffected=tuple(f"node pool/n{n}" for n in range(9)), standby=())
    assert told(many, None).endswith("Node pool/n0, node pool/n1, node pool/n2 and 6 more work.")


def test_nothing_is_told_of_a_mere_shift_of_numbers() -> None:
    assert told(replace(HELD, share=Share(0.5, 1.0), evidence=("8 of 8",)), HELD) == ""


def test_that_it_is_confirmed() -> None:
    certain = replace(confirmed(HELD, SINCE + 21), evidence=("450 no",))
    assert told(certain, HELD) == (
        "Node pool/192.0.2.12 accepts mail and holds it. Last seen: 450 no."
        " This is confirmed now, after 21 s."
    )


def test_that_a_tie_is_broken_and_what_it_turned_out_to_be() -> None:
    late = (Grievance(Fault.LATE, SINCE), Grievance(Fault.INTERMITTENT, SINCE))
    assert told(replace(HELD, faults=late, evidence=()), TIED) == (
        "Node pool/192.0.2.12 sometimes delivers mail late."
        " Until now either relay pool or mailbox corp was suspected. Until now it was holding."
    )


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (
            End.RECOVERED,
            "Node pool/192.0.2.12 is well again after 12 min; the incident was confirmed.",
        ),
        (
            End.RETIRED,
            "Node pool/192.0.2.12 is not probed any more after 12 min; the incident was confirmed.",
        ),
        (
            End.MERGED,
            "Node pool/192.0.2.12 is not accused any more after 12 min;"
            " it was part of another incident.",
        ),
    ],
)
def test_that_it_is_over(end: End, sentence: str) -> None:
    over = replace(confirmed(HELD, SINCE + 21), closed=SINCE + 730, end=end)
    assert told(over, HELD) == sentence


def test_that_it_was_a_blip() -> None:
    over = replace(TIED, closed=SINCE + 24, end=End.BLIP)
    assert told(over, TIED) == (
        "Either relay pool or mailbox corp is well again after 24 s; it was never confirmed."
    )
    way = replace(over, component=WAY, alternatives=())
    assert told(way, TIED).startswith("The way from sender shop through node pool/192.0.2.12 to")


def test_evidence_brings_no_full_stop_of_its_own() -> None:
    said = told(replace(HELD, evidence=("450 4.7.1 try again.",)), None)
    assert "Last seen: 450 4.7.1 try again. It began" in said


def test_what_cannot_be_told_apart_is_told_only_of_a_tie() -> None:
    assert subject(NODE, (RELAY,)) == "node pool/192.0.2.12"


def test_who_cannot_be_told_apart_from_whom_is_said() -> None:
    alike = replace(HELD, component=RELAY, alternatives=(MAILBOX, SENDER), evidence=())
    assert told(alike, None).startswith(
        "Relay pool accepts mail and holds it."
        " It cannot be told apart from mailbox corp or sender shop."
    )


def test_lists() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"], "or") == "a or b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d"]) == "a, b, c and 1 more"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (24.4, "24 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2e5, "2 d")],
)
def test_a_length_is_as_exact_as_it_matters(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
