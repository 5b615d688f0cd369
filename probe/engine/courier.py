"""Carries one probe into its relay: journal, table, submission, and what came of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

from probe.core import schedule
from probe.core.lockout import RELAY_PAUSES
from probe.core.model import Attempt, Loop, Node, Phase, Probe, Relay, Route, RouteKey, SkipCause
from probe.core.outcome import (
    evidence,
    is_greylisting_candidate,
    is_login_refused,
    over_limit,
    reason_of,
    slowness,
)
from probe.engine.books import Books
from probe.engine.findings import Findings
from probe.engine.learner import Learner
from probe.engine.login_gate import Login, LoginGate
from probe.engine.scribe import Scribe
from probe.engine.throttle import Throttle, Turn
from probe.ports import Clock, Journal, Letter, Metrics, Secret, Submitter

log = logging.getLogger("probe.courier")

Acquaintance = tuple[str, str, str, str]  # relay, node, sender, mailbox


@dataclass(frozen=True, slots=True)
class Line:
    """What it takes to submit to one relay."""

    relay: Relay
    submitter: Submitter
    secret: Secret | None

    def has_login_of(self, other: Line) -> bool:
        """Whether both log in to the same account in the same way."""
        ours = self.relay.host, self.relay.username, self.secret
        return ours == (other.relay.host, other.relay.username, other.secret)


@dataclass(frozen=True, slots=True)
class Parcel:
    """A probe, its message, and where it goes."""

    line: Line
    node: Node
    probe: Probe
    letter: Letter
    turn: Turn
    stranger: bool  # The relay may not know this way yet.

    def is_put_off(self, attempt: Attempt) -> bool:
        """Whether a relay that does not know us yet wants us to come again (RFC 6647)."""
        return self.stranger and is_greylisting_candidate(attempt)


@dataclass(frozen=True, slots=True)
class Errand:
    """A confirmation probe that may go at this moment; what it takes is held for it."""

    route: Route
    node: Node
    login: Login
    turn: Turn

    def end(self) -> None:
        """It is over, or was never begun: nothing is held for it any longer."""
        self.login.told(refused=False, accepted=False)
        self.turn.leave()


class Courier:
    """Knows how a probe gets from its slot to its outcome."""

    def __init__(
        self,
        lines: Mapping[str, Line],
        scribe: Scribe,
        *,
        throttle: Throttle,
        books: Books,
        findings: Findings,
        learner: Learner,
        journal: Journal,
        metrics: Metrics,
        clock: Clock,
        accepted_before: dict[Acquaintance, float],
        wakes: Mapping[str, asyncio.Event],
        former: Courier | None = None,
    ) -> None:
        """`wakes`: set for the mailbox that a probe is on its way to.

        What a `former` one knows of logins that are the same still holds.
        """
        self._lines = lines
        self._scribe = scribe
        self._throttle = throttle
        self._books = books
        self._findings = findings
        self._learner = learner
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._accepted_before = accepted_before
        self._wakes = wakes
        self._gates = {line.relay.name: self._gate(line, former) for line in lines.values()}
        self._retired = False

    def retire(self) -> None:
        """Another takes over: what is under way is brought to its end, and nothing is begun."""
        self._retired = True

    def _gate(self, line: Line, former: Courier | None) -> LoginGate:
        before = None if former is None else former._lines.get(line.relay.name)
        if former is not None and before is not None and line.has_login_of(before):
            return former._gates[line.relay.name]
        return LoginGate(line.secret, self._clock, RELAY_PAUSES)

    async def carry(self, route: Route, node: Node, slot: float) -> bool:
        """One probe of this route, from its slot to the end of its submission.

        Whether it was: one that had not been begun when we retired is left to the successor.
        """
        key = route.key
        self._metrics.lagged(max(0.0, self._clock.now() - slot))
        login = await self._gates[key.relay].admitted()
        with login or nullcontext():
            if not self._serves(key):
                return not self._retired
            if login is None:
                self._skip(key, SkipCause.AUTH_BACKOFF)
                return True
            turn = await self._throttle.turn(key, slot + route.interval)
            with turn or nullcontext():
                if not self._serves(key):
                    if turn is not None:
                        turn.drop()
                    return not self._retired
                if turn is None:
                    self._skip(key, SkipCause.RATE_LIMIT)
                    return True
                probe, letter = self._scribe.write(route, slot)
                self._metrics.scheduled(key)
                await self._send(self._pack(node, probe, letter, turn), login)
        return True

    def admit(self, route: Route, node: Node) -> Errand | None:
        """A confirmation probe of this route, where login and limits allow it right now."""
        gate = self._gates[route.key.relay]
        if not self._serves(route.key) or (login := gate.admitted_at_once()) is None:
            return None
        if (turn := self._throttle.turn_at_once(route.key)) is None:
            login.told(refused=False, accepted=False)
            return None
        return Errand(route, node, login, turn)

    async def confirm(self, errand: Errand) -> None:
        """A confirmation probe, to the end of its submission; the caller ends the errand."""
        route = errand.route
        if not self._serves(route.key):
            errand.turn.drop()
            return
        probe, letter = self._scribe.write(route, self._clock.now(), confirmation=True)
        await self._send(self._pack(errand.node, probe, letter, errand.turn), errand.login)

    def _pack(self, node: Node, probe: Probe, letter: Letter, turn: Turn) -> Parcel:
        key = probe.route
        before = self._accepted_before.get((key.relay, key.node, key.sender, key.mailbox))
        stranger = schedule.is_stranger(before, self._clock.now())
        return Parcel(self._lines[key.relay], node, probe, letter, turn, stranger)

    def _serves(self, key: RouteKey) -> bool:
        """Whether it is still on us to send on this route: its node may have gone meanwhile."""
        return not self._retired and key in self._books.histories

    def _skip(self, key: RouteKey, cause: SkipCause) -> None:
        self._metrics.scheduled(key)
        self._metrics.skipped(key, cause)

    async def _send(self, parcel: Parcel, login: Login) -> None:
        """Journal, table, submission, and what came of it."""
        books, sequence, key = self._books, parcel.probe.sequence, parcel.probe.route
        try:
            books.launched(parcel.probe, parcel.line.relay.timeouts)
            await self._journal.launch(parcel.probe)
            self._wakes[key.mailbox].set()
            attempt = await self._submit(parcel, login)
            learned = self._learner.node_of(parcel.node, attempt)
            moot = self._is_moot(parcel, attempt)
            books.submitted(sequence, attempt, learned=learned, moot=moot)
            self._wakes[key.mailbox].set()
            if not moot:
                self._note(key, attempt)
        except asyncio.CancelledError:
            books.interrupted(sequence)
            raise
        except Exception:
            log.exception("Probe %d on %s broke.", sequence, key)
            self._metrics.failed(Loop.SENDER)
            books.abandoned(sequence)

    def _is_moot(self, parcel: Parcel, attempt: Attempt) -> bool:
        """Whether this end says nothing of the relay.

        A stranger's deferral that is not tried again is one that relays give when all is well; and
        while we stood still, it may have given us up.
        """
        if parcel.probe.confirmation and parcel.is_put_off(attempt):
            return True
        last = self._clock.standstill
        stood_still = last is not None and last.moment >= parcel.probe.launched
        return stood_still and reason_of(attempt) is not None

    async def _submit(self, parcel: Parcel, login: Login) -> Attempt:
        """Submit; a relay that does not know us yet is tried again, openly (RFC 6647).

        A confirmation probe is not: it was meant to tell how things are at this moment.
        """
        sequence, key = parcel.probe.sequence, parcel.probe.route
        tries = 0
        while True:
            attempt = await self._attempt(parcel, login)
            tries += 1
            pause = schedule.greylist_pause(tries)
            if not parcel.is_put_off(attempt) or parcel.probe.confirmation or pause is None:
                return attempt
            self._metrics.greylisted(key)
            self._books.entered(sequence, None, self._clock.now())
            await self._clock.sleep_until(self._clock.now() + pause)
            again = await self._gates[key.relay].admitted()
            if again is None:
                return attempt
            login = again

    async def _attempt(self, parcel: Parcel, login: Login) -> Attempt:
        """One submission. The gate hears of its login at once, not when all is over."""

        def entered(phase: Phase, moment: float) -> None:
            self._books.entered(parcel.probe.sequence, phase, moment)

        with login, parcel.turn:
            await parcel.turn.hold()
            attempt = await parcel.line.submitter.submit(parcel.node, parcel.letter, entered)
            refused = is_login_refused(attempt)
            login.told(refused=refused, accepted=attempt.phase in _LOGGED_IN)
        self._time(parcel, attempt)
        self._findings.answered(parcel.probe, attempt)
        relay = parcel.line.relay.name
        if refused and self._gates[relay].locked:
            log.warning("Relay %s refuses our login; it is tried once in 5 minutes.", relay)
            self._findings.locked_out(relay, evidence(attempt))
        elif attempt.phase in _LOGGED_IN:
            self._findings.let_in(relay)
        return attempt

    def _time(self, parcel: Parcel, attempt: Attempt) -> None:
        node = parcel.node
        node = replace(node, name=self._learner.node_of(node, attempt) or node.name)
        if not parcel.probe.confirmation:  # A burst would outweigh what the schedule samples.
            for timed in attempt.phases:
                self._metrics.timed(node, timed.phase, timed.seconds)
        if attempt.certificate_end is not None:
            self._metrics.certified(node, attempt.certificate_end)
            self._findings.node_certified(node.relay, node.name, attempt.certificate_end)

    def _note(self, key: RouteKey, attempt: Attempt) -> None:
        if reason_of(attempt) is None:
            self._acquaint((key.relay, key.node, key.sender, key.mailbox), attempt.ended)
            if slow := over_limit(attempt, self._lines[key.relay].relay.timeouts):
                self._books.note(key, slowness(attempt, slow))
        else:
            self._books.note(key, evidence(attempt))

    def _acquaint(self, acquaintance: Acquaintance, now: float) -> None:
        """It is the newest of them; the oldest is forgotten when it is a stranger again."""
        known = self._accepted_before
        known.pop(acquaintance, None)
        known[acquaintance] = now
        oldest = next(iter(known))
        if schedule.is_stranger(known[oldest], now):
            del known[oldest]


_LOGGED_IN = frozenset({Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ACK, Phase.QUIT})
