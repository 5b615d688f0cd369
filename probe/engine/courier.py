"""Carries one probe into its relay: journal, table, submission, and what came of it."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from probe.core import schedule
from probe.core.lockout import Admission, Lockout
from probe.core.model import Attempt, Loop, Node, Phase, Relay, Route, SkipCause
from probe.core.outcome import (
    evidence,
    is_greylisting_candidate,
    is_login_refused,
    over_limit,
    reason_of,
    slowness,
)
from probe.core.record import Record
from probe.engine.books import Books
from probe.engine.scribe import Scribe
from probe.ports import Clock, Journal, Letter, Metrics, Secret, SecretUnreadable, Submitter

log = logging.getLogger("probe.courier")

Acquaintance = tuple[str, str, str, str]  # relay, node, sender, mailbox


@dataclass(frozen=True, slots=True)
class Line:
    """What it takes to submit to one relay."""

    relay: Relay
    submitter: Submitter
    secret: Secret | None
    lockout: Lockout = field(default_factory=Lockout)
    answered: asyncio.Condition = field(default_factory=asyncio.Condition)  # A login was.

    def following(self, former: Line) -> Line:
        """This line, with what is known of the logins of the one before it."""
        ours, theirs = self.relay, former.relay
        same = (ours.host, ours.username) == (theirs.host, theirs.username)
        if not same or self.secret != former.secret:
            return self
        return replace(self, lockout=former.lockout, answered=former.answered)


class Courier:
    """Knows how a probe gets from its slot to its outcome."""

    def __init__(
        self,
        lines: Mapping[str, Line],
        scribe: Scribe,
        *,
        books: Books,
        journal: Journal,
        metrics: Metrics,
        clock: Clock,
        accepted_before: dict[Acquaintance, float],
        wakes: Mapping[str, asyncio.Event],
    ) -> None:
        """`wakes`: set for the mailbox that a probe is on its way to."""
        self._lines = lines
        self._scribe = scribe
        self._books = books
        self._journal = journal
        self._metrics = metrics
        self._clock = clock
        self._accepted_before = accepted_before
        self._wakes = wakes
        self._retired = False

    def retire(self) -> None:
        """Another takes over: what is under way is brought to its end, and nothing is begun."""
        self._retired = True

    async def carry(self, route: Route, node: Node, slot: float) -> bool:
        """One probe of this route, from its slot to the end of its submission.

        Whether it was: one that had not been begun when we retired is left to the successor.
        """
        key = route.key
        self._metrics.lagged(max(0.0, self._clock.now() - slot))
        line = self._lines[key.relay]
        admitted = await self._admitted(line)
        if self._retired:
            if admitted:
                await self._answer(line, None)
            return False
        self._metrics.scheduled(key)
        if not admitted:
            self._metrics.skipped(key, SkipCause.AUTH_BACKOFF)
            return True
        probe, letter = self._scribe.write(route, slot)
        attempt: Attempt | None = None
        try:
            self._books.ledger.launched(Record(probe), line.relay.timeouts)
            await self._journal.launch(probe)
            self._wakes[key.mailbox].set()
            attempt = await self._submit(line, node, letter, sequence=probe.sequence)
            self._books.post(self._books.ledger.submitted(probe.sequence, attempt))
            self._wakes[key.mailbox].set()
            self._note(route, attempt)
        except Exception:
            log.exception("Probe %d on %s broke.", probe.sequence, key)
            self._metrics.failed(Loop.SENDER)
            self._books.post(self._books.ledger.abandoned(probe.sequence))
        finally:
            await self._answer(line, attempt)
        return True

    async def _submit(self, line: Line, node: Node, letter: Letter, *, sequence: int) -> Attempt:
        """Submit; a relay that does not know us yet is tried again, openly (RFC 6647)."""

        def entered(phase: Phase, moment: float) -> None:
            self._books.ledger.entered(sequence, phase, moment)

        record = self._books.ledger.get(sequence)
        stranger = record is not None and self._is_stranger(record)
        tries = 0
        while True:
            attempt = await line.submitter.submit(node, letter, entered)
            self._time(node, attempt)
            tries += 1
            pause = schedule.greylist_pause(tries)
            if not (stranger and is_greylisting_candidate(attempt)) or pause is None:
                return attempt
            if record is not None:
                self._metrics.greylisted(record.probe.route)
            self._books.ledger.entered(sequence, None, self._clock.now())
            await self._clock.sleep_until(self._clock.now() + pause)

    def _is_stranger(self, record: Record) -> bool:
        key = record.probe.route
        acquaintance = (key.relay, key.node, key.sender, key.mailbox)
        before = self._accepted_before.get(acquaintance)
        return schedule.is_stranger(before, self._clock.now())

    def _time(self, node: Node, attempt: Attempt) -> None:
        for timed in attempt.phases:
            self._metrics.timed(node, timed.phase, timed.seconds)
        if attempt.certificate_end is not None:
            self._metrics.certified(node, attempt.certificate_end)

    def _note(self, route: Route, attempt: Attempt) -> None:
        key = route.key
        if reason_of(attempt) is None:
            acquaintance = (key.relay, key.node, key.sender, key.mailbox)
            self._accepted_before[acquaintance] = attempt.ended
            if slow := over_limit(attempt, self._lines[key.relay].relay.timeouts):
                self._books.note(key, slowness(attempt, slow))
        else:
            self._books.note(key, evidence(attempt))

    # ---- logins

    async def _admitted(self, line: Line) -> bool:
        """Whether a login may be made; waits while others try the same unproven secret."""
        if line.secret is None:
            return True
        while True:
            match line.lockout.ask(self._clock.now(), _fingerprint(line.secret)):
                case Admission.GO:
                    return True
                case Admission.BACK_OFF:
                    return False
                case Admission.WAIT:
                    async with line.answered:
                        await line.answered.wait()

    async def _answer(self, line: Line, attempt: Attempt | None) -> None:
        if line.secret is None:
            return
        refused = attempt is not None and is_login_refused(attempt)
        accepted = attempt is not None and attempt.phase in _LOGGED_IN
        line.lockout.answer(self._clock.now(), refused=refused, accepted=accepted)
        if refused and line.lockout.locked:
            log.warning(
                "Relay %s refuses our login; it is tried once in 5 minutes.", line.relay.name
            )
        async with line.answered:
            line.answered.notify_all()


_LOGGED_IN = frozenset({Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.ACK, Phase.QUIT})


def _fingerprint(secret: Secret) -> str:
    try:
        return hashlib.sha256(secret.read().encode("utf-8", "surrogateescape")).hexdigest()
    except SecretUnreadable:
        return ""
