"""How a scenario goes on, by what the prober says, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import assert_never

from probe.core.component import Component, Fault
from probe.demo.name import Names
from probe.demo.scenario import Scenario

_CALM = 10.0  # For what is normal to be seen before anything breaks (s), in a minute or more.
_CALM_COUNT = 3  # Messages that must have come on every route by then.
_LOOK = 5.0  # For which the fault goes on once it is named (s), in a minute or more.
_MINUTE = 60.0  # s
_FAULT_ENDS = 2 / 3  # Of the duration, named or not.
_LABELS = ("relay", "node", "sender", "mailbox", "flow")
_SHOWN = 2  # Lines of evidence.


class Phase(StrEnum):
    """Where a scenario stands."""

    HEALTHY = "healthy"
    FAULT = "fault"
    RECOVERY = "recovery"  # What broke works again, and that is still to be seen.
    OVER = "healthy again"


class Course:
    """A scenario as it is played; times are seconds since it began."""

    def __init__(self, scenario: Scenario, duration: float) -> None:
        """`duration` (s) is what all phases should take together."""
        self.phase = Phase.HEALTHY
        self._scenario = scenario
        self._pace = min(1.0, duration / _MINUTE)
        self._fault_ends = duration * _FAULT_ENDS
        self._entered = {Phase.HEALTHY: 0.0}
        self._delivered = False  # On every route, at any time.
        self._named: float | None = None
        self._cleared: float | None = None
        self._wrong: list[str] = []  # What should not have been named.

    def see(self, names: Names, *, fewest: int, now: float) -> list[str]:
        """Go on by what is named now; the lines to be printed.

        `fewest` is how many messages have come on the route where the fewest have.
        """
        self._delivered = self._delivered or fewest > 0
        said = [*self._accuse(names), *self._follow(names, now)]
        phase = self._next(fewest, now)
        if phase is not self.phase:
            self.phase, self._entered[phase] = phase, now
            said += self._announce()
        return said

    @property
    def problems(self) -> tuple[str, ...]:
        """What went otherwise than it should have, in sentences."""
        missing = []
        if not self._delivered:
            missing.append("Not every route has delivered.")
        if self._scenario.expected and self._named is None:
            missing.append("The fault was not named.")
        if self._named is not None and self._cleared is None:
            missing.append("The fault was not cleared.")
        return (*missing, *(f"Wrongly named: {wrong}." for wrong in self._wrong))

    @property
    def verdict(self) -> str:
        """How it ended, in one line."""
        if self.problems:
            return " ".join(["NOT AS EXPECTED", *self.problems])
        if self._scenario.expected is None:
            return "HEALTHY Nothing was named."
        return "AS EXPECTED The fault was named and cleared, and nothing else was named."

    def _accuse(self, names: Names) -> Iterator[str]:
        """Note what is named and should not be."""
        expected = self._scenario.expected
        calm = self.phase in (Phase.HEALTHY, Phase.OVER)
        wrong = {
            label(name.component, *name.faults)
            for name in (*names.ever, *names.standing)
            if name.decided and not (expected and expected.covers(name))
        }
        wrong |= {
            f"{label(name.component, *name.faults)} while nothing is wrong"
            for name in names.standing
            if name.decided and calm and expected and expected.covers(name)
        }
        for one in sorted(wrong.difference(self._wrong)):
            self._wrong.append(one)
            yield f"ALSO NAMED {one}"

    def _follow(self, names: Names, now: float) -> Iterator[str]:
        """Note when the scenario's fault is named, and when it is over."""
        expected = self._scenario.expected
        if expected is None or self.phase not in (Phase.FAULT, Phase.RECOVERY):
            return
        called = label(expected.component, expected.fault)
        found = [name for name in names.standing if expected.is_named(name)]
        if found and self._named is None:
            self._named = now
            yield f"NAMED {called} after {now - self._entered[Phase.FAULT]:.1f} s"
            yield from (f"  {line}" for line in found[0].evidence[:_SHOWN])
            yield from (f"  The standby relay {name} works." for name in found[0].standby)
        if self.phase is Phase.RECOVERY and self._named is not None and not names.standing:
            self._cleared = now
            yield f"CLEARED {called} after {now - self._entered[Phase.RECOVERY]:.1f} s"

    def _next(self, fewest: int, now: float) -> Phase:
        """The phase from now on."""
        match self.phase:
            case Phase.HEALTHY:
                calm = now >= _CALM * self._pace and fewest >= _CALM_COUNT
                return Phase.FAULT if calm and self._scenario.expected else self.phase
            case Phase.FAULT:
                seen = self._named is not None and now >= self._named + _LOOK * self._pace
                over = seen or now >= self._fault_ends
                return Phase.RECOVERY if over else self.phase
            case Phase.RECOVERY:
                return self.phase if self._cleared is None else Phase.OVER
            case Phase.OVER:
                return self.phase
            case _:
                assert_never(self.phase)

    def _announce(self) -> Iterator[str]:
        match self.phase:
            case Phase.FAULT:
                yield f"FAULT {self._scenario.tells}"
            case Phase.RECOVERY:
                yield "RECOVERY What was broken works again."
            case Phase.HEALTHY | Phase.OVER:
                pass
            case _:
                assert_never(self.phase)


def label(component: Component, *faults: Fault) -> str:
    """What is wrong, in labels; of the component's only the one its kind is called by, if any."""
    names = {name: getattr(component, name) for name in _LABELS if getattr(component, name)}
    if component.kind in names:
        names = {component.kind: names[component.kind]}
    told = {"kind": component.kind, **names, "fault": ",".join(faults)}
    return " ".join(f"{name}={value}" for name, value in told.items())
