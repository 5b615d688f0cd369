"""The open cases: what belongs to each, and how they begin, change and end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from probe.core.component import Component, Fault, Kind
from probe.core.detection import localise
from probe.core.detection.accusation import accusation, details, tie_of
from probe.core.detection.assessment import Assessment, Seen, assess
from probe.core.detection.case import Case, Details, confirmable
from probe.core.detection.docket import Accusation, Docket
from probe.core.detection.history import History
from probe.core.detection.lesson import Lessons
from probe.core.detection.observation import BIT, NodeName, Observation, Weight
from probe.core.detection.topology import Topology
from probe.core.incident import End, Incident
from probe.core.model import Relay, RouteKey

MARGIN = 7.0  # nats by which an explanation must be better than any other to be named alone.
REFRESH = 5.0  # s after which the evidence of an incident is put into words anew.
LATELY = 5000  # Probes by which it is told what works meanwhile,
BEFORE = 60.0  # launched after the beginning, or so long before it (s),
RECENT = 600.0  # launched within so long (s).


class Cases:
    """Those that are open, and a tie between several that might be one."""

    def __init__(
        self,
        history: History,
        lessons: Lessons,
        docket: Docket,
        *,
        wall: Callable[[float], float],
        changed: Callable[[], None],
    ) -> None:
        """`wall` gives the Unix time of a moment; `changed`: what is explained is another now."""
        self.open: list[Case] = []
        self.tie: Case | None = None
        self.topology = Topology(())
        self._history = history
        self._lessons = lessons
        self._docket = docket
        self._wall = wall
        self._changed = changed
        self._relays: Mapping[str, Relay] = {}
        self._covered: dict[Component, frozenset[RouteKey]] = {}

    def follow(self, topology: Topology, relays: Mapping[str, Relay]) -> None:
        """From now on these are the routes."""
        self.topology = topology
        self._relays = relays
        self._covered.clear()

    def resume(self, incident: Incident, now: float) -> bool:
        """Go on with an incident of the last run; whether it was one that probes have told of.

        A tie is none: what it may be has to be found out anew.
        """
        component = incident.component
        tie = component.kind is Kind.ROUTE and incident.alternatives
        if tie or incident.share is None or not self.routes_of(component):
            return False
        if any(case.component == component for case in self.open):
            return True  # It has been named anew meanwhile.
        self.open.append(
            Case(
                component,
                opened=incident.opened,
                since=incident.since,
                blames=BIT[component.kind],
                alternatives=incident.alternatives,
                faults={one.fault: one.since for one in incident.faults},
                share=incident.share,
                worst=incident.share.low,
                confirmed={
                    confirmable(one.fault): now
                    for one in incident.faults
                    if one.confirmed is not None and one.fault is not Fault.INTERMITTENT
                },
            )
        )
        return True

    def is_explained(self, one: Observation, weight: Weight) -> bool:
        """Whether it belongs to an incident, one that is over or one that is not."""
        return one.spent or any(
            weight.blames & case.blames and one.key in self.routes_of(case.component)
            for case in self.open
        )

    def routes_of(self, component: Component) -> frozenset[RouteKey]:
        """The routes that go through a component, at this moment."""
        if component not in self._covered:
            self._covered[component] = self.topology.covered(component)
        return self._covered[component]

    def extent(self, case: Case) -> frozenset[RouteKey]:
        """The routes of a case; of a tie, those of all that it may be."""
        if not case.tie:
            return self.routes_of(case.component)
        return frozenset().union(*map(self.routes_of, case.alternatives))

    def seen(self, since: float, now: float) -> Iterator[Seen]:
        """What counts since then, oldest first."""
        for one in self._history.since(since):
            if not one.spent:
                weight = self._history.weigh(one, now)
                if weight is not None:
                    yield Seen(one, weight)

    def given(self) -> list[int]:
        """The series that are known to be at fault."""
        numbers = (self.topology.index(case.component) for case in self.open)
        return [number for number in numbers if number is not None]

    def own(self, case: Case, now: float) -> Iterator[Seen]:
        """What was seen of a case's routes that can be blamed on it; of very much, the newest."""
        return self._of(case, self._history.filed.through(self.extent(case), case.since), now)

    def _of(self, case: Case, some: Iterable[Observation], now: float) -> Iterator[Seen]:
        for one in some:
            if one.spent:
                continue
            weight = self._history.blame(one, now)
            if weight is not None and weight.blames & case.blames:
                yield Seen(one, weight)

    def add(self, case: Case, now: float) -> None:
        """A case begins; those that are part of it become it."""
        routes = self.routes_of(case.component)
        parts = [one for one in self.open if self.routes_of(one.component) < routes]
        former = [*parts, *([self.tie] if self.tie is not None else [])]
        self.tie = None
        for one in sorted(former, key=lambda one: one.opened):
            case.since = min(case.since, one.since)
            case.opened = min(case.opened, one.opened)
            self._docket.rename(one.component, case.component, now)
        self.open = [one for one in self.open if one not in parts]
        self.open.append(case)
        self._changed()

    def reword(self, tie: Case, members: tuple[Component, ...], now: float) -> None:
        """It is one of these, as is known by now."""
        before, tie.component, tie.alternatives = tie.component, tie_of(members), members
        tie.details = None
        if tie.component != before:
            self._docket.rename(before, tie.component, now)

    def cover(self, members: Iterable[int]) -> frozenset[RouteKey]:
        """The routes of all these series."""
        return frozenset().union(*(self.topology.series[number].routes for number in members))

    def review(self, now: float) -> Iterator[Accusation]:
        """Every case as it stands; what is over is closed."""
        for case in [*self.open]:
            if not self.routes_of(case.component):
                self.open.remove(case)
                self._docket.close(case.component, End.RETIRED, now)
                continue
            found = assess(self.own(case, now), now)
            case.update(found, now, self.topology.threshold)
            if case.is_over(now):
                self.end(case, now)
                continue
            if recovered := found.recovered():
                self._narrow(case, found, recovered, now)
            yield self._told(case, now)
        if self.tie is not None:
            found = assess(self.own(self.tie, now), now)
            self.tie.update(found, now, self.topology.threshold)
            self.tie.confirmed.clear()
            if self.tie.faults:  # Else it is only suspected that something takes long.
                yield self._told(self.tie, now)

    def _told(self, case: Case, now: float) -> Accusation:
        """What is held against it; the details are as they were a moment ago, if it is the same."""
        if case.details is None or now - case.detailed >= REFRESH:
            case.details = self.details(case.component, case.since, now, case.found.failures)
            case.detailed = now
        return accusation(case, case.details)

    def details(
        self, component: Component, since: float, now: float, failures: Sequence[Seen] = ()
    ) -> Details:
        """What is told of a component at fault: its failures, and what works meanwhile."""
        routes = self.routes_of(component)
        seen = self.seen(max(since - BEFORE, now - RECENT), now)
        others = deque((one for one in seen if one.observation.key not in routes), maxlen=LATELY)
        return details(component, failures, others, relays=self._relays, now=now, wall=self._wall)

    def _narrow(self, case: Case, found: Assessment, well: Sequence[NodeName], now: float) -> None:
        """A part of a component is well again: what is left of it may be another one."""
        since = min(found.runs[node].last_failed for node in well)
        routes = self.routes_of(case.component)
        seen = [one for one in self.own(case, now) if one.observation.slot > since]
        evidence = localise.collect((one.observation.key, one.weight) for one in seen)
        ranking = localise.rank(evidence, self.topology, struck=BIT[Kind.PROBER])
        members = sorted(ranking.best.members)
        if not members or any(ranking.margin(number) < MARGIN for number in members):
            return
        if not self.cover(members) < routes:
            return
        old = case.component
        self.open.remove(case)
        for place, number in enumerate(members):
            series = self.topology.series[number]
            part = replace(
                case,
                component=series.first,
                blames=series.kinds,
                alternatives=series.names[1:],
                faults=dict(case.faults),
                confirmed=dict(case.confirmed),
                steady=dict(case.steady),
                details=None,
            )
            self.open.append(part)
            if not place:
                self._docket.rename(old, part.component, now)
                case.component = part.component
        self._changed()

    def end(self, case: Case, now: float) -> None:
        """A case is over: nothing of it counts any more."""
        # Of a tie that dissolved only what all of it share: the rest may still tell of somebody.
        routes = self.routes_of(case.component)
        found = (one for one in self._history.since(case.since) if one.key in routes)
        for seen in self._of(case, found, now):
            seen.observation.spent = True
        if case is self.tie:
            self.tie = None
        else:
            self.open.remove(case)
        self._covered.clear()  # Or what a tie may have been would be known for ever.
        for relay in {key.relay for key in self.extent(case)}:
            self._lessons.ended(relay, case.since, now, confirmed=case.is_confirmed)
        self._changed()
