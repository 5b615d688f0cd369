"""What can be at fault, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from probe.core.model import State

CONFIRMED_AFTER = 45.0  # s that a fault must persist before it may page: a restart is over by then.


class Kind(StrEnum):
    """The kinds of components that are looked at."""

    MAILBOX = "mailbox"


class Fault(StrEnum):
    """What is wrong with a component; the leading one first."""

    UNREADABLE = "unreadable"
    FULL = "full"


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """What can be at fault, by the labels of its series; empty where one does not apply."""

    kind: Kind
    relay: str = ""
    node: str = ""
    sender: str = ""
    mailbox: str = ""
    flow: str = ""

    def __str__(self) -> str:
        """The component as people and logs see it."""
        names = (self.relay, self.node, self.sender, self.mailbox, self.flow)
        return f"{self.kind} {'/'.join(filter(None, names))}"


@dataclass(frozen=True, slots=True)
class Named:
    """A fault that is named."""

    fault: Fault
    since: float
    evidence: tuple[str, ...]  # One line each, newest first.

    def confirmed(self, now: float) -> bool:
        """Whether it has persisted for so long that it may page."""
        return now - self.since >= CONFIRMED_AFTER


def state_of(faults: tuple[Named, ...], *, blind: bool) -> State:
    """How a component with these faults is doing; `blind`: nothing can be seen of it."""
    if any(named.fault is Fault.UNREADABLE for named in faults):
        return State.DOWN
    if faults:
        return State.DEGRADED
    return State.UNKNOWN if blind else State.OK
