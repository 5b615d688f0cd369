"""Watches every probe, and names what is at fault. It reads no clock and does no I/O."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from probe.core.change import Change
from probe.core.component import Component, Kind, Named
from probe.core.detection import localise
from probe.core.detection.accusation import accusation, details, tie_of
from probe.core.detection.baseline import Baselines
from probe.core.detection.burst import Bursts, NodeName
from probe.core.detection.case import Assessment, Case, Seen, assess
from probe.core.detection.docket import Accusation, Docket
from probe.core.detection.history import History
from probe.core.detection.lesson import Lessons
from probe.core.detection.observation import BIT, DESIGN_SHARE, Observation, Weight
from probe.core.detection.topology import Topology
from probe.core.detection.walk import Sums, Walk
from probe.core.incident import End, Grievance, Incident
from probe.core.model import Attempt, Phase, Probe, Relay, Route, RouteKey
from probe.core.sight import Sight

MARGIN = 7.0  # nats by which an explanation must be better than any other to be named alone.
SUSPICIOUS = 3.0  # nats on a route at which a burst is sent.
UNDECIDED = 10.0  # s after which it is said that nothing can be decided yet,
UNDECIDED_FACT = 4.0  # and where facts are to be explained.
RECHECK = 5.0  # s between two looks whether it is over,
RECHECKED = 300.0  # for so long, and whenever something has come through again (s).
THROTTLED = 60.0  # s after a relay has said that we are too many in which it gets no burst.
REFRESH = 5.0  # s after which the evidence of an incident is put into words anew.
RECENT = 600.0  # s: what works meanwhile is told of so long.
UNANSWERED = 5.0  # s without an answer from anywhere after which it may be our own network.


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a look at everything amounts to."""

    wishes: tuple[RouteKey, ...]  # Confirmation probes to be sent now.
    incidents: tuple[Incident, ...]  # Those that have opened, changed or closed.
    asks: tuple[str, ...] = ()  # Mailboxes that should be read right now: any answer counts.


