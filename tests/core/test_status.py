"""The sentence at the top of the page."""

from dataclasses import replace

import pytest

from probe.core.component import Component, Fault, Kind
from probe.core.model import RouteKey, State
from probe.core.rfc3339 import rfc3339
from probe.core.status import (
    ComponentStatus,
    FaultStatus,
    RouteStatus,
    Status,
    headline,
    summary,
)

OK, DEGRADED, DOWN, UNKNOWN = State.OK, State.DEGRADED, State.DOWN, State.UNKNOWN


def status(*states: State) -> Status:
    keys = (RouteKey("pool", f"n{number}", "shop", "corp") for number in range(len(states)))
    routes = (RouteStatus(key, state, 0) for key, state in zip(keys, states, strict=True))
    return Status(OK, 0.0, tuple(routes))


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ([], "There are no routes yet."),
        ([OK], "The only route delivers."),
        ([OK] * 12, "All 12 routes deliver."),
        ([DOWN], "1 of 1 route does not deliver: pool/n0/shop/corp."),
        ([OK, DOWN], "1 of 2 routes does not deliver: pool/n1/shop/corp."),
        (
            [DOWN, OK, DOWN, UNKNOWN, DEGRADED],
            "2 of 5 routes do not deliver: pool/n0/shop/corp and pool/n2/shop/corp.",
        ),
        (
            [DOWN] * 5 + [OK],
            "5 of 6 routes do not deliver:"
            " pool/n0/shop/corp, pool/n1/shop/corp, pool/n2/shop/corp and 2 more.",
        ),
        ([DOWN] * 5, "No route delivers."),
        ([DEGRADED, OK], "1 of 2 routes is impaired: pool/n0/shop/corp."),
        ([DEGRADED, DEGRADED], "Every route is impaired."),
        ([UNKNOWN, OK], "1 of 2 routes cannot be judged: pool/n0/shop/corp."),
        ([UNKNOWN, UNKNOWN], "No route can be judged yet."),
    ],
)
def test_the_summary_says_the_worst(states: list[State], sentence: str) -> None:
    assert summary(status(*states)) == sentence


def faulty(mailbox: str, state: State, *, confirmed: bool = False) -> ComponentStatus:
    full = FaultStatus(Fault.FULL, 0.0, confirmed)
    return ComponentStatus(Component(Kind.MAILBOX, mailbox=mailbox), state, 0.0, (full,))


@pytest.mark.parametrize(
    ("components", "sentence"),
    [
        ([ComponentStatus(Component(Kind.PROBER), OK, 0.0)], "The only route delivers."),
        ([faulty("corp", DEGRADED)], "Mailbox corp is full."),
        (
            [faulty("a", DEGRADED), faulty("b", DEGRADED, confirmed=True), faulty("c", DOWN)],
            "Mailbox c is full. Mailbox b is full. Mailbox a is full.",
        ),
        (
            [faulty(name, DOWN) for name in "abcd"],
            "Mailbox a is full. Mailbox b is full. Mailbox c is full."
            " 1 more component is at fault.",
        ),
    ],
)
def test_the_headline_names_the_worst_first(
    components: list[ComponentStatus], sentence: str
) -> None:
    assert headline(replace(status(OK), components=tuple(components))) == sentence


def test_what_is_at_fault_comes_before_what_it_does_to_the_routes() -> None:
    both = replace(status(DOWN, OK), components=(faulty("corp", DEGRADED),))
    assert summary(both) == (
        "Mailbox corp is full. 1 of 2 routes does not deliver: pool/n0/shop/corp."
    )


def test_a_line_of_evidence_is_shown_once() -> None:
    twice = tuple(FaultStatus(f, 0.0, evidence=("a", "b")) for f in (Fault.LATE, Fault.SLOW))
    assert replace(faulty("corp", DOWN), faults=twice).evidence == ("a", "b")


def test_moments_are_utc_text() -> None:
    assert rfc3339(1_795_316_645.678) == "2026-11-22T03:04:05Z"
    assert rfc3339(1_795_316_645.678, precision="milliseconds") == "2026-11-22T03:04:05.678Z"
