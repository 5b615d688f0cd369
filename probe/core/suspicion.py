"""What the failures of one probe on every route point at.

One probe is too little to name anybody; it is enough to know where to look first.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from probe.core.component import Component, Fault, Kind, fault_of
from probe.core.detection.observation import BIT, EVERYBODY, blamed
from probe.core.detection.topology import names_of
from probe.core.finding import Finding
from probe.core.incident import MOST_EVIDENCE
from probe.core.model import Phase, Reason, State
from probe.core.record import Bad, Good
from probe.core.sentence import listed, name
from probe.core.status import ComponentStatus, FaultStatus

_AFTERWARDS = {Reason.ACK_LOST, Reason.OVERDUE, Reason.BOUNCED, Reason.JUNK, Reason.CONTENT}
_NOBODY_ANSWERED = {Reason.DNS_ERROR, Reason.CONNECT_TIMEOUT}
# Where two of them explain the same failures, the one of the first kind is meant.
_ORDER = (Kind.NODE, Kind.RELAY, Kind.MAILBOX, Kind.SENDER, Kind.ROUTE)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A component without which some failures would not have been."""

    component: Component
    faults: tuple[Fault, ...]  # The leading one first.
    evidence: tuple[str, ...] = ()
    alternatives: tuple[Component, ...] = ()  # Those that explain the same failures.

    def __str__(self) -> str:
        """The suspicion as a sentence."""
        others = listed([name(one) for one in self.alternatives], "or")
        also = f", or as well at {others}" if others else ""
        faults = listed([fault.value for fault in self.faults])
        return f"This points at {name(self.component)} ({faults}){also}."


def suspects(
    findings: Iterable[Finding], *, answered: bool, resolved: bool = True
) -> tuple[Suspect, ...]:
    """The fewest components that every failing route shares and no passing route uses.

    `answered`: whether anything else did, a mailbox or a resolver, so that our own network works;
    `resolved`: whether any resolver did, and so could have told where a relay is.
    """
    findings = list(findings)
    failed = [one for one in findings if _reason(one) is not None]
    passed = any(isinstance(one.verdict, Good) for one in findings)
    silent = bool(failed) and all(map(_is_silent, failed)) and not answered
    nameless = bool(failed) and all(map(_is_nameless, failed)) and not resolved
    if (silent and not passed) or nameless:
        return (_suspect([Component(Kind.PROBER)], failed),)
    return tuple(_explained(failed, _explanations(findings)))


def components(
    findings: Sequence[Finding],
    suspected: Sequence[Suspect],
    known: Sequence[ComponentStatus],
    now: float,
) -> tuple[ComponentStatus, ...]:
    """Every component and how it stands at `now` (Unix time); `known`: what is known by facts."""
    stated = {one.component: one for one in known}
    accused = {one.component: one for one in suspected}
    singles = {c for one in findings for c in names_of(one.route) if c.kind is not Kind.ROUTE}
    well = {c for one in findings if isinstance(one.verdict, Good) for c in names_of(one.route)}
    named = [*sorted(singles | stated.keys()), *sorted(accused.keys() - singles - stated.keys())]
    untold = {one: State.OK if one in well else State.UNKNOWN for one in named}
    return tuple(
        _status(
            stated.get(one, ComponentStatus(one, untold[one], now)),
            accused.get(one),
            now,
        )
        for one in named
    )


def _status(status: ComponentStatus, suspect: Suspect | None, now: float) -> ComponentStatus:
    """As it is known, and with what it is suspected of."""
    if suspect is None:
        return status
    known = {one.fault for one in status.faults}
    added = (
        FaultStatus(fault, now, evidence=suspect.evidence)
        for fault in suspect.faults
        if fault not in known
    )
    return replace(
        status,
        state=State.DOWN if status.state is State.DOWN else State.DEGRADED,
        faults=(*status.faults, *added),
        alternatives=suspect.alternatives,
    )


def _reason(finding: Finding) -> Reason | None:
    """Why a probe failed, by somebody else's fault."""
    match finding.verdict:
        case Bad(reason) if reason is not Reason.PROBER_ERROR:
            return reason
        case _:
            return None


def _is_silent(finding: Finding) -> bool:
    """Whether nothing answered, so that it may be our own network."""
    return finding.unrouted or _reason(finding) in _NOBODY_ANSWERED


def _is_nameless(finding: Finding) -> bool:
    """Whether nobody said where the relay is."""
    return _reason(finding) is Reason.DNS_ERROR


def _explanations(findings: Sequence[Finding]) -> dict[Component, list[Finding]]:
    """What each component would explain, if no probe came through it."""
    explained: dict[Component, list[Finding]] = defaultdict(list)
    passing: set[Component] = set()
    for one in findings:
        if isinstance(one.verdict, Good):
            passing.update(names_of(one.route))
        for component in names_of(one.route):
            if component.kind is not Kind.PROBER and BIT[component.kind] & _blames(one):
                explained[component].append(one)
    return {one: those for one, those in explained.items() if one not in passing}


def _blames(finding: Finding) -> int:
    """The kinds that a failure can be blamed on, as bits."""
    reason = _reason(finding)
    if reason is None:
        return 0
    if reason is Reason.DNS_ERROR:
        return BIT[Kind.RELAY]
    if reason in _AFTERWARDS:
        return EVERYBODY
    return blamed(finding.phases[-1].phase if finding.phases else Phase.CONNECT)


def _explained(
    failed: Collection[Finding], explanations: Mapping[Component, list[Finding]]
) -> Iterator[Suspect]:
    """What explains the most of what is left, until nothing does."""
    left = list(failed)
    while left:
        covers = {
            component: cover
            for component, those in explanations.items()
            if (cover := [one for one in left if one in those])
        }
        if not covers:
            break
        ranked = sorted(covers, key=lambda c: (-len(covers[c]), _ORDER.index(c.kind), c))
        best = covers[ranked[0]]
        alike = [c for c in ranked if covers[c] == best and c.kind is not Kind.ROUTE]
        yield _suspect(alike or ranked[:1], best)
        left = [one for one in left if one not in best]
    yield from _at_times(left)


def _at_times(failed: Iterable[Finding]) -> Iterator[Suspect]:
    """Failures on the side of the relay, with a machine that other probes came through."""
    by_machine: dict[Component, list[Finding]] = defaultdict(list)
    for one in failed:
        relay, node = one.route.relay, one.route.node
        by_machine[Component(Kind.NODE if node else Kind.RELAY, relay, node)].append(one)
    for machine, those in by_machine.items():
        suspect = _suspect([machine], those)
        yield replace(suspect, faults=(*suspect.faults, Fault.INTERMITTENT))


def _suspect(alike: Sequence[Component], failed: Sequence[Finding]) -> Suspect:
    counts = Counter(fault for one in failed if (fault := _fault(one)) is not None)
    order = list(Fault)
    faults = sorted(counts, key=lambda fault: (-counts[fault], order.index(fault)))
    evidence = tuple(f"{one.route}: {one.words}" for one in failed[:MOST_EVIDENCE])
    return Suspect(alike[0], tuple(faults), evidence, tuple(alike[1:]))


def _fault(finding: Finding) -> Fault | None:
    reason = _reason(finding)
    greeted = any(timed.phase is Phase.EHLO for timed in finding.phases)
    return None if reason is None else fault_of(reason, greeted=greeted)