class Detector:
    """Is told what happens to probes, and answers what is wrong."""

    def __init__(
        self,
        sights: Mapping[str, Sight],
        baselines: Baselines,
        *,
        incidents: Iterable[Incident] = (),
        wall: Callable[[float], float] = lambda moment: moment,
    ) -> None:
        """`sights` are kept up to date by the caller; `incidents`: what the last run left open.

        `wall` gives the Unix time of a moment, for the evidence.
        """
        self.baselines = baselines
        self._sights = sights
        self._wall = wall
        self._lessons = Lessons(baselines)
        self._history = History(sights, baselines, self._lessons)
        self._walk = Walk()
        self._bursts = Bursts()
        self._routes: dict[RouteKey, Route] = {}
        self._relays: Mapping[str, Relay] = {}
        self._learned: dict[RouteKey, None] = {}
        self._topology = Topology(())
        self._declared: dict[Component, tuple[Named, ...]] = {}
        self._docket = Docket(incidents)
        self._restored = [*self._docket.open.values()]
        self._cases: list[Case] = []
        self._tie: Case | None = None
        self._question: float | None = None  # Since when there is an alarm that nothing explains.
        self._throttled: dict[str, float] = {}
        self._covered: dict[Component, frozenset[RouteKey]] = {}
        self._rivals: tuple[RouteKey, ...] = ()  # Where the best explanations differ.
        self._turn = 0

    @property
    def open(self) -> tuple[Incident, ...]:
        """The open incidents, the newest first."""
        return tuple(sorted(self._docket.open.values(), key=lambda one: -one.opened))

    # ---- what there is

    def follow(
        self,
        routes: Iterable[Route],
        relays: Mapping[str, Relay],
        *,
        slow_after: float = 5.0,
    ) -> None:
        """From now on these routes are in force."""
        self._routes = {route.key: route for route in routes}
        self._relays = relays
        self._history.slow_after = slow_after
        known = {(key.relay, "", key.sender, key.mailbox) for key in self._routes if not key.node}
        self._learned = {
            key: None for key in self._learned if (key.relay, "", key.sender, key.mailbox) in known
        }
        self._arrange()

    def forget(self, relay: str, node: str) -> None:
        """A learned node is gone."""
        gone = [key for key in self._learned if (key.relay, key.node) == (relay, node)]
        for key in gone:
            del self._learned[key]
        if gone:
            self._arrange()

    def _arrange(self) -> None:
        self._topology = Topology(self._routes.values(), self._learned)
        fact = math.exp(self._topology.threshold / 2 + 0.05)
        self._history.fact_odds = (fact - 1.0 + DESIGN_SHARE) / DESIGN_SHARE
        self._covered.clear()
        self._walk.restart()

    # ---- what happens

    def launched(self, probe: Probe) -> None:
        """A probe is about to be submitted."""
        self._history.launched(probe)

    def entered(self, sequence: int, phase: Phase | None, moment: float) -> None:
        """A submission has come to a phase, or pauses (None)."""
        self._history.entered(sequence, phase, moment)

    def attempted(self, sequence: int, attempt: Attempt, learned: str) -> None:
        """A submission has ended; `learned` is the node that its greeting told, if so."""
        one = self._history.submitting.get(sequence)
        self._history.attempted(sequence, attempt, learned)
        if one is None:
            return
        reply = attempt.reply
        if reply is not None and (reply.code == 421 or reply.enhanced.startswith("4.7.")):
            self._throttled[one.key.relay] = attempt.ended + THROTTLED
        if learned and one.key not in self._topology and one.key not in self._learned:
            self._learned[one.key] = None
            self._arrange()

    def changed(self, change: Change) -> None:
        """The ledger has decided something."""
        self._history.changed(change)

    def declare(self, component: Component, faults: tuple[Named, ...]) -> None:
        """What is known to be wrong with a component by itself, without any probe."""
        if faults:
            self._declared[component] = faults
        else:
            self._declared.pop(component, None)

    # ---- a look at everything

    def tick(self, now: float) -> Diagnosis:
        """Look at everything; to be called about twice a second, and after a failure."""
        self._prepare(now)
        sums = self._sum(now)
        self._decide(sums, now)
        accusations = [*self._review(now), *self._declarations(now)]
        self._docket.accuse(_united(accusations), now)
        self._lessons.pass_on(now, self._troubled(sums))
        wishes = tuple(self._wishes(sums, now))
        asking = self._question is not None and not self._has_answered(self._question)
        return Diagnosis(wishes, self._docket.told(), tuple(self._sights) if asking else ())

    def has_answered(self, since: float) -> bool:
        """Whether anything outside has answered us since then: a relay, or another mailbox."""
        return self._has_answered(since)

    def _prepare(self, now: float) -> None:
        if dropped := self._history.forget(now):
            self._walk.dropped(dropped)
        if self._history.amended:
            self._history.amended = False
            self._walk.restart()
        for incident in self._restored:
            self._resume(incident, now)
        self._restored.clear()

    def _resume(self, incident: Incident, now: float) -> None:
        """Go on with an incident of the last run, if it was one that probes have told of."""
        component = incident.component
        if not self._routes_of(component) or incident.share is None:
            return
        self._cases.append(
            Case(
                component,
                opened=incident.opened,
                since=incident.since,
                blames=BIT[component.kind],
                alternatives=incident.alternatives,
                faults={one.fault: one.since for one in incident.faults},
                share=incident.share,
                confirmed=now if incident.confirmed else None,
            )
        )

    def _sum(self, now: float) -> Sums:
        def weigh(one: Observation) -> Weight | None:
            weight = self._history.weigh(one, now)
            return None if weight is None or self._is_explained(one, weight) else weight

        return self._walk.on(self._history.observations, self._topology, weigh=weigh)

    def _is_explained(self, one: Observation, weight: Weight) -> bool:
        """Whether it belongs to an incident, one that is over or one that is not."""
        return one.spent or any(
            weight.blames & case.blames and one.key in self._routes_of(case.component)
            for case in self._cases
        )

    def _routes_of(self, component: Component) -> frozenset[RouteKey]:
        if component not in self._covered:
            self._covered[component] = self._topology.covered(component)
        return self._covered[component]

    # ---- naming

    def _decide(self, sums: Sums, now: float) -> None:
        """Where there is an alarm, name what explains it, or say that nothing is decided."""
        if not sums.nats or sums.nats[sums.highest] < self._topology.threshold:
            self._question, self._rivals = None, ()
            if self._tie is not None:
                self._end(self._tie, now)
            self._bursts.settled()
            return
        if self._question is None:
            self._question = now
        onset = sums.onset[sums.highest]
        seen = [*self._seen(onset, now)]
        struck = 0 if self._may_be_us(seen, onset) else BIT[Kind.PROBER]
        if not struck and now - onset < UNANSWERED:
            return
        ranking = localise.rank(
            localise.collect((one.observation.key, one.weight) for one in seen),
            self._topology,
            struck=struck,
            given=self._given(),
        )
        named = [
            number
            for number in sorted(ranking.best.members)
            if number not in self._given()
            and ranking.margin(number) >= MARGIN
            and self._is_supported(number, seen, alone=len(ranking.best.members) == 1)
        ]
        for number in named:
            self._name(number, seen, struck=struck, now=now)
        if not named:
            self._ponder(ranking, seen, now)

    def _seen(self, since: float, now: float) -> Iterator[Seen]:
        """What counts since then, oldest first."""
        for one in self._history.since(since):
            if not one.spent:
                weight = self._history.weigh(one, now)
                if weight is not None:
                    yield Seen(one, weight)

    def _given(self) -> list[int]:
        numbers = (self._topology.index(case.component) for case in self._cases)
        return [number for number in numbers if number is not None]

    def _may_be_us(self, seen: Sequence[Seen], onset: float) -> bool:
        """Whether everything failed without any answer, and nothing else answered meanwhile."""
        failures = [one for one in seen if one.failed]
        local = (
            one.observation.failure.is_local
            if one.observation.failure is not None
            else one.observation.phase in (Phase.DNS, Phase.CONNECT)
            for one in failures
        )
        return bool(failures) and all(local) and not self._has_answered(onset)

    def _has_answered(self, since: float) -> bool:
        proofs = (sight.proof for sight in self._sights.values())
        return self._history.answered > since or any(p is not None and p > since for p in proofs)

    def _is_supported(self, number: int, seen: Sequence[Seen], *, alone: bool) -> bool:
        """Whether it failed often enough, and not at one moment only; facts need no more."""
        series = self._topology.series[number]
        failures = [
            one
            for one in seen
            if one.failed
            and one.observation.key in series.routes
            and one.weight.blames & series.kinds
        ]
        if not alone and sum(one.weight.nats() for one in failures) < self._topology.threshold:
            return False
        if sum(one.fact for one in failures) >= 2:
            return True
        moments = {int(one.observation.slot) for one in failures}
        return len(failures) >= 3 and len(moments) >= 2

    def _name(self, number: int, seen: Sequence[Seen], *, struck: int, now: float) -> None:
        series = self._topology.series[number]
        failures = [
            one
            for one in seen
            if one.failed
            and one.observation.key in series.routes
            and one.weight.blames & series.kinds
        ]
        common = series.kinds & ~struck
        for one in failures:
            common = common & one.weight.blames or common
        names = [name for name in series.names if BIT[name.kind] & common]
        if not struck:  # Nothing has answered: it is us, and not all of them at once.
            names.sort(key=lambda name: name.kind is not Kind.PROBER)
        case = Case(
            names[0],
            opened=now,
            since=min((one.observation.slot for one in failures), default=now),
            blames=sum({BIT[name.kind] for name in names}),
            alternatives=tuple(names[1:]) if struck else (),
        )
        self._open(case, now)

    def _open(self, case: Case, now: float) -> None:
        """A case begins; those that are part of it become it."""
        routes = self._routes_of(case.component)
        parts = [one for one in self._cases if self._routes_of(one.component) < routes]
        former = [*parts, *([self._tie] if self._tie is not None else [])]
        self._tie = None
        for one in sorted(former, key=lambda one: one.opened):
            case.since = min(case.since, one.since)
            case.opened = min(case.opened, one.opened)
            self._docket.rename(one.component, case.component, now)
        self._cases = [one for one in self._cases if one not in parts]
        self._cases.append(case)
        self._question, self._rivals = None, ()
        self._bursts.settled()
        for key in routes:
            self._bursts.calm((key.relay, key.node))
        self._walk.restart()

    def _ponder(self, ranking: localise.Ranking, seen: Sequence[Seen], now: float) -> None:
        """Nothing is decided: find out where the best explanations differ, and say so in time."""
        rivals = [one for one in ranking.rivals(MARGIN) if one.members]
        covers = [self._cover(one.members) for one in rivals]
        differing = next((one ^ covers[0] for one in covers[1:] if one != covers[0]), frozenset())
        self._rivals = tuple(sorted(differing))
        facts = sum(one.fact for one in seen if one.failed) >= 2
        patience = UNDECIDED_FACT if facts else UNDECIDED
        since = self._question if self._question is not None else now
        if self._tie is not None or now - since < patience or not rivals:
            return
        numbers = dict.fromkeys(number for one in rivals for number in sorted(one.members))
        contenders = [self._topology.series[number].first for number in numbers]
        failures = [one.observation.slot for one in seen if one.failed]
        self._tie = Case(
            tie_of(contenders),
            opened=now,
            since=min(failures, default=now),
            blames=sum(BIT.values()),
            alternatives=tuple(contenders),
            tie=True,
        )

    def _cover(self, members: Iterable[int]) -> frozenset[RouteKey]:
        return frozenset().union(*(self._topology.series[number].routes for number in members))

    # ---- until it is over

    def _review(self, now: float) -> Iterator[Accusation]:
        """Every case as it stands; what is over is closed."""
        for case in [*self._cases]:
            if not self._routes_of(case.component):
                self._cases.remove(case)
                self._docket.close(case.component, End.RETIRED, now)
                continue
            found = assess(self._own(case, now), now)
            case.update(found, now, self._topology.threshold)
            if found.is_over(now):
                self._end(case, now)
                continue
            if recovered := found.recovered():
                self._narrow(case, found, recovered, now)
            yield self._told(case, now)
        if self._tie is not None:
            found = assess(self._own(self._tie, now), now)
            self._tie.update(found, now, self._topology.threshold)
            self._tie.confirmed = None
            yield self._told(self._tie, now)

    def _told(self, case: Case, now: float) -> Accusation:
        """What is held against it; the details are as they were a moment ago, if it is the same."""
        if case.details is None or now - case.detailed >= REFRESH:
            routes = self._routes_of(case.component)
            seen = self._seen(max(case.since, now - RECENT), now)
            others = (one for one in seen if one.observation.key not in routes)
            case.details = details(
                case.component,
                case.found.failures,
                others,
                relays=self._relays,
                now=now,
                wall=self._wall,
            )
            case.detailed = now
        return accusation(case, case.details)

    def _own(self, case: Case, now: float) -> Iterator[Seen]:
        """What was seen of a case's routes that can be blamed on it."""
        routes = self._routes_of(case.component)
        for one in self._history.since(case.since):
            if one.spent or one.key not in routes:
                continue
            weight = self._history.weigh(one, now)
            if weight is not None and weight.blames & case.blames:
                yield Seen(one, weight)

    def _narrow(self, case: Case, found: Assessment, well: Sequence[str], now: float) -> None:
        """A part of a component is well again: what is left of it may be another one."""
        since = min(found.runs[node].last_failed for node in well)
        routes = self._routes_of(case.component)
        seen = [one for one in self._own(case, now) if one.observation.slot > since]
        evidence = localise.collect((one.observation.key, one.weight) for one in seen)
        ranking = localise.rank(evidence, self._topology, struck=BIT[Kind.PROBER])
        members = sorted(ranking.best.members)
        if not members or any(ranking.margin(number) < MARGIN for number in members):
            return
        if not self._cover(members) < routes:
            return
        old = case.component
        self._cases.remove(case)
        for place, number in enumerate(members):
            series = self._topology.series[number]
            part = replace(
                case,
                component=series.first,
                blames=series.kinds,
                alternatives=series.names[1:],
                faults=dict(case.faults),
                details=None,
            )
            self._cases.append(part)
            if not place:
                self._docket.rename(old, part.component, now)
                case.component = part.component
        self._walk.restart()

    def _end(self, case: Case, now: float) -> None:
        """A case is over: nothing of it counts any more."""
        for seen in [*self._own(case, now)]:
            seen.observation.spent = True
        if case is self._tie:
            self._tie = None
        else:
            self._cases.remove(case)
        for relay in {key.relay for key in self._routes_of(case.component)}:
            confirmed = case.confirmed is not None
            self._lessons.ended(relay, case.since, now, confirmed=confirmed)
        self._walk.restart()

    def _declarations(self, now: float) -> Iterator[Accusation]:
        for component, faults in self._declared.items():
            yield Accusation(
                component,
                since=min(one.since for one in faults),
                faults=tuple(
                    Grievance(one.fault, one.since, confirmed=now if one.confirmed(now) else None)
                    for one in faults
                ),
                evidence=tuple(line for one in faults for line in one.evidence),
            )

    def _troubled(self, sums: Sums) -> dict[str, float]:
        """Since when each relay is in trouble, if it is."""
        troubled: dict[str, float] = {}
        spans = [(self._routes_of(case.component), case.since) for case in self._cases]
        for number, nats in enumerate(sums.nats):
            if nats >= self._topology.threshold:
                spans.append((self._topology.series[number].routes, sums.onset[number]))
        for routes, since in spans:
            for relay in {key.relay for key in routes}:
                troubled[relay] = min(since, troubled.get(relay, since))
        return troubled

    # ---- what to send

    def _wishes(self, sums: Sums, now: float) -> Iterator[RouteKey]:
        """Confirmation probes, within all caps; none to a relay that says we are too many."""
        ranked = self._suspect(sums, now)
        bursts = self._bursts
        wanted: list[RouteKey] = [*bursts.due(now, ranked)]
        if self._rivals:
            routes = sorted({asked for key in self._rivals if (asked := self._asked(key))})
            wanted += bursts.deciding(now, routes)
        for case in self._cases:
            wanted += self._recheck(case, now)
        for key in wanted:
            if self._throttled.get(key.relay, -math.inf) <= now:
                yield key

    def _asked(self, key: RouteKey) -> RouteKey | None:
        """The route in force on which this one is probed: a learned node is met by chance."""
        if key in self._routes:
            return key
        anonymous = replace(key, node="")
        return anonymous if anonymous in self._routes else None

    def _suspect(self, sums: Sums, now: float) -> list[NodeName]:
        """Begin the bursts that are called for; all nodes by how suspicious they are."""
        heat: dict[NodeName, float] = {}
        for key in self._suspicious(sums, now):
            asked = self._asked(key)
            if asked is None:
                continue
            node = (asked.relay, asked.node)
            heat[node] = max(heat.get(node, 0.0), self._heat(key, sums))
            newest = self._newest(key, now)
            if newest is not None and newest.slot > self._bursts.began(node):
                self._bursts.suspect(node, self._turns(asked), self._sibling(asked), now)
        others = sorted({(key.relay, key.node) for key in self._routes} - heat.keys())
        return [*sorted(heat, key=lambda node: -heat[node]), *others]

    def _suspicious(self, sums: Sums, now: float) -> Iterator[RouteKey]:
        """The routes on which something looks wrong that no incident explains."""
        for key in self._topology.routes():
            if sums.nats and self._heat(key, sums) >= self._least_heat(key.relay):
                yield key
        for one in self._history.submitting.values():
            dawdling = now - one.since > self._history.limit(one) - self._history.slow_after / 2
            if one.phase is not None and dawdling and one.key in self._routes:
                yield one.key

    def _heat(self, key: RouteKey, sums: Sums) -> float:
        """The sum of the narrowest series of this route (nats)."""
        members = self._topology.members.get(key, ())
        narrow = min(members, key=lambda n: len(self._topology.series[n].routes), default=None)
        return 0.0 if narrow is None else sums.nats[narrow]

    def _least_heat(self, relay: str) -> float:
        failure = 1.0 - DESIGN_SHARE + DESIGN_SHARE / self.baselines.failing_share(relay)
        return min(SUSPICIOUS, 0.9 * math.log(failure))

    def _newest(self, key: RouteKey, now: float) -> Observation | None:
        """The newest probe of a route, if it is one that looks wrong."""
        for one in reversed(self._history.observations):
            if one.key == key:
                weight = self._history.weigh(one, now)
                if weight is not None:
                    wrong = weight.nats() > 0.0 and not self._is_explained(one, weight)
                    return one if wrong else None
                if one.phase is not None:
                    late = now - one.since > self._history.limit(one) / 2
                    return one if late and not self._is_explained_key(one.key) else None
        return None

    def _is_explained_key(self, key: RouteKey) -> bool:
        return any(key in self._routes_of(case.component) for case in self._cases)

    def _turns(self, suspect: RouteKey) -> list[RouteKey]:
        """The routes of a node, the suspect first."""
        keys = sorted(
            key for key in self._routes if (key.relay, key.node) == (suspect.relay, suspect.node)
        )
        place = keys.index(suspect)
        return [*keys[place:], *keys[:place]]

    def _sibling(self, suspect: RouteKey) -> RouteKey | None:
        """The same way through another node, of the same relay if it has one."""
        others = sorted(
            (
                key
                for key in self._routes
                if (key.sender, key.mailbox) == (suspect.sender, suspect.mailbox)
                and (key.relay, key.node) != (suspect.relay, suspect.node)
            ),
            key=lambda key: (key.relay != suspect.relay, key <= suspect, key),
        )
        return others[0] if others else None

    def _recheck(self, case: Case, now: float) -> Iterator[RouteKey]:
        young = now - case.opened < RECHECKED
        if now - case.rechecked < RECHECK:
            return
        found = case.found
        if not (young or found.good):
            return
        asked = {self._asked(key) for key in self._routes_of(case.component)}
        failing = {node for node, run in found.runs.items() if run.failures}
        routes = sorted(key for key in asked if key is not None)
        routes = [key for key in routes if key.node in failing] or routes
        if routes:
            case.rechecked = now
            self._turn += 1
            yield from self._bursts.recheck(now, routes[self._turn % len(routes)])


def _united(accusations: Sequence[Accusation]) -> list[Accusation]:
    """One accusation for each component: what probes tell leads, what is known besides follows."""
    united: dict[Component, Accusation] = {}
    for one in accusations:
        first = united.get(one.component)
        if first is None:
            united[one.component] = one
            continue
        known = {grievance.fault for grievance in first.faults}
        more = tuple(grievance for grievance in one.faults if grievance.fault not in known)
        united[one.component] = replace(
            first,
            since=min(first.since, one.since),
            faults=(*first.faults, *more),
            evidence=(*first.evidence, *one.evidence),
        )
    return [*united.values()]
