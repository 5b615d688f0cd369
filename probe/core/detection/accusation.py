"""A case as it is told: the evidence in lines, what works meanwhile, and which standby does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import assert_never

from probe.core.component import Component, Fault, Kind
from probe.core.detection.assessment import Seen
from probe.core.detection.case import Case, Details, confirmable
from probe.core.detection.docket import Accusation
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
    came = Counter[RouteKey]()
    failed = set[RouteKey]()
    for seen in others:
        if seen.failed:
            failed.add(seen.observation.key)
        elif seen.good:
            came[seen.observation.key] += 1
    kinds = (Kind.NODE, Kind.MAILBOX) if component.kind is Kind.ROUTE else (component.kind,)
    siblings = [
        line for kind in kinds for line in _unaffected(component, _well(kind, came, failed))
    ]
    return Details(
        evidence=tuple(_lines(failures, now, wall)),
        unaffected=tuple(siblings[:_MOST_UNAFFECTED]),
        standby=tuple(_standby(component, _well(Kind.RELAY, came, failed), relays)),
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
        Grievance(fault, since, _confirmed(case, fault, since))
        for fault, since in case.faults.items()
    )


def _confirmed(case: Case, fault: Fault, since: float) -> float | None:
    """That something is intermittent is confirmed with the first fault that is."""
    intermittent = fault is Fault.INTERMITTENT
    moments = case.confirmed.values()
    known = min(moments, default=None) if intermittent else case.confirmed.get(confirmable(fault))
    return None if known is None else max(known, since)


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


def _well(
    kind: Kind, came: Mapping[RouteKey, int], failed: AbstractSet[RouteKey]
) -> dict[Component, int]:
    """What works of this kind: how many probes of theirs came on time, where none failed."""
    good: Counter[Component] = Counter()
    for key, count in came.items():
        if (name := _on(kind, key)) is not None:
            good[name] += count
    bad = {_on(kind, key) for key in failed}
    return {name: good[name] for name in sorted(good) if name not in bad}


def _on(kind: Kind, key: RouteKey) -> Component | None:
    """The component of this kind that a route goes through."""
    match kind:
        case Kind.RELAY:
            return Component(kind, relay=key.relay)
        case Kind.NODE:
            return Component(kind, relay=key.relay, node=key.node) if key.node else None
        case Kind.SENDER:
            return Component(kind, sender=key.sender)
        case Kind.MAILBOX:
            return Component(kind, mailbox=key.mailbox)
        case Kind.PROBER | Kind.ROUTE:
            return None
        case _:
            assert_never(kind)


def _unaffected(accused: Component, well: Mapping[Component, int]) -> Iterator[str]:
    """The siblings of the accused that work."""
    for name, count in well.items():
        stranger = name.kind is Kind.NODE and accused.relay and name.relay != accused.relay
        if name != accused and not stranger:
            probes = "1 probe" if count == 1 else f"{count} probes"
            yield f"{name}: {probes} on time lately"


def _standby(
    accused: Component, well: Mapping[Component, int], relays: Mapping[str, Relay]
) -> Iterator[str]:
    for name in well:
        relay = relays.get(name.relay)
        standby = relay is not None and relay.role is Role.STANDBY
        if standby and name.relay != accused.relay:
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
