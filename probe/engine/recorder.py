"""Remembers how each submission went, phase by phase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from probe.core.model import Attempt, Node, Phase, PhaseTime
from probe.ports import Letter, Submitter


@dataclass(slots=True)
class Trace:
    """What was seen of the submission of one letter."""

    entered: list[tuple[Phase, float]] = field(default_factory=list)  # Of the newest attempt.
    attempt: Attempt | None = None  # The newest, once it has ended.

    @property
    def phase(self) -> Phase | None:
        """The phase that is going on, if any is."""
        return self.entered[-1][0] if self.entered and self.attempt is None else None

    def phases(self, now: float) -> tuple[PhaseTime, ...]:
        """How long each phase took; the one that is going on, until now."""
        if self.attempt is not None:
            return self.attempt.phases
        ends = [*(moment for _, moment in self.entered[1:]), now]
        spent: dict[Phase, float] = {}
        for (phase, moment), end in zip(self.entered, ends, strict=True):
            spent[phase] = spent.get(phase, 0.0) + end - moment
        return tuple(PhaseTime(phase, seconds) for phase, seconds in spent.items())


class Recorder:
    """The traces of all letters, by the token that is their envelope's id."""

    def __init__(self) -> None:
        self._traces: dict[str, Trace] = {}

    def trace(self, token: str) -> Trace:
        """What was seen of this letter."""
        return self._traces.setdefault(token, Trace())

    def recording(self, submitter: Submitter) -> Submitter:
        """The submitter, each of whose submissions leaves a trace."""
        return _Recording(submitter, self)


class _Recording:
    """A submitter that is looked at."""

    def __init__(self, submitter: Submitter, recorder: Recorder) -> None:
        self._submitter = submitter
        self._recorder = recorder

    async def submit(
        self, node: Node, letter: Letter, entered: Callable[[Phase, float], None]
    ) -> Attempt:
        """As of the submitter itself."""
        trace = self._recorder.trace(letter.envelope_id)
        trace.attempt = None
        trace.entered.clear()

        def note(phase: Phase, moment: float) -> None:
            trace.entered.append((phase, moment))
            entered(phase, moment)

        trace.attempt = await self._submitter.submit(node, letter, note)
        return trace.attempt
