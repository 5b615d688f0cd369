"""What explains the evidence best is found, and what cannot be told apart is not."""

from collections.abc import Iterable, Iterator
from itertools import product

import pytest

from probe.core.component import Component, Kind
from probe.core.detection.localise import collect, rank
from probe.core.detection.observation import (
    BIT,
    EVERYBODY,
    MAILBOX_ONLY,
    RELAY_SIDE,
    SUCCESS,
    Weight,
)
from probe.core.detection.topology import Topology
from probe.core.model import Route, RouteKey

USUAL = 0.005  # The share that fails when all is well.
PROBER = BIT[Kind.PROBER]


def grid(relays: int, nodes: int, mailboxes: int, interval: float = 15.0) -> list[Route]:
    return [
        Route(RouteKey(f"r{r}", f"n{r}{n}", "shop", f"m{m}"), interval, 60.0, 3600.0)
        for r, n, m in product(range(relays), range(nodes), range(mailboxes))
    ]


def seen(
    routes: Iterable[Route], bad: Iterable[RouteKey], *, each: int = 6, blames: int = EVERYBODY
) -> Iterator[tuple[RouteKey, Weight]]:
    failing = frozenset(bad)
    for route in routes:
        weight = Weight(blames, 1 / USUAL) if route.key in failing else SUCCESS
        yield from [(route.key, weight)] * each


def named(topology: Topology, *evidence: tuple[RouteKey, Weight]) -> list[str]:
    """The components that are named alone."""
    ranking = rank(collect(evidence), topology, struck=PROBER)
    return [
        str(topology.series[number].first)
        for number in sorted(ranking.best.members)
        if ranking.margin(number) >= 7.0
    ]


def on(routes: Iterable[Route], component: Component) -> list[RouteKey]:
    return list(Topology(routes).covered(component))


@pytest.mark.parametrize(
    "component",
    [
        Component(Kind.NODE, "r0", "n00"),
        Component(Kind.RELAY, "r1"),
        Component(Kind.MAILBOX, mailbox="m1"),
        Component(Kind.ROUTE, "r0", "n01", "shop", "m2"),
    ],
    ids=str,
)
def test_a_component_that_fails_is_named(component: Component) -> None:
    routes = grid(2, 3, 3)
    assert named(Topology(routes), *seen(routes, on(routes, component))) == [str(component)]


def test_nothing_is_named_when_all_is_well() -> None:
    routes = grid(2, 3, 3)
    assert named(Topology(routes), *seen(routes, [])) == []


def test_too_little_is_not_enough() -> None:
    routes = grid(1, 3, 1)
    node = on(routes, Component(Kind.NODE, "r0", "n00"))
    assert named(Topology(routes), *seen(routes, node, each=1)) == []


def test_two_nodes_of_three_are_two_nodes_and_not_the_relay() -> None:
    routes = grid(1, 3, 1)
    both = [route.key for route in routes[:2]]
    assert named(Topology(routes), *seen(routes, both)) == ["node r0/n00", "node r0/n01"]


def test_as_long_as_a_third_node_was_not_seen_they_may_be_two_or_the_relay() -> None:
    routes = grid(1, 3, 1)
    both = [route.key for route in routes[:2]]
    assert named(Topology(routes), *seen(routes[:2], both)) == []


def test_as_long_as_the_rest_was_not_seen_a_node_and_a_mailbox_may_be_everything() -> None:
    routes = grid(2, 2, 2)
    node = on(routes, Component(Kind.NODE, "r0", "n00"))
    mailbox = on(routes, Component(Kind.MAILBOX, mailbox="m1"))
    known = [route for route in routes if route.key in {*node, *mailbox}]
    assert named(Topology(routes), *seen(known, [*node, *mailbox], each=2)) == []


def test_all_nodes_are_the_relay() -> None:
    routes = grid(2, 3, 1)
    relay = on(routes, Component(Kind.RELAY, "r0"))
    assert named(Topology(routes), *seen(routes, relay)) == ["relay r0"]


