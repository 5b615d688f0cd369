"""A case as it is told: the evidence in lines, what works meanwhile, and which standby does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from probe.core.component import Component, Fault, Kind
from probe.core.detection.case import Case, Details, Seen
from probe.core.detection.docket import Accusation
from probe.core.detection.topology import names_of
from probe.core.incident import MOST_EVIDENCE, Grievance
from probe.core.model import Relay, Role, RouteKey
from probe.core.rfc3339 import rfc3339

_NEWEST = MOST_EVIDENCE - 5
_MOST_UNAFFECTED = 20


def details(
    component: Component,
    failures: Sequence[Seen],
    others: Iterable[Seen],
    *,
    relays: Mapping[str, Relay],
    now: float,
    wall: Callable[[float], float],
) -> Details:
    """`others`: all that was seen meanwhile, elsewhere; `wall` gives the Unix time of a moment."""
    well = _well(others)
    return Details(
        evidence=tuple(_lines(failures, now, wall)),
        unaffected=tuple(_unaffected(component, well))[:_MOST_UNAFFECTED],
        standby=tuple(_standby(component, well, relays)),
    )


def accusation(case: Case, known: Details) -> Accusation:
    """What is held against a component."""
    return Accusation(
        component=case.component,
        since=case.since,
        faults=grievances(case),
        share=case.share,
        alternatives=case.alternatives,
        evidence=known.evidence,
        unaffected=known.unaffected,
        standby=known.standby,
    )


def grievances(case: Case) -> tuple[Grievance, ...]:
    """The faults of a case, the leading one first."""
    return tuple(
        Grievance(fault, since, None if case.confirmed is None else max(case.confirmed, since))
        for fault, since in case.faults.items()
    )


def _lines(failures: Sequence[Seen], now: float, wall: Callable[[float], float]) -> Iterator[str]:
    chosen = failures if len(failures) <= MOST_EVIDENCE else [*failures[:5], *failures[-_NEWEST:]]
    for seen in reversed(chosen):
        one = seen.observation
        moment = rfc3339(wall(one.slot))[11:19]
        yield f"{moment} {one.key}: {_text(seen, now)}"


def _text(seen: Seen, now: float) -> str:
    one = seen.observation
    if one.failure is not None:
        came = ""
        if one.failure.fault is Fault.HOLDING and one.arrived is not None and one.accepted:
            came = f"; it came after {one.arrived - one.accepted:.0f} s"
        return one.failure.text + came
    if one.accepted is not None and one.arrived is not None:
        return f"{one.reply}, and it came after {one.arrived - one.accepted:.0f} s"
    if one.accepted is not None:
        return f"{one.reply}, and it is not there {now - one.accepted:.0f} s later"
    return f"no answer for {now - one.since:.0f} s in the phase {one.phase}"


def _well(others: Iterable[Seen]) -> dict[Component, int]:
    """The components that work: how many probes of theirs came on time, where none failed."""
    came: Counter[RouteKey] = Counter()
    failed: set[RouteKey] = set()
    for seen in others:
        if seen.failed:
            failed.add(seen.observation.key)
        elif seen.good:
            came[seen.observation.key] += 1
    good: Counter[Component] = Counter()
    for key, count in came.items():
        good.update(dict.fromkeys(names_of(key), count))
    bad = {name for key in failed for name in names_of(key)}
    return {name: good[name] for name in sorted(good) if name not in bad}


def _unaffected(accused: Component, well: Mapping[Component, int]) -> Iterator[str]:
    """The siblings of the accused that work."""
    for name, count in well.items():
        sibling = name.kind is accused.kind and name != accused
        if name.kind is Kind.NODE and accused.relay:
            sibling = sibling and name.relay == accused.relay
        if accused.kind is Kind.ROUTE:
            sibling = name.kind in (Kind.NODE, Kind.MAILBOX)
        if sibling and name.kind is not Kind.ROUTE:
            probes = "1 probe" if count == 1 else f"{count} probes"
            yield f"{name}: {probes} on time lately"


def _standby(
    accused: Component, well: Mapping[Component, int], relays: Mapping[str, Relay]
) -> Iterator[str]:
    for name in well:
        relay = relays.get(name.relay)
        standby = relay is not None and relay.role is Role.STANDBY
        if name.kind is Kind.RELAY and standby and name.relay != accused.relay:
            yield name.relay


def tie_of(contenders: Sequence[Component]) -> Component:
    """Several that cannot be told apart, as one component with the labels of all of them."""
    tie = Component(Kind.ROUTE)
    for one in contenders:
        tie = replace(
            tie,
            relay=tie.relay or one.relay,
            node=tie.node or one.node,
            sender=tie.sender or one.sender,
            mailbox=tie.mailbox or one.mailbox,
        )
    return tie
