"""What the engine reports to, as a Protocol: see ports.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from probe.core.model import (
    AuthResult,
    Folder,
    HopDelay,
    Loop,
    Mailbox,
    Node,
    Part,
    Phase,
    Reason,
    Relay,
    Route,
    RouteKey,
    Sender,
    SkipCause,
    UnknownCause,
    UnmatchedCause,
)
from probe.core.status import ComponentStatus


class Metrics(Protocol):
    """The verbs by which the engine counts; labels are the metrics' own affair.

    Moments given here are Unix times. Every verb is cheap and is called on the event loop.
    """

    def add_route(self, route: Route) -> None:
        """A route is in force: all its series exist from now on; known counters go on."""

    def retire_route(self, key: RouteKey) -> None:
        """Its last_success, oldest_unanswered, interval and deadline series go at once."""

    def forget_route(self, key: RouteKey) -> None:
        """A retired route has nothing in flight any more: its other series go too."""

    def add_relay(self, relay: Relay) -> None:
        """A relay is configured: its series without a node exist from now on."""

    def drop_relay(self, name: str) -> None:
        """A relay is not configured any more."""

    def add_sender(self, sender: Sender) -> None:
        """A sender is configured."""

    def drop_sender(self, name: str) -> None:
        """A sender is not configured any more."""

    def add_mailbox(self, mailbox: Mailbox) -> None:
        """A mailbox is configured: its series exist from now on."""

    def drop_mailbox(self, name: str) -> None:
        """A mailbox is not configured any more: its series go at once."""

    def add_node(self, node: Node) -> None:
        """A node is in force: its component series exist from now on."""

    def retire_node(self, node: Node) -> None:
        """A node is gone: its series go at once."""

    def resolved(self, relay: str, when: float) -> None:
        """The relay's name was resolved."""

    def scheduled(self, key: RouteKey) -> None:
        """A slot came due."""

    def skipped(self, key: RouteKey, cause: SkipCause) -> None:
        """The slot was not used."""

    def lagged(self, seconds: float) -> None:
        """The time from a slot to the start of its probe."""

    def timed(self, node: Node, phase: Phase, seconds: float) -> None:
        """A phase of a submission has ended, well or not."""

    def certified(self, node: Node, end: float) -> None:
        """The earliest end in the certificate chain that the node showed."""

    def sent(self, key: RouteKey) -> None:
        """Accepted by the final 250."""

    def greylisted(self, key: RouteKey) -> None:
        """Deferred as a stranger (RFC 6647), and to be tried again."""

    def judged(self, key: RouteKey, reason: Reason | None) -> None:
        """A probe was judged: good, or bad for this reason."""

    def confirmed(self, key: RouteKey, *, ok: bool) -> None:
        """A confirmation probe was judged, good or bad."""

    def unknown(self, key: RouteKey, cause: UnknownCause) -> None:
        """A probe will never be judged."""

    def delivered(self, key: RouteKey, folder: Folder, seconds: float, *, given_up: bool) -> None:
        """First sighting of a probe so long after its acceptance, on time or not."""

    def late(self, key: RouteKey) -> None:
        """The first sighting came after the deadline."""

    def lost(self, key: RouteKey, *, confirmation: bool = False) -> None:
        """Given up. A confirmation probe is in no histogram of deliveries."""

    def duplicate(self, key: RouteKey) -> None:
        """One more copy of a probe that had arrived before."""

    def altered(self, key: RouteKey, part: Part) -> None:
        """A part of the message came back different."""

    def bounced(self, key: RouteKey, status: str) -> None:
        """A DSN said that delivery failed; `status` is as the DSN has it, or empty."""

    def hopped(self, key: RouteKey, hop: HopDelay) -> None:
        """A Received delay."""

    def authenticated(self, key: RouteKey, result: AuthResult) -> None:
        """A trusted Authentication-Results said so."""

    def unmatched(self, mailbox: str, cause: UnmatchedCause) -> None:
        """A message with a tag was not one of ours."""

    def level(self, key: RouteKey, level: Level) -> None:
        """How a route stands at this moment."""

    def flying(self, key: RouteKey, *, in_flight: int, overdue: int) -> None:
        """What is on its way by a learned node, which `key` names, at this moment."""

    def read(self, mailbox: str, *, up: bool, last_ok: float | None) -> None:
        """Whether a mailbox can be read, and when it last could (None: never yet)."""

    def diagnosed(self, status: ComponentStatus) -> None:
        """How a component stands at this moment."""

    def filled(self, mailbox: str, share: float | None) -> None:
        """How much of its quota a mailbox uses; None where it has none."""

    def mailbox_certified(self, mailbox: str, end: float) -> None:
        """The earliest end in the certificate chain that the IMAP server showed."""

    def ran(self, loop: Loop, when: float) -> None:
        """A loop has turned."""

    def failed(self, loop: Loop) -> None:
        """A loop has stumbled over an error."""

    def journaled(self, *, up: bool, errors: int) -> None:
        """How the journal is."""

    def reloaded(self, *, well: bool) -> None:
        """The configuration was read again, and is in force or is not."""

    def conflicting(self, conflict: bool) -> None:
        """Whether another prober uses our instance name."""


@dataclass(frozen=True, slots=True)
class Level:
    """The gauges of a route; moments are Unix times."""

    undecided: int
    in_flight: int  # Without what is on its way by learned nodes; `overdue` likewise.
    overdue: int
    oldest_unanswered: float | None
    last_success: float
