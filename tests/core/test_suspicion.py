"""What the failures of one volley point at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.core.component import Component, Fault, Kind
from probe.core.finding import Finding
from probe.core.model import Phase, PhaseTime, Reason, RouteKey, State, UnknownCause
from probe.core.record import Bad, Good, Unknown, Verdict
from probe.core.status import ComponentStatus, FaultStatus
from probe.core.suspicion import Suspect, components, suspects

OK = Good()
DARK = Unknown(UnknownCause.MAILBOX_UNREADABLE)
REFUSED, HELD = Bad(Reason.CONNECT_REFUSED), Bad(Reason.OVERDUE)
NOT_TAKEN = Bad(Reason.TEMP_REJECT)
SILENT, NAMELESS = Bad(Reason.CONNECT_TIMEOUT), Bad(Reason.DNS_ERROR)
PHASES = {
    Reason.CONNECT_REFUSED: Phase.CONNECT,
    Reason.CONNECT_TIMEOUT: Phase.CONNECT,
    Reason.DNS_ERROR: Phase.DNS,
    Reason.TEMP_REJECT: Phase.RCPT,
}


def finding(way: str, verdict: Verdict | None) -> Finding:
    """`way` is relay/node/sender/mailbox."""
    phase = PHASES.get(verdict.reason, Phase.QUIT) if isinstance(verdict, Bad) else Phase.QUIT
    return Finding(RouteKey(*way.split("/")), verdict, "why", phases=(PhaseTime(phase, 0.1),))


def pointed(ways: dict[str, Verdict | None], *, answered: bool = True) -> list[str]:
    found = suspects([finding(*one) for one in ways.items()], answered=answered)
    return [
        str(one).removeprefix("This points at ").removesuffix(".").replace("or as well at", "or")
        for one in found
    ]


@pytest.mark.parametrize(
    ("ways", "meant"),
    [
        ({"pool/n1/shop/corp": OK, "pool/n2/shop/corp": OK}, []),
        (
            {"pool/n1/shop/corp": OK, "pool/n2/shop/corp": HELD},
            ["node pool/n2 (holding)"],
        ),
        (
            {"pool/n1/shop/corp": OK, "pool/n2/shop/corp": REFUSED, "pool/n3/shop/corp": HELD},
            ["node pool/n2 (unreachable)", "node pool/n3 (holding)"],
        ),
        (
            {"pool/n1/shop/corp": HELD, "pool/n2/shop/corp": HELD, "other/n3/shop/corp": OK},
            ["relay pool (holding)"],
        ),
        (
            {"pool/n1/shop/corp": HELD, "pool/n2/shop/corp": HELD, "pool/n2/shop/gmail": OK},
            ["mailbox corp (holding)"],
        ),
        (
            {"pool/n1/shop/corp": NOT_TAKEN, "pool/n1/news/corp": OK},
            ["sender shop (refusing)"],
        ),
        (
            {"pool/n1/shop/corp": HELD, "pool/n2/shop/corp": HELD},
            ["relay pool (holding), or mailbox corp or sender shop"],
        ),
        (
            {"pool/n1/shop/corp": REFUSED, "pool/n2/shop/corp": REFUSED},
            ["relay pool (unreachable)"],
        ),
        ({"pool/n1/shop/corp": REFUSED}, ["node pool/n1 (unreachable), or relay pool"]),
        ({"pool/n1/shop/corp": NAMELESS}, ["relay pool (unreachable)"]),
        (
            {
                "pool/n1/shop/corp": HELD,
                "pool/n1/shop/gmail": OK,
                "pool/n1/news/corp": OK,
                "pool/n1/news/gmail": OK,
            },
            ["the way from sender shop to mailbox corp (holding)"],
        ),
        (
            {"pool/n1/shop/corp": REFUSED, "pool/n1/shop/gmail": OK},
            ["node pool/n1 (unreachable and intermittent)"],
        ),
        (
            {"pool/n1/shop/corp": DARK, "pool/n2/shop/corp": HELD, "pool/n3/shop/corp": None},
            ["node pool/n2 (holding), or relay pool, mailbox corp or sender shop"],
        ),
        ({"pool/n1/shop/corp": Bad(Reason.PROBER_ERROR)}, []),
    ],
)
def test_the_fewest_that_all_failures_share_and_no_success(
    ways: dict[str, Verdict | None], meant: list[str]
) -> None:
    assert pointed(ways) == meant


def test_when_nobody_answers_it_is_us() -> None:
    ways: dict[str, Verdict | None] = {"pool/n1/shop/corp": SILENT, "other/n2/shop/corp": NAMELESS}
    ways["third/n3/shop/corp"] = None
    assert pointed(ways, answered=False) == ["the prober (unreachable)"]
    assert pointed(ways) == [
        "node pool/n1 (unreachable), or relay pool",
        "relay other (unreachable)",
    ]
    assert pointed(ways | {"pool/n1/shop/corp": REFUSED}, answered=False)[0].startswith("node")


def test_where_there_is_no_way_to_anybody_it_is_us() -> None:
    """The network itself says so: that is no refusal by a relay."""
    failed = [finding(way, REFUSED) for way in ("pool/n1/shop/corp", "other/n2/shop/corp")]
    failed = [replace(one, unrouted=True) for one in failed]
    assert [one.component.kind for one in suspects(failed, answered=False)] == [Kind.PROBER]
    assert len(suspects(failed, answered=True)) == 2
    one_refused = [failed[0], replace(failed[1], unrouted=False)]
    assert len(suspects(one_refused, answered=False)) == 2


def test_where_nobody_says_where_the_relay_is_it_is_us_though_others_work() -> None:
    found = [finding("pool/n1/shop/corp", NAMELESS), finding("other/n2/shop/corp", OK)]
    assert [one.component.kind for one in suspects(found, answered=True, resolved=False)] == [
        Kind.PROBER
    ]
    assert [one.component.kind for one in suspects(found, answered=True)] == [Kind.RELAY]


def test_every_component_has_a_state_and_the_suspects_their_faults() -> None:
    findings = [finding("pool/n1/shop/corp", OK), finding("pool/n2/shop/corp", HELD)]
    findings.append(finding("other//shop/gmail", None))
    corp = ComponentStatus(
        Component(Kind.MAILBOX, mailbox="corp"),
        State.DEGRADED,
        1.0,
        (FaultStatus(Fault.FULL, 1.0),),
    )
    back = ComponentStatus(Component(Kind.MAILBOX, mailbox="back"), State.OK, 1.0)
    found = components(findings, suspects(findings, answered=True), (corp, back), 7.0)
    assert {str(one.component): one.state for one in found} == {
        "prober": State.OK,
        "relay pool": State.OK,
        "relay other": State.UNKNOWN,
        "node pool/n1": State.OK,
        "node pool/n2": State.DEGRADED,
        "sender shop": State.OK,
        "mailbox corp": State.DEGRADED,
        "mailbox back": State.OK,
        "mailbox gmail": State.UNKNOWN,
    }
    [held] = [one for one in found if one.component.node == "n2"]
    assert held.faults == (FaultStatus(Fault.HOLDING, 7.0, evidence=("pool/n2/shop/corp: why",)),)
    assert corp in found


def test_what_is_known_and_what_is_suspected_are_shown_together() -> None:
    name = Component(Kind.MAILBOX, mailbox="corp")
    corp = ComponentStatus(name, State.DOWN, 1.0, (FaultStatus(Fault.UNREADABLE, 1.0),))
    suspect = Suspect(name, (Fault.REFUSING, Fault.UNREADABLE))
    [found] = components([], [suspect], [corp], 7.0)
    assert [one.fault for one in found.faults] == [Fault.UNREADABLE, Fault.REFUSING]
    assert found.state is State.DOWN
