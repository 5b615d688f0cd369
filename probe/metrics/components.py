"""How every component stands, as series."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import astuple

from probe.core.component import Component, Fault, Kind
from probe.core.model import State
from probe.core.status import ComponentStatus
from probe.metrics import catalogue as m
from probe.metrics import series
from probe.metrics.text import Names, Writing

MOST_COMBINATIONS = 100


class Components:
    """The components there are; a combination of them has series once it is named."""

    def __init__(self) -> None:
        """There is the prober."""
        self._table = series.components()
        self._combinations: dict[Component, bool] = {}  # Whether each is at fault; newest last.
        self.add(Component(Kind.PROBER))

    def add(self, component: Component) -> None:
        """It is configured: its series exist from now on."""
        self._table.add(_labels(component))

    def remove(self, component: Component) -> None:
        """It is gone: its series go at once, and those of all combinations that it is part of."""
        self._table.remove(_labels(component))
        for combination in list(self._combinations):
            if component in _members(combination):
                self._forget(combination)

    def diagnosed(self, status: ComponentStatus) -> None:
        """How a component stands at this moment."""
        if status.component.kind is Kind.ROUTE:
            self._follow(status)
        if _labels(status.component) in self._table:  # Else it is not configured any more.
            self._show(status)

    def snapshot(self) -> Writing:
        """The numbers of this moment, to be written by any thread."""
        return self._table.snapshot()

    def _follow(self, status: ComponentStatus) -> None:
        """Begin with a combination that is at fault; where there are too many, one goes."""
        combination, faulty = status.component, bool(status.faults)
        if combination in self._combinations:
            self._combinations[combination] = faulty
        elif faulty and all(_labels(member) in self._table for member in _members(combination)):
            self._make_room()
            self._combinations[combination] = faulty
            self.add(combination)

    def _make_room(self) -> None:
        """Let the oldest one go that is well, or else the oldest."""
        if len(self._combinations) >= MOST_COMBINATIONS:
            well = (one for one, faulty in self._combinations.items() if not faulty)
            self._forget(next(well, next(iter(self._combinations))))

    def _forget(self, combination: Component) -> None:
        del self._combinations[combination]
        self._table.remove(_labels(combination))

    def _show(self, status: ComponentStatus) -> None:
        labels = _labels(status.component)
        named = {one.fault: one for one in status.faults}
        low = math.nan if status.share is None else status.share.low
        self._table.put(labels, low, m.FAILURE_SHARE)
        for state in State:
            self._table.put(labels, int(state is status.state), m.COMPONENT_STATE, state)
        for fault in Fault:
            one = named.get(fault)
            confirmed = one is not None and one.confirmed
            since = math.nan if one is None else one.since
            self._table.put(labels, int(one is not None), m.FAULT, fault)
            self._table.put(labels, int(confirmed), m.FAULT_CONFIRMED, fault)
            self._table.put(labels, since, m.FAULT_SINCE, fault)


def _members(combination: Component) -> Iterator[Component]:
    """The components that a combination is made of."""
    _, relay, node, sender, mailbox, _ = astuple(combination)
    if relay:
        yield Component(Kind.RELAY, relay=relay)
    if node:
        yield Component(Kind.NODE, relay=relay, node=node)
    if sender:
        yield Component(Kind.SENDER, sender=sender)
    if mailbox:
        yield Component(Kind.MAILBOX, mailbox=mailbox)


def _labels(component: Component) -> Names:
    return tuple(str(label) for label in astuple(component))
