"""The scenarios of `mailprobe demo`: what breaks, and what the prober must then name."""

from __future__ import annotations

from dataclasses import dataclass

from probe.core.component import Component, Fault, Kind
from probe.demo.behaviour import NO_TROUBLE, Behaviour, Trouble
from probe.demo.name import Name

POOL, BACKUP, MAILBOX = "pool", "backup", "corp"  # As the prober's configuration names them.


@dataclass(frozen=True, slots=True)
class Expected:
    """What must be named, and nothing else."""

    component: Component
    fault: Fault
    becomes: Fault | None = None  # What it may be called, too, once mail comes again.

    def covers(self, name: Name) -> bool:
        """Whether this name says that, or more of the same."""
        allowed = {self.fault, self.becomes, Fault.INTERMITTENT}
        return name.component == self.component and set(name.faults) <= allowed

    def is_named(self, name: Name) -> bool:
        """Whether this name says exactly that, for certain."""
        return name.decided and self.covers(name) and name.faults[0] is self.fault


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fault that comes and goes."""

    name: str
    tells: str  # What happens, in one sentence.
    trouble: Trouble = NO_TROUBLE
    expected: Expected | None = None  # None: nothing may be named.
    interval: int = 2  # Between two probes on a route (s).


def _node(name: str) -> Component:
    return Component(Kind.NODE, relay=POOL, node=name)


_POOL_NODES = ("node1", "node2", "node3")
_POOL = Component(Kind.RELAY, relay=POOL)

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "node-holding",
            "As at Higher Logic in January 2024: node2 accepts mail and keeps it in its queue, "
            "while node1 and node3 deliver.",
            Trouble(("node2",), Behaviour(processes=False)),
            Expected(_node("node2"), Fault.HOLDING, becomes=Fault.LATE),
        ),
        Scenario(
            "slow-accept",
            "As at MailChannels in October 2019: node2 accepts connections slowly, its greeting "
            "comes after 9 s; no message is lost.",
            Trouble(("node2",), Behaviour(greets_after=9.0)),
            Expected(_node("node2"), Fault.SLOW),
        ),
        Scenario(
            "provider-outage",
            "As at 4Schools in December 2024: the provider is down, no node of the pool takes a "
            "connection; the standby relay works.",
            Trouble(_POOL_NODES, Behaviour(listens=False)),
            Expected(_POOL, Fault.UNREACHABLE),
        ),
        Scenario(
            "partial-errors",
            "As at Batch in November 2024: 16 % of the calls fail; node3 puts off 16 % of the "
            "recipients, at random.",
            Trouble(("node3",), Behaviour(refuses=0.16)),
            Expected(_node("node3"), Fault.REFUSING),
            interval=1,  # The least there is: a share needs many probes.
        ),
        Scenario(
            "accepted-unprocessed",
            "As at Batch in November 2024: the pool answers 250 and processes nothing; in the end "
            "it delivers all of it, late.",
            Trouble(_POOL_NODES, Behaviour(processes=False)),
            Expected(_POOL, Fault.HOLDING, becomes=Fault.LATE),
        ),
        Scenario(
            "mailbox-down",
            "The mailbox's server is down: nothing can be read or delivered there, and the relays, "
            "which keep the mail meanwhile, are not to blame.",
            Trouble(mailbox_down=True),
            Expected(Component(Kind.MAILBOX, mailbox=MAILBOX), Fault.UNREADABLE),
        ),
        Scenario("healthy", "Nothing is wrong, and nothing may be named."),
    )
}
