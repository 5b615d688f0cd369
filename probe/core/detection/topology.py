"""Which routes go through which component: what the topology can tell apart, and what not."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probe.core.component import Component, Kind
from probe.core.detection.observation import BIT, EVERYBODY, RELAY_SIDE
from probe.core.model import Route, RouteKey

PERIOD = 30 * 86400.0  # s in which less than one false alarm is wanted.
_SLACK = 2.0

# Where two hypotheses cover the same routes, the one of the first kind wins.
_ORDER = (Kind.NODE, Kind.RELAY, Kind.MAILBOX, Kind.SENDER, Kind.PROBER, Kind.ROUTE)


@dataclass(frozen=True, slots=True)
class Series:
    """A set of routes, with all components that stand for just these."""

    names: tuple[Component, ...]  # In the order in which they are named.
    routes: frozenset[RouteKey]
    kinds: int  # Of all names, as bits.

    @property
    def first(self) -> Component:
        """What it is called where nothing speaks against it."""
        return self.names[0]


class Topology:
    """The series of all routes in force, learned nodes among them."""

    def __init__(self, routes: Iterable[Route], learned: Iterable[RouteKey] = ()) -> None:
        """`learned`: routes as they are known once a greeting has told the node.

        `narrow` gives for each route the series of the fewest routes that it is in, `side` the one
        of those that can be at fault where no connection comes about, `narrowed` for each series
        the routes of which it is one of both.
        """
        rates = {route.key: 1.0 / route.interval for route in routes}
        keys = [*rates, *(key for key in learned if key not in rates)]
        sets = _sets(keys)
        self.series: tuple[Series, ...] = tuple(_merged(sets))
        self.threshold = _threshold(rates, sets)
        self.members: dict[RouteKey, tuple[int, ...]] = _members(self.series)
        self.routes: tuple[RouteKey, ...] = tuple(sorted(keys))
        self.narrow = {key: self._narrowest(key, EVERYBODY) for key in self.routes}
        self.side = {key: self._narrowest(key, RELAY_SIDE) for key in self.routes}
        self.narrowed: dict[int, list[RouteKey]] = defaultdict(list)
        for key in self.routes:
            for number in {self.narrow[key], self.side[key]}:
                self.narrowed[number].append(key)
        self._keys = frozenset(keys)
        self._by_name = {name: n for n, one in enumerate(self.series) for name in one.names}

    def _narrowest(self, key: RouteKey, kinds: int) -> int:
        blamed = (number for number in self.members[key] if self.series[number].kinds & kinds)
        return min(blamed, key=lambda number: len(self.series[number].routes))

    def __contains__(self, key: RouteKey) -> bool:
        """Whether this route is known."""
        return key in self._keys

    def index(self, component: Component) -> int | None:
        """The number of the series that this component is one name of."""
        return self._by_name.get(component)

    def covered(self, component: Component) -> frozenset[RouteKey]:
        """The routes that go through it; for a combination, those through all of its members.

        One that cannot be told apart from others covers what they do: a node that is the only one
        which has greeted is at fault, too, where nobody greets any more.
        """
        if component.kind is not Kind.ROUTE and (number := self.index(component)) is not None:
            return self.series[number].routes
        return frozenset(key for key in self._keys if component.covers(key))


def names_of(key: RouteKey) -> Iterator[Component]:
    """Every component, and every combination, that a route is on."""
    yield Component(Kind.PROBER)
    yield Component(Kind.RELAY, relay=key.relay)
    if key.node:
        yield Component(Kind.NODE, relay=key.relay, node=key.node)
    yield Component(Kind.MAILBOX, mailbox=key.mailbox)
    yield Component(Kind.SENDER, sender=key.sender)
    yield Component(Kind.ROUTE, relay=key.relay, mailbox=key.mailbox)
    yield Component(Kind.ROUTE, sender=key.sender, mailbox=key.mailbox)
    yield Component(
        Kind.ROUTE, relay=key.relay, node=key.node, sender=key.sender, mailbox=key.mailbox
    )


def _sets(keys: Iterable[RouteKey]) -> dict[frozenset[RouteKey], list[Component]]:
    members: dict[Component, set[RouteKey]] = defaultdict(set)
    for key in keys:
        for name in names_of(key):
            members[name].add(key)
    nodes = Counter(name.relay for name in members if name.kind is Kind.NODE)
    sets: dict[frozenset[RouteKey], list[Component]] = defaultdict(list)
    for name in members:
        # The only node that a greeting has told of yet is no other than its relay.
        lone = name.kind is Kind.NODE and nodes[name.relay] == 1
        whole = Component(Kind.RELAY, relay=name.relay) if lone else name
        sets[frozenset(members[whole])].append(name)
    return sets


def _merged(sets: Mapping[frozenset[RouteKey], list[Component]]) -> Iterator[Series]:
    for routes, names in sets.items():
        ordered = sorted(names, key=lambda name: (_ORDER.index(name.kind), name))
        singles = [name for name in ordered if name.kind is not Kind.ROUTE]
        kept = tuple(singles or ordered[:1])
        yield Series(kept, routes, sum({BIT[name.kind] for name in kept}))


def _threshold(
    rates: Mapping[RouteKey, float], sets: Mapping[frozenset[RouteKey], list[Component]]
) -> float:
    """The sum at which an alarm is raised (nats): so that healthy days see none.

    A sum of log-likelihood ratios with the floor 0 needs e^h observations on average to reach h
    when all is well (Page 1954, Lorden 1971); every series adds its own.
    """
    total = sum(rates.get(key, 0.0) for routes in sets for key in routes)
    return math.log(max(_SLACK * PERIOD * total, math.e))


def _members(series: Iterable[Series]) -> dict[RouteKey, tuple[int, ...]]:
    members: dict[RouteKey, list[int]] = defaultdict(list)
    for number, one in enumerate(series):
        for key in one.routes:
            members[key].append(number)
    return {key: tuple(numbers) for key, numbers in members.items()}
