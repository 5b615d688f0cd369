"""The series of components: there from the start, gone with what they are about."""

from __future__ import annotations

import math

from probe.core.component import Component, Fault, Kind
from probe.core.incident import Share
from probe.core.model import Node, RouteKey, State
from probe.core.status import ComponentStatus, FaultStatus
from probe.metrics import Exporter
from probe.metrics.components import MOST_COMBINATIONS
from tests.contract.test_metrics import NODE, NOW, at, samples, world

PROBER = Component(Kind.PROBER)
RELAY = Component(Kind.RELAY, relay="pool")
HOLDING_NODE = Component(Kind.NODE, relay="pool", node="192.0.2.12")
SENDER = Component(Kind.SENDER, sender="shop")
MAILBOX = Component(Kind.MAILBOX, mailbox="corp")
EITHER = Component(Kind.ROUTE, relay="pool", node="192.0.2.12", mailbox="corp")
SHARE = "mailprobe_failure_share_lower_bound_ratio"


def labels(component: Component) -> dict[str, str]:
    names = ("relay", "node", "sender", "mailbox", "flow")
    return {"kind": component.kind, **{name: getattr(component, name) for name in names}}


def held(component: Component, *faults: Fault) -> ComponentStatus:
    named = tuple(FaultStatus(fault, NOW - 60) for fault in faults)
    state = State.DOWN if faults else State.OK
    share = Share(0.9, 1.0) if faults else None
    return ComponentStatus(component, state, NOW - 60, named, share)


async def shown(exporter: Exporter) -> set[tuple[str, ...]]:
    """The components that have series, as kind and names."""
    found = (dict(pairs) for name, pairs in await samples(exporter) if name == SHARE)
    return {
        tuple(filter(None, (one["kind"], one["relay"], one["node"], one["sender"], one["mailbox"])))
        for one in found
    }


async def test_every_component_is_there_from_the_start_and_unknown() -> None:
    found = await samples(world())
    for component in (PROBER, RELAY, HOLDING_NODE, SENDER, MAILBOX):
        assert math.isnan(at(found, SHARE, **labels(component)))
        for state in State:
            value = at(found, "mailprobe_component_state", **labels(component), state=state)
            assert value == (state is State.UNKNOWN), component
        for fault in Fault:
            assert at(found, "mailprobe_fault", **labels(component), fault=fault) == 0
            assert at(found, "mailprobe_fault_confirmed", **labels(component), fault=fault) == 0


async def test_a_share_is_shown_while_it_is_known() -> None:
    exporter = world()
    exporter.diagnosed(held(HOLDING_NODE, Fault.HOLDING))
    assert at(await samples(exporter), SHARE, **labels(HOLDING_NODE)) == 0.9
    exporter.diagnosed(held(HOLDING_NODE))
    assert math.isnan(at(await samples(exporter), SHARE, **labels(HOLDING_NODE)))


async def test_components_go_with_what_they_are_about() -> None:
    exporter = world()
    exporter.add_node(Node("pool", "mx1.test", "", 0))  # Learned from a greeting.
    assert ("node", "pool", "mx1.test") in await shown(exporter)
    exporter.retire_node(Node("pool", "mx1.test", "", 0))
    exporter.retire_node(NODE)
    exporter.drop_sender("shop")
    exporter.drop_mailbox("corp")
    assert await shown(exporter) == {("prober",), ("relay", "pool")}
    exporter.drop_relay("pool")
    exporter.diagnosed(held(HOLDING_NODE, Fault.HOLDING))
    assert await shown(exporter) == {("prober",)}, "nobody comes back by being diagnosed"


async def test_a_load_balancer_is_no_node() -> None:
    kinds = {one[0] for one in await shown(world(RouteKey("pool", "", "shop", "corp")))}
    assert kinds == {"prober", "relay", "sender", "mailbox"}


async def test_a_combination_has_series_once_it_is_named_and_keeps_them() -> None:
    exporter = world()
    name = ("route", "pool", "192.0.2.12", "corp")
    exporter.diagnosed(held(EITHER))
    assert name not in await shown(exporter)
    exporter.diagnosed(held(EITHER, Fault.REFUSING))
    found = await samples(exporter)
    assert at(found, "mailprobe_fault", **labels(EITHER), fault=Fault.REFUSING) == 1
    exporter.diagnosed(held(EITHER))
    found = await samples(exporter)
    assert at(found, "mailprobe_fault", **labels(EITHER), fault=Fault.REFUSING) == 0
    exporter.drop_sender("shop")
    assert name in await shown(exporter), "the sender is no part of it"
    exporter.retire_node(NODE)
    exporter.diagnosed(held(EITHER, Fault.REFUSING))
    assert name not in await shown(exporter)


async def test_of_too_many_combinations_one_that_is_well_makes_room() -> None:
    exporter = world()
    ways = []
    for number in range(MOST_COMBINATIONS + 1):
        exporter.add_node(Node("pool", f"n{number}", "192.0.2.1", 25))
        ways.append(Component(Kind.ROUTE, relay="pool", node=f"n{number}", mailbox="corp"))
    for way in ways[:-1]:
        exporter.diagnosed(held(way, Fault.HOLDING))
    exporter.diagnosed(held(ways[7]))
    exporter.diagnosed(held(ways[-1], Fault.HOLDING))
    nodes = {one[2] for one in await shown(exporter) if one[0] == "route"}
    assert nodes == {way.node for way in ways} - {"n7"}
