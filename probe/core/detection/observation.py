"""What one probe says, at each moment of its way."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from probe.core.component import Fault, Kind
from probe.core.model import Phase, RouteKey

DESIGN_SHARE = 0.2  # q: the failing share that the sums of evidence are tuned for.

# The kinds of components as bits: a failure cannot be blamed on all of them.
BIT = {kind: 1 << place for place, kind in enumerate(Kind)}
EVERYBODY = sum(BIT.values())
RELAY_SIDE = BIT[Kind.PROBER] | BIT[Kind.RELAY] | BIT[Kind.NODE]
NOT_MAILBOX = RELAY_SIDE | BIT[Kind.SENDER]
MAILBOX_ONLY = BIT[Kind.MAILBOX]
PROBER_ONLY = BIT[Kind.PROBER]

_EARLY = frozenset({Phase.DNS, Phase.CONNECT, Phase.TLS, Phase.GREETING, Phase.EHLO, Phase.AUTH})


def blamed(phase: Phase) -> int:
    """Whom a failure in this phase can be blamed on: until MAIL nobody has named a sender."""
    if phase in _EARLY:
        return RELAY_SIDE
    return NOT_MAILBOX if phase is Phase.MAIL else EVERYBODY


NodeName = tuple[str, str]  # relay, node: names of nodes are unique within their relay only.


@dataclass(frozen=True, slots=True)
class Failure:
    """That a probe failed."""

    fault: Fault
    blames: int  # The kinds that it can be blamed on, as bits.
    text: str  # What happened, in words.
    is_fact: bool = False  # Of a sort that does not just happen: two of them name.
    is_local: bool = False  # Nothing answered: it may be our own network.
    is_nameless: bool = False  # Nothing told where the relay is.


@dataclass(frozen=True, slots=True)
class Weight:
    """What an observation counts."""

    blames: int  # For whom, as bits.
    odds: float  # 0: a success; else 1 / the probability of it when all is well.

    def nats(self, share: float = DESIGN_SHARE) -> float:
        """The evidence that `share` of the probes fail: its log-likelihood ratio."""
        return math.log(1.0 - share + share * self.odds)


SUCCESS = Weight(EVERYBODY, 0.0)
TAKEN = Weight(NOT_MAILBOX, 0.0)  # The relay took it; what became of it cannot be known.


@dataclass(slots=True)
class Observation:
    """A probe, as far as it is known; moments on the timeline."""

    sequence: int
    key: RouteKey  # With its learned node, as soon as that is known.
    slot: float  # When it was launched.
    deadline: float  # s
    scheduled: bool  # Else of a burst.
    phase: Phase | None = None  # While it is being submitted.
    since: float = 0.0  # Since when it is in that phase.
    accepted: float | None = None
    arrived: float | None = None
    failure: Failure | None = None
    known: float = 0.0  # Since when the failure is.
    reply: str = ""  # How the relay took it, in words.
    report: str = ""  # Why it was returned, as the bounce says.
    full: bool = False  # It says that the mailbox is full.
    on_time: bool = False  # It came, and as quickly as it should.
    dawdled: bool = False  # It came before its deadline, but slowly for what is normal.
    weight: Weight | None = None  # As soon as nothing changes it any more.
    judged: bool = False  # By the ledger; it may still be watched in an SMTP phase.
    settled: bool = False  # Judged, and no longer watched.
    resting: bool = False  # It is counted as taken until its mailbox can be read again.
    copied: bool = False  # A second copy of it has been counted.
    spent: bool = False  # It belongs to an incident that is over.
    times: tuple[tuple[Phase, float], ...] = field(default=())  # Phases that ended well (s).

    @property
    def node(self) -> NodeName:
        """The node that it went through."""
        return self.key.relay, self.key.node
