"""What can be at fault, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from probe.core.model import Reason, RouteKey, State

CONFIRMED_AFTER = 45.0  # s that a fault must persist before it may page: a restart is over by then.
HELD_AFTER = 20.0  # s, if it is `holding`: a restart does not make accepted mail vanish.


class Kind(StrEnum):
    """The kinds of components."""

    PROBER = "prober"
    RELAY = "relay"
    NODE = "node"
    SENDER = "sender"
    MAILBOX = "mailbox"
    ROUTE = "route"  # A combination, or several components that cannot be told apart.


class Fault(StrEnum):
    """What is wrong with a component; of several that are as frequent, the first one leads."""

    UNREADABLE = "unreadable"  # Of a mailbox: we cannot read it.
    UNREACHABLE = "unreachable"  # No 220.
    INSECURE = "insecure"  # TLS fails, or a certificate is about to end.
    REFUSING = "refusing"
    HOLDING = "holding"  # Accepted, and nothing arrives.
    LATE = "late"  # As holding, once half of them have come.
    BOUNCING = "bouncing"
    SLOW = "slow"  # Accepts, but slowly.
    FULL = "full"  # Of a mailbox: over its quota.
    MISFILING = "misfiling"  # Into the junk folder.
    DUPLICATING = "duplicating"
    ALTERING = "altering"
    UNAUTHENTICATED = "unauthenticated"  # SPF, DKIM or DMARC fail at the receiver.
    DNS = "dns"  # Of a sender: a check that was well fails.
    INTERMITTENT = "intermittent"  # In addition: not everything fails.


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
        return " ".join(filter(None, (str(self.kind), "/".join(filter(None, names)))))

    def covers(self, key: RouteKey) -> bool:
        """Whether a route goes through it; through all of its members, if it is a combination."""
        asked = (self.relay, self.node, self.sender, self.mailbox)
        own = (key.relay, key.node, key.sender, key.mailbox)
        return all(not one or one == other for one, other in zip(asked, own, strict=True))


@dataclass(frozen=True, slots=True)
class Named:
    """A fault that is named."""

    fault: Fault
    since: float
    evidence: tuple[str, ...]  # One line each, newest first.

    def confirmed(self, now: float) -> bool:
        """Whether it has persisted for so long that it may page."""
        return now - self.since >= CONFIRMED_AFTER


def fault_of(reason: Reason, *, greeted: bool) -> Fault | None:
    """The fault that a failure for this reason shows; None where it is our own.

    `greeted`: whether the 220 had come: a relay that hangs up after it refuses to work.
    """
    match reason:
        case (
            Reason.DNS_ERROR
            | Reason.CONNECT_REFUSED
            | Reason.CONNECT_TIMEOUT
            | Reason.GREETING_TIMEOUT
        ):
            return Fault.UNREACHABLE
        case Reason.CONNECTION_LOST:
            return Fault.REFUSING if greeted else Fault.UNREACHABLE
        case Reason.TLS_ERROR:
            return Fault.INSECURE
        case Reason.AUTH_REJECTED | Reason.TEMP_REJECT | Reason.PERM_REJECT | Reason.PROTOCOL_ERROR:
            return Fault.REFUSING
        case Reason.TIMEOUT:
            return Fault.SLOW
        case Reason.ACK_LOST | Reason.OVERDUE:
            return Fault.HOLDING
        case Reason.BOUNCED:
            return Fault.BOUNCING
        case Reason.JUNK:
            return Fault.MISFILING
        case Reason.CONTENT:
            return Fault.ALTERING
        case Reason.PROBER_ERROR:
            return None
        case _:
            assert_never(reason)


def state_of(faults: tuple[Named, ...], *, blind: bool) -> State:
    """How a component with these faults is doing; `blind`: nothing can be seen of it."""
    if any(named.fault is Fault.UNREADABLE for named in faults):
        return State.DOWN
    if faults:
        return State.DEGRADED
    return State.UNKNOWN if blind else State.OK
