"""How everything stands, put together for the status page and the API."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, assert_never

from probe.core.component import Component, Kind
from probe.core.incident import Incident
from probe.core.model import RouteKey, State
from probe.core.record import Bad, Good, Unknown, Verdict
from probe.core.standing import overall, standing
from probe.core.status import ComponentStatus, DomainStatus, Health, Mark, RouteStatus, Status
from probe.engine.books import Books, History
from probe.engine.desk import Desk
from probe.engine.supervisor import Supervisor
from probe.ports import Clock, Journal


class Sender(Protocol):
    """Who sends the probes."""

    @property
    def ready(self) -> bool:
        """Whether a first one has been scheduled."""


class Diagnosis(Protocol):
    """Who knows what is wrong; all moments are Unix times."""

    def components(self) -> tuple[ComponentStatus, ...]:
        """How every component stands."""

    def incidents(self) -> tuple[Incident, ...]:
        """The open ones, then those that are over, each the newest first."""


class Overview:
    """Answers what pages ask; keeps since when the state is what it is."""

    def __init__(
        self,
        books: Books,
        sender: Sender,
        supervisor: Supervisor,
        *,
        diagnosis: Diagnosis,
        desk: Desk,
        journal: Journal,
        clock: Clock,
        standby: Callable[[], frozenset[str]] = frozenset,
        domains: Callable[[], tuple[DomainStatus, ...]] = tuple,
    ) -> None:
        """`standby` names the relays that are there in case another fails.

        `domains` says how the senders' domains stand.
        """
        self._books = books
        self._sender = sender
        self._supervisor = supervisor
        self._diagnosis = diagnosis
        self._desk = desk
        self._journal = journal
        self._clock = clock
        self._standby = standby
        self._domains = domains
        self._state = State.UNKNOWN
        self._since = clock.now()

    def refresh(self) -> None:
        """Notice that the state has changed."""
        self._judge(self._diagnosis.components())

    def _judge(self, components: Sequence[ComponentStatus]) -> None:
        down = _down(components)
        state = overall(
            [_state(key, history, down) for key, history in self._in_force()],
            faulty=any(one.faults for one in components),
        )
        if state is not self._state:
            self._state, self._since = state, self._clock.now()

    def status(self) -> Status:
        """Everything at this moment."""
        components = self._diagnosis.components()
        self._judge(components)
        down = _down(components)
        return Status(
            state=self._state,
            since=self._clock.wall(self._since),
            routes=tuple(self._route(key, history, down) for key, history in self._in_force()),
            components=components,
            incidents=self._diagnosis.incidents(),
            domains=self._domains(),
            notices=tuple(self._notices()),
            standby=self._standby(),
        )

    def health(self) -> Health:
        """Whether our own loops turn."""
        stalled = self._supervisor.stalled()
        ready = self._sender.ready
        detail = f"These loops have not turned for a minute: {', '.join(stalled)}."
        waiting = "No probe has been scheduled yet."
        return Health(
            healthy=not stalled,
            ready=ready,
            detail=detail if stalled else "" if ready else waiting,
        )

    def _notices(self) -> Iterator[str]:
        if self._desk.conflict:
            yield "Another prober uses our instance name: give each a name of its own."
        if not self._journal.up:
            yield "The journal cannot be written: what is in flight would not survive a restart."

    def _in_force(self) -> list[tuple[RouteKey, History]]:
        """The routes that are probed, in order: one whose node is gone says nothing any more."""
        histories = sorted(self._books.histories.items())
        return [(key, history) for key, history in histories if history.in_force]

    def _route(
        self, key: RouteKey, history: History, down: Iterable[Sequence[Component]]
    ) -> RouteStatus:
        level = self._books.level(key)
        return RouteStatus(
            key=key,
            state=_state(key, history, down),
            in_flight=self._books.ledger.levels.of(key).in_flight,
            oldest_unanswered=level.oldest_unanswered,
            last_success=level.last_success,
            recent=tuple(_mark(verdict) for verdict in history.verdicts),
            evidence=history.evidence,
        )


def _down(components: Iterable[ComponentStatus]) -> list[tuple[Component, ...]]:
    """What is named, each with what it cannot be told apart from, and delivers next to nothing.

    While a mailbox cannot be read it is unknown what is delivered, and likewise if it is us.
    """
    blind = (Kind.PROBER, Kind.MAILBOX)
    named = (one for one in components if one.component.kind not in blind)
    return [(one.component, *one.alternatives) for one in named if one.state is State.DOWN]


def _state(key: RouteKey, history: History, down: Iterable[Sequence[Component]]) -> State:
    """How a route stands by its verdicts; what is named on it is known before they are."""
    if any(all(suspect.covers(key) for suspect in suspects) for suspects in down):
        return State.DOWN
    return standing(history.verdicts)


def _mark(verdict: Verdict) -> Mark:
    match verdict:
        case Good():
            return Mark.GOOD
        case Bad():
            return Mark.BAD
        case Unknown():
            return Mark.UNKNOWN
        case _:
            assert_never(verdict)
