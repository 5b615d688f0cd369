"""What a plan promises, and what it warns of."""

from __future__ import annotations

import math

import pytest

from probe.core.allowance import Limits, RelayLimits
from probe.core.component import Kind
from probe.core.limits import fitted
from probe.core.model import Relay, Route, RouteKey
from probe.core.node_plan import NodePlan
from probe.core.planning.ailment import Ailment
from probe.core.planning.cost import CPU_PER_PROBE, MEMORY_ALONE, cost
from probe.core.planning.habit import Pace, assumed
from probe.core.planning.outlook import RUNS, Outlook, Premises, Prospect, spread
from probe.core.planning.strain import Load, warnings
from probe.core.provider import Provider


def pool(nodes: int, interval: float = 15.0, mailboxes: tuple[str, ...] = ("corp",)) -> list[Route]:
    keys = [RouteKey("pool", f"n{n}", "shop", box) for n in range(nodes) for box in mailboxes]
    return [Route(key, interval, 60.0, 600.0) for key in keys]


def outlook(
    routes: list[Route],
    *,
    limits: RelayLimits | None = None,
    plan: NodePlan = NodePlan.LIST,
    paces: dict[str, Pace] | None = None,
    runs: int = 20,
) -> Outlook:
    relay = Relay("pool", "relay.test", 587, plan=plan, limits=limits or RelayLimits())
    return Outlook(Premises(routes, {"pool": relay}, assumed(paces or {}), runs=runs))


def holds(found: Outlook) -> Prospect:
    return found.node("pool", Ailment.HOLDS)


def test_the_same_plan_promises_the_same() -> None:
    assert holds(outlook(pool(3))) == holds(outlook(pool(3)))


def test_rarer_probes_and_slower_mail_take_longer() -> None:
    usual = holds(outlook(pool(3))).named
    assert holds(outlook(pool(3, interval=60.0))).named.mean > 2 * usual.mean
    slow = holds(outlook(pool(3), paces={"corp": Pace.PUBLIC})).named
    assert slow.mean > usual.mean + 10.0


def test_a_second_mailbox_makes_it_quicker() -> None:
    twice = holds(outlook(pool(3, mailboxes=("corp", "other"))))
    assert twice.named.mean < holds(outlook(pool(3))).named.mean


def test_a_limit_that_leaves_no_confirmation_probes_makes_it_slower() -> None:
    cramped = holds(outlook(pool(3), limits=RelayLimits(per_minute=12)))
    assert cramped.named.mean > 3 * holds(outlook(pool(3))).named.mean


def test_held_mail_pages_sooner_than_what_a_restart_may_be() -> None:
    found = outlook(pool(3))
    assert holds(found).confirmed.mean < found.node("pool", Ailment.STOPPED).confirmed.mean


def test_a_single_node_is_its_relay() -> None:
    kinds = {one.kind for one in outlook(pool(1)).prospects()}
    assert kinds == {Kind.RELAY, Kind.PROBER, Kind.MAILBOX}


def test_behind_a_balancer_both_ways_are_told() -> None:
    routes = [Route(RouteKey("pool", "", "shop", "corp"), 5.0, 60.0, 600.0)]
    found = outlook(routes, plan=NodePlan.GREETING).prospects()
    in_turn, drawn = (one for one in found if one.by_chance is not None)
    assert (in_turn.by_chance, drawn.by_chance) == (False, True)
    assert in_turn.named.p95 < drawn.named.p95


def test_where_a_balancer_draws_more_rehearsals_would_promise_about_the_same() -> None:
    routes = [Route(RouteKey("pool", "", "shop", "corp"), 5.0, 60.0, 600.0)]

    def late(runs: int) -> float:
        found = outlook(routes, plan=NodePlan.GREETING, runs=runs).prospects()
        return next(one.named.p95 for one in found if one.by_chance)

    assert late(RUNS) == pytest.approx(late(8 * RUNS), rel=0.15)


def test_what_may_well_not_happen_has_no_time() -> None:
    assert spread([1.0] * 18 + [math.inf] * 2).mean == math.inf
    assert spread([1.0] * 39 + [math.inf]).p95 == 1.0


def test_the_cost_follows_the_probes() -> None:
    assert cost([]).memory == MEMORY_ALONE
    thousand = cost(pool(1000))
    assert thousand.cpu == pytest.approx(1000 / 15 * CPU_PER_PROBE, rel=0.1)
    assert thousand.memory < 180e6, "what we aim at"


def load(wanted: list[Route], limits: Limits, owner: Provider | None = None) -> Load:
    return Load(wanted, fitted(wanted, limits), limits, {"corp": owner} if owner else {})


def test_a_plan_within_all_limits_warns_of_nothing() -> None:
    limits = Limits({"pool": RelayLimits(per_minute=60, per_day=20000)}, {"corp": 20000})
    assert [*warnings(load(pool(3), limits))] == []


@pytest.mark.parametrize(
    ("limits", "owner", "sentence"),
    [
        (
            Limits({"pool": RelayLimits(per_day=8640)}),
            None,
            "Relay pool takes 8640 messages a day, and 17280 are planned: its slots are stretched,"
            " to one in 30.3 s on each route.",
        ),
        (
            Limits(mailboxes={"corp": 12000}),
            None,
            "Mailbox corp takes 12000 messages a day, and 17280 are planned: its slots are"
            " stretched, to one in 21.8 s on each route.",
        ),
        (
            Limits({"pool": RelayLimits(per_minute=20)}),
            None,
            "The limit of relay pool leaves 8 of the 12 messages a minute that a suspicion is"
            " confirmed with: faults are named later.",
        ),
        (
            Limits(),
            Provider.YAHOO,
            "Yahoo gets 17280 messages a day in all its mailboxes; more than 2000 are too many, and"
            " 5000 make the domain a bulk sender for good.",
        ),
    ],
)
def test_a_limit_that_is_exceeded_is_told(
    limits: Limits, owner: Provider | None, sentence: str
) -> None:
    assert [*warnings(load(pool(3), limits, owner))] == [sentence]


def test_another_limit_is_not_said_to_stretch_all_slots() -> None:
    """The mailbox of a large provider slows its own routes, not the relay's others."""
    limits = Limits({"pool": RelayLimits(per_day=12000)}, {"corp": 2000})
    routes = pool(3, mailboxes=("corp", "other"))
    assert next(warnings(load(routes, limits))) == (
        "Relay pool takes 12000 messages a day, and 34560 are planned: its slots are stretched,"
        " to one in 26.2 to 131 s on each route."
    )


def test_a_very_long_interval_is_written_in_full() -> None:
    limits = Limits(mailboxes={"corp": 10})
    assert "to one in 26182 s on each route" in next(warnings(load(pool(3), limits)))


def test_a_relay_that_is_all_but_used_up_is_told() -> None:
    limits = Limits({"pool": RelayLimits(per_day=5000)})
    assert [*warnings(load(pool(3), limits))][1:] == [
        "The limit of relay pool leaves 50 messages a day for confirmation probes, and the times"
        " here do not count with that: once they are used up, faults are named later.",
    ]


def test_a_large_provider_is_named_and_what_it_leaves_for_confirmation() -> None:
    limits = Limits(mailboxes={"corp": 2000})
    assert [*warnings(load(pool(3), limits, Provider.GMAIL))] == [
        "Mailbox corp (it is at Gmail) takes 2000 messages a day, and 17280 are planned: its slots"
        " are stretched, to one in 131 s on each route.",
        "The limit of mailbox corp leaves 20 messages a day for confirmation probes, and the times"
        " here do not count with that: once they are used up, faults are named later.",
    ]
