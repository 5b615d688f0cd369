"""The incidents: each opens when a component is first accused, and closes when it no longer is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from probe.core.component import Component, Fault
from probe.core.incident import MOST_EVIDENCE, End, Grievance, Incident, Share

_FIRST = 5  # Lines of evidence that are kept from the beginning.


@dataclass(frozen=True, slots=True)
class Accusation:
    """What is held against a component at this moment."""

    component: Component
    since: float  # When its first failure was launched.
    faults: tuple[Grievance, ...]  # The leading one first.
    share: Share | None = None
    alternatives: tuple[Component, ...] = ()
    evidence: tuple[str, ...] = ()  # Newest first.
    unaffected: tuple[str, ...] = ()
    standby: tuple[str, ...] = ()


class Docket:
    """Keeps the open incidents; each component has one at most."""

    def __init__(self, incidents: Iterable[Incident] = ()) -> None:
        """`incidents`: what the last run left open."""
        incidents = [*incidents]
        self.open: dict[Component, Incident] = {one.component: one for one in incidents}
        self._stamp = max((int(one.id) for one in incidents if one.id.isdecimal()), default=0)
        self._told: list[Incident] = []

    def accuse(self, accusations: Sequence[Accusation], now: float) -> None:
        """This is all that is held against anybody; whoever is no longer accused is well again."""
        for one in accusations:
            before = self.open.get(one.component)
            if before is None:
                self._tell(self._opened(one, now))
            else:
                self._follow(before, one, now)
        accused = {one.component for one in accusations}
        for component in [*self.open]:
            if component not in accused:
                incident = self.open[component]
                self.close(component, End.RECOVERED if incident.confirmed else End.BLIP, now)

    def rename(self, old: Component, new: Component, now: float) -> None:
        """It turns out to be another component, or more of them."""
        before = self.open.pop(old, None)
        if before is None or new in self.open:
            if before is not None:
                self._tell(replace(before, changed=now, closed=now, end=End.MERGED))
            return
        faults = tuple(replace(one, confirmed=None) for one in before.faults)
        self.open[new] = replace(before, component=new, changed=now, faults=faults, alternatives=())
        self._told.append(self.open[new])

    def close(self, component: Component, end: End, now: float) -> None:
        """It is over."""
        incident = self.open.pop(component, None)
        if incident is not None:
            self._told.append(replace(incident, changed=now, closed=now, end=end))

    def told(self) -> tuple[Incident, ...]:
        """What has opened, changed or closed since last asked; each as it is now."""
        latest = {incident.id: incident for incident in self._told}
        self._told.clear()
        return tuple(latest.values())

    def _opened(self, one: Accusation, now: float) -> Incident:
        return Incident(
            id=self._id(now),
            component=one.component,
            opened=now,
            changed=now,
            since=one.since,
            faults=one.faults,
            share=one.share,
            alternatives=one.alternatives,
            evidence=one.evidence[:MOST_EVIDENCE],
            unaffected=one.unaffected,
            standby=one.standby,
        )

    def _follow(self, before: Incident, one: Accusation, now: float) -> None:
        after = replace(
            before,
            faults=tuple(_kept(grievance, before) for grievance in one.faults) or before.faults,
            share=one.share or before.share,
            alternatives=one.alternatives,
            evidence=_joined(one.evidence, before.evidence),
            unaffected=one.unaffected or before.unaffected,
            standby=one.standby,
        )
        if _gist(after) != _gist(before):
            self._tell(replace(after, changed=now))
        else:
            self.open[after.component] = after

    def _tell(self, incident: Incident) -> None:
        if incident.closed is None:
            self.open[incident.component] = incident
        self._told.append(incident)

    def _id(self, now: float) -> str:
        """One that no other incident has: the moment in milliseconds, or the next that is free."""
        self._stamp = max(int(now * 1000), self._stamp + 1)
        return str(self._stamp)


def _kept(grievance: Grievance, before: Incident) -> Grievance:
    """What has once been confirmed stays so to its end, also where a new run learns of it anew."""
    for known in before.faults:
        if known.fault is grievance.fault and known.confirmed is not None:
            return replace(grievance, since=known.since, confirmed=known.confirmed)
    return grievance


def _gist(incident: Incident) -> tuple[object, ...]:
    """What is worth telling when it changes."""
    faults: tuple[tuple[Fault, bool], ...] = tuple(
        (one.fault, one.confirmed is not None) for one in incident.faults
    )
    return faults, incident.alternatives, incident.standby


def _probe(line: str) -> str:
    """Which probe a line is about: its age may have changed since."""
    return line.partition(": ")[0]


def _joined(new: tuple[str, ...], old: tuple[str, ...]) -> tuple[str, ...]:
    """The newest lines, and the first ones."""
    if not new:
        return old
    probes = {_probe(line) for line in new}
    first = [line for line in old[-_FIRST:] if _probe(line) not in probes]
    return (*new[: MOST_EVIDENCE - len(first)], *first)