def test_a_node_and_a_mailbox_at_once_are_both_named() -> None:
    routes = grid(2, 2, 3)
    node = on(routes, Component(Kind.NODE, "r0", "n00"))
    mailbox = on(routes, Component(Kind.MAILBOX, mailbox="m2"))
    found = named(Topology(routes), *seen(routes, [*node, *mailbox], each=12))
    assert found == ["node r0/n00", "mailbox m2"] or found == ["mailbox m2", "node r0/n00"]


def test_a_mailbox_is_not_blamed_for_what_fails_before_a_recipient_was_named() -> None:
    routes = grid(3, 1, 2)
    mailbox = on(routes, Component(Kind.MAILBOX, mailbox="m1"))
    found = named(Topology(routes), *seen(routes, mailbox, blames=RELAY_SIDE))
    assert not any("mailbox" in name for name in found)


def test_nobody_but_a_mailbox_is_blamed_for_being_full() -> None:
    routes = grid(1, 3, 1)
    everything = [route.key for route in routes]
    topology = Topology(routes)
    ranking = rank(collect(seen(routes, everything, blames=MAILBOX_ONLY)), topology, struck=PROBER)
    [number] = ranking.best.members
    assert any(name.kind is Kind.MAILBOX for name in topology.series[number].names)


def test_components_on_the_same_routes_are_one_hypothesis_and_the_order_of_names_is_fixed() -> None:
    topology = Topology(grid(1, 3, 1))
    whole = topology.series[topology.index(Component(Kind.RELAY, "r0")) or 0]
    assert [name.kind for name in whole.names] == [
        Kind.RELAY,
        Kind.MAILBOX,
        Kind.SENDER,
        Kind.PROBER,
    ]
    single = Topology(grid(1, 1, 1)).series
    assert len(single) == 1
    assert single[0].first.kind is Kind.NODE


def test_a_combination_is_named_only_where_no_single_component_covers_its_routes() -> None:
    kinds = {one.first.kind for one in Topology(grid(1, 3, 1)).series}
    assert kinds == {Kind.RELAY, Kind.NODE}
    assert Kind.ROUTE in {one.first.kind for one in Topology(grid(2, 2, 2)).series}


def test_what_is_known_to_be_at_fault_costs_nothing_to_assume() -> None:
    routes = grid(1, 3, 1)
    topology = Topology(routes)
    bad = [route.key for route in routes[:2]]
    known = topology.index(Component(Kind.NODE, "r0", "n00"))
    assert known is not None
    evidence = collect(seen(routes, bad, each=4))
    with_it = rank(evidence, topology, struck=PROBER, given=[known]).best.score
    assert with_it > rank(evidence, topology, struck=PROBER).best.score


@pytest.mark.parametrize(
    ("routes", "threshold"),
    [(grid(1, 3, 1), 14.5), (grid(1, 3, 1, 2.0), 16.6), (grid(4, 4, 5), 18.9)],
)
def test_the_threshold_is_for_less_than_one_false_alarm_in_thirty_days(
    routes: list[Route], threshold: float
) -> None:
    assert Topology(routes).threshold == pytest.approx(threshold, abs=0.1)


def test_the_only_learned_node_is_no_other_than_its_relay() -> None:
    anonymous = Route(RouteKey("pool", "", "shop", "corp"), 15.0, 60.0, 3600.0)
    first = RouteKey("pool", "mx1", "shop", "corp")
    second = RouteKey("pool", "mx2", "shop", "corp")
    alone = Topology([anonymous], [first])
    assert alone.index(Component(Kind.NODE, "pool", "mx1")) == alone.index(
        Component(Kind.RELAY, "pool")
    )
    both = Topology([anonymous], [first, second])
    assert both.index(Component(Kind.NODE, "pool", "mx1")) != both.index(
        Component(Kind.RELAY, "pool")
    )
