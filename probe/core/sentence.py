"""What is wrong, in sentences: for the log, the page, and whoever is woken up by it.

Moments are Unix times. Evidence comes as it is: cleaned, and not escaped for any medium.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from probe.core.component import Component, Fault, Kind
from probe.core.duration import in_words
from probe.core.incident import End, Incident, Share
from probe.core.rfc3339 import rfc3339

_MOST_LISTED = 3
_MOST_SUSPECTS = 5


def listed(names: Sequence[str], conjunction: str = "and", *, most: int = _MOST_LISTED) -> str:
    """Some names, as a part of a sentence; beyond `most` they are counted."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return f" {conjunction} ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))


def capitalised(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def name(component: Component) -> str:
    """A component within a sentence; a combination as the way that mail takes through it."""
    match component.kind:
        case Kind.PROBER:
            return "the prober"
        case Kind.ROUTE:
            return f"the way {_way(component)}"
        case Kind.RELAY | Kind.NODE | Kind.SENDER | Kind.MAILBOX:
            return str(component)
        case _:
            assert_never(component.kind)


def subject(component: Component, alternatives: Sequence[Component] = ()) -> str:
    """Who is at fault; of several that cannot be told apart, all."""
    if component.kind is Kind.ROUTE and alternatives:
        names = [name(one) for one in alternatives]
        certain = "either" if len(names) > 1 else "perhaps"
        return f"{certain} {listed(names, 'or', most=_MOST_SUSPECTS)}"
    return name(component)


def complaint(
    component: Component, faults: Sequence[Fault], alternatives: Sequence[Component] = ()
) -> str:
    """What is wrong with whom, as a sentence without its end; `faults`: the leading one first."""
    leading, *others = faults
    sometimes = "sometimes " if Fault.INTERMITTENT in others else ""
    steady = [leading, *(fault for fault in others if fault is not Fault.INTERMITTENT)]
    if component.kind is Kind.PROBER:
        return "The prober itself reaches nobody"
    if component.kind is Kind.ROUTE and alternatives:
        suffered = f"Mail {sometimes}{listed([_words(fault).suffers for fault in steady])}"
        return f"{suffered} because of {subject(component, alternatives)}"
    if _is_doer(component, leading):
        done = listed([_words(fault).does for fault in steady])
        return f"{capitalised(name(component))} {sometimes}{done}"
    suffered = listed([_words(fault).suffers for fault in steady])
    return f"Mail {_way(component)} {sometimes}{suffered}"


def doubt(component: Component, alternatives: Sequence[Component]) -> list[str]:
    """What it may be as well, if anything, in a sentence."""
    if not alternatives:
        return []
    if component.kind is Kind.ROUTE:
        one = len(alternatives) == 1
        return ["This is not certain yet." if one else "Which of them cannot be told yet."]
    others = listed([name(one) for one in alternatives], "or")
    return [f"It cannot be told apart from {others}."]


def share_said(share: Share) -> str:
    """How much fails, as a part of a sentence."""
    low, high = round(100 * share.low), round(100 * share.high)
    return f"{low} %" if low == high else f"{low} to {high} %"


def opening(incident: Incident) -> str:
    """That an incident has begun: who, what, since when, on what evidence, and what works."""
    began = f"It began at {rfc3339(incident.since)[11:19]} UTC"
    if incident.share is not None:
        began += f"; {share_said(incident.share)} of the probes fail"
    return " ".join([*_accusation(incident), f"{began}.", *works(incident)])


def turn(before: Incident, now: Incident) -> str:
    """What has become of an incident that goes on; empty if there is nothing to tell."""
    news = []
    if subject(before.component, before.alternatives) != subject(now.component, now.alternatives):
        news.append(f"Until now {subject(before.component, before.alternatives)} was suspected.")
    if _faults(before) != _faults(now):
        news.append(f"Until now it was {listed(_faults(before))}.")
    if now.confirmed and not before.confirmed:
        news.append(f"This is confirmed now, after {in_words(now.changed - now.since)}.")
    return " ".join([*_accusation(now), *news]) if news else ""


def ending(incident: Incident) -> str:
    """That an incident is over, how long it took, and whether it was ever certain."""
    who = capitalised(subject(incident.component, incident.alternatives))
    closed = incident.changed if incident.closed is None else incident.closed
    after = f"after {in_words(closed - incident.since)}"
    certain = "the incident was confirmed" if incident.confirmed else "it was never confirmed"
    match incident.end:
        case End.RECOVERED | End.BLIP | None:
            return f"{who} is well again {after}; {certain}."
        case End.MERGED:
            return f"{who} is not accused any more {after}; it was part of another incident."
        case End.RETIRED:
            return f"{who} is not probed any more {after}; {certain}."
        case _:
            assert_never(incident.end)


def told(incident: Incident, before: Incident | None) -> str:
    """What is new of an incident since it was `before`; empty if there is nothing to tell."""
    if incident.closed is not None:
        return ending(incident)
    return opening(incident) if before is None else turn(before, incident)


def works(incident: Incident) -> list[str]:
    """What works meanwhile, and what to turn to, in a sentence each."""
    said = []
    if incident.unaffected:
        names = [line.rpartition(": ")[0] or line for line in incident.unaffected]
        said.append(f"{capitalised(listed(names))} {'works' if len(names) == 1 else 'work'}.")
    if incident.standby:
        one = len(incident.standby) == 1
        relays, verb = ("relay", "works") if one else ("relays", "work")
        said.append(f"Standby {relays} {listed(incident.standby)} {verb}.")
    return said


def _accusation(incident: Incident) -> list[str]:
    faults = [grievance.fault for grievance in incident.faults]
    said = complaint(incident.component, faults, incident.alternatives)
    evidence = "".join(incident.evidence[:1]).rstrip(".: ")
    sentences = [f"{said}.", f"Last seen: {evidence}."] if evidence else [f"{said}."]
    return [*sentences, *doubt(incident.component, incident.alternatives)]


def _faults(incident: Incident) -> list[str]:
    return [grievance.fault.value for grievance in incident.faults]


def _is_doer(component: Component, fault: Fault) -> bool:
    """Whether a fault is said of the component, and not of the mail that suffers it."""
    own = component.kind is Kind.MAILBOX and fault in (Fault.UNREADABLE, Fault.FULL)
    return own or component.kind in (Kind.RELAY, Kind.NODE)


def _way(component: Component) -> str:
    """Where mail goes along that has to do with this component."""
    through = f"relay {component.relay}" if component.relay else ""
    if component.node:
        through = f"node {component.relay}/{component.node}"
    ends = (("from sender", component.sender), ("through", through))
    way = (*ends, ("to mailbox", component.mailbox))
    return " ".join(f"{preposition} {where}" for preposition, where in way if where)


@dataclass(frozen=True, slots=True)
class _Words:
    """A fault in words."""

    does: str  # What something with it does to users,
    suffers: str  # and what happens to mail that meets it.


def _words(fault: Fault) -> _Words:
    match fault:
        case Fault.UNREADABLE:
            return _Words("cannot be read", "cannot be read")
        case Fault.UNREACHABLE:
            return _Words("does not answer", "finds nobody who answers")
        case Fault.INSECURE:
            return _Words("has a fault in its TLS", "meets a fault in TLS")
        case Fault.REFUSING:
            return _Words("refuses mail", "is refused")
        case Fault.HOLDING:
            return _Words("accepts mail and holds it", "is accepted and held")
        case Fault.LATE:
            return _Words("delivers mail late", "arrives late")
        case Fault.BOUNCING:
            return _Words("bounces mail", "bounces")
        case Fault.SLOW:
            return _Words("accepts mail slowly", "is accepted slowly")
        case Fault.FULL:
            return _Words("is full", "finds a full mailbox")
        case Fault.MISFILING:
            return _Words("delivers mail that is filed as junk", "is filed as junk")
        case Fault.DUPLICATING:
            return _Words("delivers mail more than once", "arrives more than once")
        case Fault.ALTERING:
            return _Words("alters mail", "arrives altered")
        case Fault.UNAUTHENTICATED:
            return _Words("delivers mail that fails SPF, DKIM or DMARC", "fails SPF, DKIM or DMARC")
        case Fault.DNS:
            return _Words("has a fault in its DNS", "is at risk by a fault in its DNS")
        case Fault.INTERMITTENT:
            return _Words("fails now and then", "fails now and then")
        case _:
            assert_never(fault)
