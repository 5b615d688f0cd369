"""How far a submission has come: where it is, what each phase took, what was learned."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager

from probe.core.model import Attempt, Break, Phase, PhaseTime, Reply
from probe.core.wire import clean, masked, queue_id, split_enhanced
from probe.ports import Clock

CLOSING = 421  # The server is about to close, whatever it was asked (RFC 5321 §3.8).
REFUSALS = range(400, 600)

_REPLIES = range(200, 600)
_LIMIT = 300  # Characters of a reply, or of a detail.


class Broken(Exception):
    """A submission ended without the reply that it was waiting for."""

    def __init__(self, how: Break, detail: str) -> None:
        """`detail` is evidence in words; it may hold what a server said."""
        super().__init__(detail)
        self.how = how
        self.detail = detail


class Refused(Exception):
    """A submission ended with a reply that says no."""

    def __init__(self, reply: Reply) -> None:
        """`reply` is the one that ended it."""
        super().__init__(f"{reply.code} {reply.text}")
        self.reply = reply


def granted(reply: Reply, wanted: Container[int]) -> Reply:
    """The reply, if its code is a wanted one. Raises Refused for a refusal, else Broken."""
    if reply.code in wanted:
        return reply
    if reply.code in REFUSALS:
        raise Refused(reply)
    raise Broken(Break.GARBAGE, f"an unexpected reply: {reply.code} {reply.text}")


class Course:
    """The facts of one attempt while they are being gathered."""

    def __init__(self, clock: Clock, entered: Callable[[Phase, float], None]) -> None:
        """`entered` is told of each phase as it begins."""
        self.phase = Phase.CONNECT
        self.hidden: tuple[str, ...] = ()  # Secrets that nothing may show, even if echoed.
        self.dot: float | None = None
        self.greeting_host = ""
        self.certificate_end: float | None = None
        self._clock = clock
        self._entered = entered
        self._seconds: dict[Phase, float] = {}
        self._ended = clock.now()

    @contextmanager
    def during(self, phase: Phase) -> Iterator[float]:
        """The time in which a phase goes on, from the moment that this yields."""
        began = self._clock.now()
        self.phase = phase
        self._seconds.setdefault(phase, 0.0)
        self._entered(phase, began)
        try:
            yield began
        finally:
            self._ended = self._clock.now()
            self._seconds[phase] += self._ended - began

    @property
    def phases(self) -> tuple[PhaseTime, ...]:
        """What each phase took so far."""
        return tuple(PhaseTime(phase, seconds) for phase, seconds in self._seconds.items())

    def heard(self, code: int, text: str) -> Reply:
        """A reply made safe. Raises Broken where its code is none."""
        enhanced, words = split_enhanced(masked(text, self.hidden))
        reply = Reply(code, enhanced, clean(words, _LIMIT))
        if code not in _REPLIES:
            raise Broken(Break.GARBAGE, f"a reply with the code {code}: {reply.text}")
        return reply

    def replied(self, reply: Reply) -> Attempt:
        """The attempt as it ended with this reply."""
        return self._attempt(reply, None, "")

    def broken(self, how: Break, detail: str) -> Attempt:
        """The attempt as it ended without a reply."""
        return self._attempt(None, how, clean(masked(detail, self.hidden), _LIMIT))

    def _attempt(self, reply: Reply | None, how: Break | None, detail: str) -> Attempt:
        accepted = self.phase is Phase.ACK and reply is not None and reply.code < 300
        return Attempt(
            phases=self.phases,
            phase=self.phase,
            ended=self._ended,
            reply=reply,
            broken=how,
            detail=detail,
            dot=self.dot,
            greeting_host=self.greeting_host,
            queue_id=queue_id(reply.text) if accepted and reply is not None else "",
            certificate_end=self.certificate_end,
        )
