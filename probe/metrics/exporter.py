"""The exporter: the verbs by which the engine counts."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator

from probe import __version__
from probe.core.component import Component, Kind
from probe.core.model import (
    AuthResult,
    Folder,
    HopDelay,
    HopKind,
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
from probe.metrics import catalogue as m
from probe.metrics import series
from probe.metrics.components import Components
from probe.metrics.domain import DomainSeries
from probe.metrics.histogram import Histogram
from probe.metrics.scrape import Scraper
from probe.metrics.table import Standing
from probe.metrics.text import Names, Writing, negotiate
from probe.ports import Level

_MOST_STATUSES = 40
_STATUS = re.compile(r"([245])\.(\d{1,3})\.\d{1,3}", re.ASCII)


class Exporter:
    """Everything that is counted and measured; fulfils `ports.Metrics`.

    To be used on the event loop only; scrapes write elsewhere, from a copy of one moment.
    """

    def __init__(
        self,
        *,
        version: str = __version__,
        revision: str = "",
        now: Callable[[], float] = time.time,
    ) -> None:
        """All metrics, with the series that depend on no configuration."""
        self._now = now
        self._routes = series.routes()
        self._bounces = series.bounces()
        self._statuses: set[str] = set()
        self._nodes = series.nodes()
        self._mailboxes = series.mailboxes(now())
        self._components = Components()
        self._authentication = series.authentication()
        self.domains = DomainSeries()
        self._relays = series.one(m.RELAY_INFO)
        self._senders = series.one(m.SENDER_INFO)
        self._resolved = series.one(m.RESOLVE_LAST_OK, start=now())
        self._loops = series.loops()
        self._process = series.process()
        self._build = series.one(m.BUILD_INFO)
        self._delivery = Histogram(m.DELIVERY)
        self._phases = Histogram(m.PHASE)
        self._hops = Histogram(m.HOP)
        self._lag = Histogram(m.LAG)
        self._scraper = Scraper(self._snapshot)
        self._process.add(())
        self._lag.add(())
        self._build.add((version, revision or "unknown"))
        for loop in Loop:
            self._loops.add((loop,))

    async def scrape(self, accept: str, *, gzipped: bool) -> tuple[bytes, str]:
        """All metrics in the format that an Accept header asks for, and their content type."""
        form = negotiate(accept)
        return await self._scraper.scrape(form, gzipped=gzipped), form.value

    def _snapshot(self) -> Iterator[Writing]:
        self._process.put((), self._now(), m.TIME)
        yield from self.domains.snapshots()
        for part in (
            *(self._routes, self._bounces, self._nodes, self._components),
            *(self._mailboxes, self._authentication),
            *(self._relays, self._senders, self._resolved),
            *(self._delivery, self._phases, self._hops, self._lag),
            *(self._loops, self._process, self._build),
        ):
            yield part.snapshot()

    # ---- what is configured

    def add_route(self, route: Route) -> None:
        """A route is in force: all its series exist from now on; known counters go on."""
        names = relay, _, sender, mailbox = _names(route.key)
        if names not in self._routes:
            self._routes.put(names, self._now(), m.LAST_SUCCESS)
        self._routes.add(names)
        self._routes.put(names, route.interval, m.INTERVAL)
        self._routes.put(names, route.deadline, m.DEADLINE)
        self._bounces.stand(names, Standing.ACTIVE)
        self._authentication.add((relay, sender, mailbox))
        self._delivery.add((relay, mailbox))
        for hop in HopKind:
            self._hops.add((relay, mailbox, hop))

    def retire_route(self, key: RouteKey) -> None:
        """Its last_success, oldest_unanswered, interval and deadline series go at once."""
        self._routes.stand(_names(key), Standing.RETIRED)

    def forget_route(self, key: RouteKey) -> None:
        """A retired route has nothing in flight any more: its other series go too."""
        self._routes.stand(_names(key), Standing.FORGOTTEN)
        self._bounces.stand(_names(key), Standing.FORGOTTEN)

    def add_relay(self, relay: Relay) -> None:
        """A relay is configured: its series without a node exist from now on."""
        self._relays.remove((relay.name,))
        self._relays.add((relay.name, relay.role))
        self._components.add(Component(Kind.RELAY, relay=relay.name))
        for phase in Phase:
            self._phases.add((relay.name, phase))
        if relay.plan.is_looked_up:  # What is never resolved must not look long unresolved.
            self._resolved.add((relay.name,))
        else:
            self._resolved.remove((relay.name,))

    def drop_relay(self, name: str) -> None:
        """A relay is not configured any more."""
        self._relays.remove((name,))
        self._resolved.remove((name,))
        self._components.remove(Component(Kind.RELAY, relay=name))

    def add_sender(self, sender: Sender) -> None:
        """A sender is configured."""
        self._senders.remove((sender.name,))
        self._senders.add((sender.name, sender.domain))
        self._components.add(Component(Kind.SENDER, sender=sender.name))

    def drop_sender(self, name: str) -> None:
        """A sender is not configured any more."""
        self._senders.remove((name,))
        self._components.remove(Component(Kind.SENDER, sender=name))

    def add_mailbox(self, mailbox: Mailbox) -> None:
        """A mailbox is configured: its series exist from now on."""
        self._mailboxes.add((mailbox.name,))
        self._components.add(Component(Kind.MAILBOX, mailbox=mailbox.name))

    def drop_mailbox(self, name: str) -> None:
        """A mailbox is not configured any more: its series go at once."""
        self._mailboxes.remove((name,))
        self._components.remove(Component(Kind.MAILBOX, mailbox=name))

    def add_node(self, node: Node) -> None:
        """A node is in force: its component series exist from now on."""
        self._nodes.add((node.relay, node.name))
        if node.name:  # A load balancer is none: what is behind it is learned.
            self._components.add(Component(Kind.NODE, relay=node.relay, node=node.name))

    def retire_node(self, node: Node) -> None:
        """A node is gone: its series go at once."""
        self._nodes.remove((node.relay, node.name))
        self._routes.remove((node.relay, node.name), Standing.LEARNED)
        self._components.remove(Component(Kind.NODE, relay=node.relay, node=node.name))

    # ---- sending

    def resolved(self, relay: str, when: float) -> None:
        """The relay's name was resolved."""
        self._resolved.put((relay,), when, m.RESOLVE_LAST_OK)

    def scheduled(self, key: RouteKey) -> None:
        """A slot came due."""
        self._routes.count(_names(key), m.SCHEDULED)

    def skipped(self, key: RouteKey, cause: SkipCause) -> None:
        """The slot was not used."""
        self._routes.count(_names(key), m.SKIPPED, cause)

    def lagged(self, seconds: float) -> None:
        """The time from a slot to the start of its probe."""
        self._lag.observe((), seconds)

    def timed(self, node: Node, phase: Phase, seconds: float) -> None:
        """A phase of a submission has ended, well or not."""
        self._phases.observe((node.relay, phase), seconds)
        if (node.relay, node.name) in self._nodes:  # An attempt may outlive its node.
            self._nodes.put((node.relay, node.name), seconds, m.LAST_PHASE, phase)

    def certified(self, node: Node, end: float) -> None:
        """The earliest end in the certificate chain that the node showed."""
        if (node.relay, node.name) in self._nodes:
            self._nodes.put((node.relay, node.name), end, m.CERTIFICATE_END)

    def sent(self, key: RouteKey) -> None:
        """Accepted by the final 250."""
        self._routes.count(_names(key), m.SENT)

    def greylisted(self, key: RouteKey) -> None:
        """Deferred as a stranger (RFC 6647), and to be tried again."""
        self._routes.count(_names(key), m.GREYLISTED)

    # ---- what became of it

    def judged(self, key: RouteKey, reason: Reason | None) -> None:
        """A probe was judged: good, or bad for this reason."""
        self._routes.count(_names(key), m.PROBES)
        if reason is not None:
            self._routes.count(_names(key), m.FAILURES, reason)

    def confirmed(self, key: RouteKey, *, ok: bool) -> None:
        """A confirmation probe was judged, good or bad."""
        self._routes.count(_names(key), m.CONFIRMATIONS, "ok" if ok else "failed")

    def unknown(self, key: RouteKey, cause: UnknownCause) -> None:
        """A probe will never be judged."""
        self._routes.count(_names(key), m.UNKNOWN, cause)

    def delivered(self, key: RouteKey, folder: Folder, seconds: float, *, given_up: bool) -> None:
        """First sighting of a probe, so long after its acceptance, on time or not, given up or not.

        One that was given up is in the histogram already, at +Inf.
        """
        self._routes.count(_names(key), m.DELIVERED, folder)
        self._routes.put(_names(key), seconds, m.LAST_DELIVERY)
        if not given_up:
            self._delivery.observe((key.relay, key.mailbox), seconds)

    def late(self, key: RouteKey) -> None:
        """The first sighting came after the deadline."""
        self._routes.count(_names(key), m.LATE)

    def lost(self, key: RouteKey, *, confirmation: bool = False) -> None:
        """Given up. A confirmation probe is in no histogram of deliveries."""
        self._routes.count(_names(key), m.LOST)
        if not confirmation:
            self._delivery.give_up((key.relay, key.mailbox))

    def duplicate(self, key: RouteKey) -> None:
        """One more copy of a probe that had arrived before."""
        self._routes.count(_names(key), m.DUPLICATES)

    def altered(self, key: RouteKey, part: Part) -> None:
        """A part of the message came back different."""
        self._routes.count(_names(key), m.MISMATCHES, part)

    def bounced(self, key: RouteKey, status: str) -> None:
        """A DSN said that delivery failed; `status` is as the DSN has it, or empty."""
        names = _names(key)
        bounce = (*names, self._bounded(status))
        self._bounces.add(bounce, self._routes.standing(names))
        self._bounces.count(bounce, m.BOUNCES)

    def _bounded(self, status: str) -> str:
        """Class and subject of a status code; `other` if it is none, or one too many."""
        found = _STATUS.fullmatch(status.strip())
        short = f"{found[1]}.{int(found[2])}" if found else "other"
        if short not in self._statuses and len(self._statuses) >= _MOST_STATUSES:
            return "other"
        self._statuses.add(short)
        return short

    def hopped(self, key: RouteKey, hop: HopDelay) -> None:
        """A Received delay."""
        self._hops.observe((key.relay, key.mailbox, hop.kind), hop.seconds)

    def authenticated(self, key: RouteKey, result: AuthResult) -> None:
        """A trusted Authentication-Results said so."""
        if result.result in m.AUTH_RESULTS.get(result.method, ()):
            way = key.relay, key.sender, key.mailbox
            self._authentication.count(way, m.AUTH, result.method, result.result)

    def level(self, key: RouteKey, level: Level) -> None:
        """How a route stands at this moment."""
        names = _names(key)
        oldest = math.nan if level.oldest_unanswered is None else level.oldest_unanswered
        self._routes.put(names, level.undecided, m.UNDECIDED)
        self._routes.put(names, level.in_flight, m.IN_FLIGHT)
        self._routes.put(names, level.overdue, m.OVERDUE)
        self._routes.put(names, oldest, m.OLDEST_UNANSWERED)
        self._routes.put(names, level.last_success, m.LAST_SUCCESS)

    def flying(self, key: RouteKey, *, in_flight: int, overdue: int) -> None:
        """What is on its way by a learned node, which `key` names, at this moment."""
        names = _names(key)
        if names not in self._routes or self._routes.standing(names) is Standing.FORGOTTEN:
            self._routes.add(names, Standing.LEARNED)
        self._routes.put(names, in_flight, m.IN_FLIGHT)
        self._routes.put(names, overdue, m.OVERDUE)

    def diagnosed(self, status: ComponentStatus) -> None:
        """How a component stands at this moment."""
        self._components.diagnosed(status)

    # ---- reading, and ourselves

    def unmatched(self, mailbox: str, cause: UnmatchedCause) -> None:
        """A message with a tag was not one of ours."""
        self._mailboxes.count((mailbox,), m.UNMATCHED, cause)

    def read(self, mailbox: str, *, up: bool, last_ok: float | None) -> None:
        """Whether a mailbox can be read, and when it last could (None: never yet)."""
        self._mailboxes.put((mailbox,), int(up), m.IMAP_UP)
        if last_ok is not None:
            self._mailboxes.put((mailbox,), last_ok, m.IMAP_LAST_OK)

    def filled(self, mailbox: str, share: float | None) -> None:
        """How much of its quota a mailbox uses; None where it has none."""
        self._mailboxes.put((mailbox,), math.nan if share is None else share, m.QUOTA)

    def mailbox_certified(self, mailbox: str, end: float) -> None:
        """The earliest end in the certificate chain that the IMAP server showed."""
        self._mailboxes.put((mailbox,), end, m.IMAP_CERTIFICATE_END)

    def ran(self, loop: Loop, when: float) -> None:
        """A loop has turned."""
        self._loops.put((loop,), when, m.LOOP_LAST_RUN)

    def failed(self, loop: Loop) -> None:
        """A loop has stumbled over an error."""
        self._loops.count((loop,), m.LOOP_ERRORS)

    def journaled(self, *, up: bool, errors: int) -> None:
        """How the journal is."""
        self._process.put((), int(up), m.JOURNAL_UP)
        self._process.put((), errors, m.JOURNAL_ERRORS)

    def reloaded(self, *, well: bool) -> None:
        """The configuration was read again, and is in force or is not."""
        self._process.put((), int(well), m.RELOADED)

    def conflicting(self, conflict: bool) -> None:
        """Whether another prober uses our instance name."""
        self._process.put((), int(conflict), m.CONFLICT)


def _names(key: RouteKey) -> Names:
    return key.relay, key.node, key.sender, key.mailbox
