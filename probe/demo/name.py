"""What the prober names as being at fault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from probe.core.component import Component, Fault, Kind


@dataclass(frozen=True, slots=True)
class Name:
    """A component that is, or was, said to be at fault."""

    component: Component
    faults: tuple[Fault, ...]  # The leading one first.
    decided: bool = True  # Else it is one of several that cannot be told apart yet.
    evidence: tuple[str, ...] = ()  # One line each, newest first.
    standby: tuple[str, ...] = ()  # The standby relays that work meanwhile.


@dataclass(frozen=True, slots=True)
class Names:
    """Everything that is named, and what ever was."""

    standing: tuple[Name, ...] = ()
    ever: tuple[Name, ...] = ()  # Of all incidents, over or not: also what came and went unseen.


def names_of(status: Any, incidents: Any) -> Names:
    """What `/api/v1/status` and `/api/v1/incidents` name."""
    ever = tuple(_incident(one) for one in incidents)
    standby = {name.component: name.standby for name in reversed(ever)}
    return Names(tuple(_standing(status, standby)), ever)


def _standing(status: Any, standby: dict[Component, tuple[str, ...]]) -> Iterator[Name]:
    for one in status["components"]:
        if one["faults"]:
            component = _component(one)
            yield Name(
                component,
                _faults(one),
                decided=not one["alternatives"],
                evidence=tuple(one["evidence"]),
                standby=standby.get(component, ()),
            )


def _incident(one: Any) -> Name:
    return Name(
        _component(one["component"]),
        _faults(one),
        decided=not one["alternatives"],
        evidence=tuple(one["evidence"]),
        standby=tuple(one["standby"]),
    )


def _component(labels: Any) -> Component:
    names = {name: labels[name] for name in ("relay", "node", "sender", "mailbox", "flow")}
    return Component(Kind(labels["kind"]), **names)


def _faults(one: Any) -> tuple[Fault, ...]:
    return tuple(Fault(fault) for fault in one["faults"])
