"""A fault of a mail system, replayed before a prober: what it named, and when."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from probe.core.component import Component, Fault, Kind
from tests.live import onlooker
from tests.live.onlooker import Accusation, Glance, Onlooker, incidents
from tests.live.prober import Prober

INTERVAL = 15.0  # s
EARLIER = 5.0  # s that a probe is ahead of the fault: it is seen two thirds of an interval later.
PATIENCE = 20.0  # s that we wait longer than the fault may take to be named: late beats never.
STAYS = 3.0  # s that a fault stays after it was named, so that a change of mind is seen.
RECOVERY = 75.0  # s
AFTERWARDS = 3.0  # s, at least, in which nothing must be named again.

LEARNED = 2000  # Arrivals: of three hours, at 15 s through three nodes.
SUSPECT = "n2"  # The node at fault, where it is one.
POOL = Component(Kind.RELAY, relay="pool")
CORP = Component(Kind.MAILBOX, mailbox="corp")
PROBER = Component(Kind.PROBER)


def node(name: str = SUSPECT) -> Component:
    """A node of the pool."""
    return Component(Kind.NODE, relay="pool", node=name)


@dataclass(frozen=True, slots=True)
class Guilt:
    """What is to be named, and how soon after it began."""

    component: Component
    fault: Fault
    within: float = math.inf  # s

    def __str__(self) -> str:
        return f"{self.component}: {self.fault}"


@dataclass(frozen=True, slots=True)
class Play:
    """What goes wrong, and who is guilty of it."""

    settings: dict[str, Any]
    spoil: Callable[[], None]
    mend: Callable[[], None]
    guilt: tuple[Guilt, ...]
    likewise: tuple[Component, ...] = ()  # At fault as well: it may be named, or not.
    beside: tuple[Component, ...] = ()  # It may be named while all the guilty are.
    arrivals: int = LEARNED  # That the prober has learned from.
    clues: Callable[[], Sequence[str]] = tuple  # One of them must be told, while it lasts.
    unaffected: tuple[str, ...] = ("n1", "n3")  # Who is told to work.
    worsen: Callable[[], None] | None = None  # What is done later, if anything.
    standby: tuple[str, ...] = ()  # The relays that stand by, and work.
    shown: Callable[[], float | None] | None = None  # When it could first be seen, once it was.
    lasts: float = 0.0  # s, at least.
    afterwards: float = AFTERWARDS

    @property
    def blamed(self) -> frozenset[tuple[Component, Fault]]:
        """What must be named."""
        return frozenset((one.component, one.fault) for one in self.guilt)

    @property
    def patience(self) -> float:
        """How long to wait for all to be named (s)."""
        return PATIENCE + max(one.within for one in self.guilt)

    def wronged(self, named: Iterable[Accusation]) -> list[Accusation]:
        """Accusations of the innocent, at one moment; not those that say who it may be instead."""
        accused = tuple(named)
        guilty = {guilt.component for guilt in self.guilt}
        true = guilty | set(self.likewise)
        if guilty <= {one.component for one in accused}:
            true |= set(self.beside)
        return [one for one in accused if one.component not in true
                and true.isdisjoint(one.alternatives)]  # fmt: skip


@dataclass(frozen=True, slots=True, repr=False)
class Account:
    """What came of it. Moments are of the monotonic clock."""

    play: Play
    spoilt: float
    began: float  # When it could be seen first.
    mended: float
    quiet: float | None  # When nothing was named any more.
    history: tuple[Glance, ...]
    status: dict[str, Any]  # While it was named.
    clues: Sequence[str]
    during: list[dict[str, Any]]  # Incidents, before it was mended.
    after: list[dict[str, Any]]  # Incidents, at the end.

    def seconds(self, guilt: Guilt) -> float | None:
        """How long it took until this was named; None: it never was."""
        for glance in self.history:
            for one in glance.named:
                if (one.component, one.fault) == (guilt.component, guilt.fault):
                    return glance.moment - self.began
        return None

    def since(self, component: Component) -> float:
        """Since when it was said to be at fault, counted from when that was done to it (s)."""
        told = {onlooker.component(one): one["since"] for one in self.status["components"]}
        age = time.time() - datetime.fromisoformat(told[component]).timestamp()
        return time.monotonic() - age - self.spoilt

    def __str__(self) -> str:
        """What was named when."""
        lines = [
            f"{glance.moment - self.began:+7.1f} s  "
            + ("; ".join(map(str, sorted(glance.named | glance.gauged))) or "nothing")
            for glance in self.history
        ]
        lines.append(f"{self.mended - self.began:+7.1f} s  it was mended")
        return "\n".join(["what was named, counted from the fault:", *sorted(lines, key=_moment)])


def _moment(line: str) -> float:
    return float(line.split()[0])


class Replay:
    """One play, looked at by one prober."""

    def __init__(self, play: Play, prober: Prober) -> None:
        self._play = play
        self.prober = prober
        self._onlooker = Onlooker(prober)

    def run(self) -> Account:
        """From a healthy pool to a healthy pool; the prober is up."""
        self._onlooker.start()
        try:
            return self._run()
        finally:
            self._onlooker.kill()

    def _run(self) -> Account:
        self._await_moment()
        spoilt = time.monotonic()
        self._play.spoil()
        began = self._await_guilt(spoilt)
        status, during = self.prober.status(), incidents(self.prober)
        clues = self._play.clues()
        mended = time.monotonic()
        self._play.mend()
        quiet = time.monotonic() if self._onlooker.wait(self._is_over, RECOVERY) else None
        self._onlooker.wait(lambda: False, self._play.afterwards)
        return Account(
            self._play,
            spoilt,
            began,
            mended,
            quiet,
            history=tuple(self._onlooker.history),
            status=status,
            clues=clues,
            during=during,
            after=incidents(self.prober),
        )

    def _await_moment(self) -> None:
        """The same in each run: a probe has come through the suspect a while ago."""
        reached = self._onlooker.wait(self._has_come_through, 3 * INTERVAL)
        assert reached, f"not all nodes deliver\n{self.prober.log_end()}"
        self._onlooker.wait(lambda: False, EARLIER)

    def _has_come_through(self) -> bool:
        before, now = self._onlooker.before.delivered, self._onlooker.last.delivered
        suspect = SUSPECT if SUSPECT in now else ""  # Behind a balancer none has a counter.
        return all(now.values()) and bool(before) and now[suspect] > before[suspect]

    def _await_guilt(self, spoilt: float) -> float:
        """When it could first be seen; returns once all is named, or should long have been."""
        began = self._await_show() if self._play.shown else spoilt
        self._onlooker.wait(self._is_named, began + self._play.patience - time.monotonic())
        stays = max(time.monotonic() + STAYS, began + self._play.lasts)
        self._onlooker.wait(lambda: False, stays - time.monotonic())
        return began

    def _await_show(self) -> float:
        shown = self._play.shown
        assert shown is not None
        self._onlooker.wait(lambda: shown() is not None, 3 * INTERVAL)
        moment = shown()
        assert moment is not None, "the fault never showed"
        return moment

    def _is_named(self) -> bool:
        named = {(one.component, one.fault) for one in self._onlooker.last.named}
        return named.issuperset(self._play.blamed)

    def _is_over(self) -> bool:
        return self._onlooker.last.is_quiet
