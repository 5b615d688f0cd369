"""Which runbook is for what is wrong: they are called by the alerts that page for it."""

from __future__ import annotations

from typing import assert_never

from probe.core.component import Component, Fault, Kind

_QUALITY = frozenset({Fault.MISFILING, Fault.DUPLICATING, Fault.ALTERING})


def runbook(component: Component, fault: Fault) -> str:
    """The name of the alert, and so of the runbook, for a component whose leading fault it is."""
    if fault in _QUALITY:
        return "MailProbeQualityFault"
    if fault is Fault.UNREADABLE:
        return "MailProbeMailboxUnreadable"
    match component.kind:
        case Kind.PROBER:
            return "MailProbeProberAtFault"
        case Kind.RELAY:
            return "MailProbeRelayAtFault"
        case Kind.NODE:
            return "MailProbeNodeAtFault"
        case Kind.SENDER:
            return "MailProbeSenderAtFault"
        case Kind.MAILBOX:
            return "MailProbeMailboxAtFault"
        case Kind.ROUTE:
            return "MailProbeRouteAtFault"
        case _:
            assert_never(component.kind)
