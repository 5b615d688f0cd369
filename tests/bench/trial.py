"""Trials: the same fault for many probers at once, each on a pool of its own."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from random import Random

from tests.bench.faults import BALANCED, KNOWN, Case, Scene, Servers
from tests.live.crowd import Crowd
from tests.live.onlooker import Accusation, accusations, component
from tests.live.prober import Prober
from tests.live.replay import LEARNED, Play
from tests.live.seasoned import season
from tests.live.world import Network, World, wait_until

PERIOD = 0.5  # s between two looks at a prober: what is measured is half of that too long.
LATER = 30.0  # s after it was named the failing share is read.

_DELIVERED = re.compile(r'^mailprobe_delivered_total\{.*node="(.*?)".*\} ([0-9.]+)$', re.MULTILINE)
_LEARNED = re.compile(r'^mailprobe_in_flight\{.*node="([^"]+)"', re.MULTILINE)


@dataclass(slots=True)
class Trial:
    """One prober while something breaks. Moments are of the monotonic clock."""

    play: Play
    prober: Prober
    case: Case
    spoilt: float = 0.0
    began: float | None = None  # When it could be seen.
    named: float | None = None
    wronged: set[Accusation] = field(default_factory=set)
    share: tuple[float, float] | None = None
    missed: int = 0  # Looks that were not answered.
    is_over: bool = False

    @property
    def seconds(self) -> float | None:
        """From the fault to its name; None: it was not named."""
        return None if self.named is None or self.began is None else self.named - self.began

    @property
    def is_settled(self) -> bool:
        """Whether every node has delivered, or all behind the balancer are known."""
        try:
            metrics = self.prober.get("/metrics")
        except TimeoutError:
            return False
        delivered = dict.fromkeys((name for name, _ in _DELIVERED.findall(metrics)), 0.0)
        for name, count in _DELIVERED.findall(metrics):
            delivered[name] += float(count)
        known = set(_LEARNED.findall(metrics)) if "" in delivered else delivered
        return all(delivered.values()) and len(known) >= BALANCED

    def spoil(self) -> None:
        """Now."""
        self.spoilt = time.monotonic()
        self.play.spoil()

    def look(self) -> None:
        """At what is named now."""
        now = time.monotonic()
        if self.began is None:
            self.began = self.play.shown() if self.play.shown else self.spoilt
        try:
            status = self.prober.status()
        except TimeoutError:  # It gets too little of the machine; so do all figures, then.
            self.missed += 1
            return
        found = list(accusations(status))
        self.wronged.update(self.play.wronged(found))
        named = {(one.component, one.fault) for one in found}
        if self.named is None and named.issuperset(self.play.blamed):
            self.named, self.began = now, self.began or now
        self.is_over = self._ends(status, now)

    def _ends(self, status: dict[str, object], now: float) -> bool:
        if self.named is None:
            return now > (self.began or self.spoilt) + self.case.patience
        if self.case.share is None:
            return True
        if now < self.named + LATER:
            return False
        (guilt,) = self.play.guilt
        for told in status["components"]:  # type: ignore[attr-defined]
            if component(told) == guilt.component and told["failing_share"]:
                self.share = tuple(told["failing_share"])
        return True


def run(
    case: Case,
    servers: Servers,
    numbers: Sequence[int],
    *,
    turn: AbstractContextManager[object],
    ended: Callable[[], None],
) -> list[Trial]:
    """Trials of these numbers at the same time, from fault to name while it is our `turn`.

    `ended` is called as each comes to its end.
    """
    with World() as world:
        network = world.run(Network(world))
        trials = [
            _trial(case, Scene(servers, network, f"t{number}", Random(number)), world)
            for number in numbers
        ]
        world.run(Crowd(world, [trial.prober for trial in trials]))
        wait_until(lambda: _settled(trials), "every node delivers", within=90.0)
        with turn:
            for trial in trials:
                trial.spoil()
            _watch(trials, ended)
            for mend in dict.fromkeys(trial.play.mend for trial in trials):
                mend()
        return trials


def _trial(case: Case, scene: Scene, world: World) -> Trial:
    play = case.make(scene)
    prober = Prober(world, play.settings, name=scene.name)
    season(prober.home / "journal.sqlite3", LEARNED, nodes=KNOWN)
    return Trial(play, prober, case)


def _settled(trials: Sequence[Trial]) -> bool:
    time.sleep(1.0)  # A look at the metrics of many takes its time.
    return all(trial.is_settled for trial in trials)


def _watch(trials: Sequence[Trial], ended: Callable[[], None]) -> None:
    due = time.monotonic()
    while watched := [trial for trial in trials if not trial.is_over]:
        for trial in watched:
            trial.look()
            if trial.is_over:
                ended()
        due += PERIOD
        time.sleep(max(0.0, due - time.monotonic()))
