"""A night on call: real faults, a prober for each, with Prometheus and Alertmanager.

All happens at the same time: everything is healthy, then broken, one thing becomes worse, then
Prometheus restarts, then everything is mended.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.live import plays
from tests.live.crowd import Crowd
from tests.live.dns_world import txt
from tests.live.prober import ROOT, Prober
from tests.live.replay import Play
from tests.live.seasoned import season
from tests.live.stage import Stage
from tests.live.world import Alertmanager, Notification, Nsd, Prometheus, Switchboard, World

RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))

# The limits of waiting are for a machine that has too much to do; they cost no other one anything.
CALM = float(os.environ.get("CALM", "20"))  # s of health before, with every target scraped.
PAGED = 300.0  # s within which every page must have come.
OVER = 400.0  # s within which every page must be over.
UP = 120.0  # s within which everything is scraped.
AFTERWARDS = 12.0  # s in which nobody must be paged again: two of Alertmanager's group intervals.
BRIEF = {"restart": 30.0, "mailbox": 60.0}  # s that these faults last, whatever the others do.
STUBBORN = "sixth"  # Mended first, as it takes the longest to be sure that so few no longer fail.
OURS = "mailprobe"  # The job of the prober that is killed, as its rule calls it.
QUIET = frozenset({"healthy", *BRIEF})  # Nobody is paged for these.
WORSENS = "worsens"  # Becomes worse once it was paged.
SLEEPY = "smtpd_client_restrictions"  # Postfix looks at them when it is told the recipient.


def healthy(stage: Stage) -> Play:
    """Nothing happens, many times."""
    settings = stage.settings("healthy", stage.nodes())
    settings["defaults"]["interval"] = "2s"
    return Play(settings, _nothing, _nothing, ())


def restarted_node(stage: Stage) -> Play:
    """A node is away for as long as a restart takes."""
    suspect = stage.proxy()
    settings = stage.settings("restarts", stage.nodes(suspect))
    return Play(settings, suspect.refuse, suspect.heal, ())


def refused_sixth(stage: Stage) -> Play:
    """A node refuses every sixth recipient."""
    suspect = stage.proxy()
    settings = stage.settings("sixth", stage.nodes(suspect))
    settings["defaults"]["interval"] = "1s"
    turns = itertools.cycle([False] * 5 + [True])
    return Play(settings, lambda: suspect.refuse_recipients(turns.__next__), suspect.heal, ())


def worsening_node(stage: Stage) -> Play:
    """A node accepts after 8 s; what makes it hold, too, is done later."""
    suspect = stage.postfix(WORSENS)

    def mend() -> None:
        suspect.resume_queue_manager()
        suspect.reload(**{SLEEPY: None})

    return Play(
        stage.settings(WORSENS, stage.nodes(suspect)),
        lambda: suspect.reload(**{SLEEPY: "sleep 8"}),
        mend,
        (),
        worsen=suspect.pause_queue_manager,
    )


def removed_record(stage: Stage) -> Play:
    """The SPF record of the sender's domain is gone."""
    others = f"@ MX 10 mail\nmail A 127.0.0.1\n{txt('_dmarc', 'v=DMARC1; p=none')}\n"
    whole = others + txt("@", "v=spf1 ip4:127.0.0.0/8 -all")
    nsd = stage.world.run(Nsd(stage.world, {"shop.test": whole}))
    settings = stage.settings("record", stage.nodes())
    settings |= {"resolvers": [f"{nsd.address}:{nsd.port}"], "dns": {"interval": "10s"}}
    return Play(
        settings,
        lambda: nsd.publish("shop.test", others),
        lambda: nsd.publish("shop.test", whole),
        (),
    )


def _nothing() -> None:
    pass


PLAYS: Mapping[str, Callable[[Stage], Play]] = {
    "frozen": plays.stopped_queue_manager,
    "stopped": plays.stopped_node,
    "slow": plays.late_greeting,
    WORSENS: worsening_node,
    "sixth": refused_sixth,
    "relay": plays.stopped_relay,
    "mailbox": plays.stopped_mailbox,
    "certificate": plays.ending_certificate,
    "record": removed_record,
    "restart": restarted_node,
    "healthy": healthy,
}


@dataclass
class Night:
    """What happened, by the monotonic clock, and who was called."""

    board: Switchboard
    prometheus: Prometheus
    began: float = 0.0
    spoilt: dict[str, float] = field(default_factory=dict)
    status: dict[str, dict[str, Any]] = field(default_factory=dict)  # When all had been paged.
    worsened: float = 0.0
    mended: dict[str, float] = field(default_factory=dict)
    beats: tuple[int, int, int] = (0, 0, 0)  # Heartbeats: by the kill, until the start, and after.

    def pages(self, job: str) -> list[Notification]:
        """All of them, in order."""
        return self.board.pages(job)

    def firing(self, job: str) -> list[Notification]:
        """Those of them that call somebody."""
        return [one for one in self.pages(job) if one.is_firing]

    def is_open(self, job: str) -> bool:
        """Whether there is a page that is not over."""
        last = {one.key: one for one in self.pages(job)}
        return any(one.is_firing for one in last.values())

    def ask(self, expr: str) -> list[tuple[dict[str, str], list[float]]]:
        """What Prometheus answers, over all of the night."""
        return self.prometheus.ask(expr, over=time.monotonic() - self.began)

    def told(self, job: str) -> str:
        """For people."""
        began = self.spoilt.get(job, 0.0)
        return "\n".join(f"{one.moment - began:+7.1f} s  {one}" for one in self.pages(job))


class Course:
    """The course of the night."""

    def __init__(self, world: World) -> None:
        self._board = board = world.run(Switchboard())
        stage = world.run(Stage(world))
        with ThreadPoolExecutor() as executor:
            made = executor.map(lambda make: make(stage), PLAYS.values())
            self._plays = dict(zip(PLAYS, made, strict=True))
        self._probers = {job: self._prober(world, play) for job, play in self._plays.items()}
        world.run(Crowd(world, list(self._probers.values())))
        dying = stage.settings("dying", stage.nodes())
        heartbeat = {"url": f"{board.url}/heartbeat", "interval": "1s"}
        self._ours = world.run(Prober(world, {**dying, "heartbeat": heartbeat}))
        alertmanager = world.run(Alertmanager(world, board.url))
        ports = {job: prober.port for job, prober in {**self._probers, OURS: self._ours}.items()}
        self._prometheus = world.run(
            Prometheus(world, ports, rules=RULES, alertmanager=alertmanager.port, period=5)
        )
        self.night = Night(board, self._prometheus)

    def run(self) -> Night:
        """From a healthy evening to a healthy morning."""
        self.night.began = time.monotonic()
        self._wait(lambda: self._scraped() == len(self._plays) + 1, UP)
        self._pass(CALM)
        assert not self._board.calls["/page"], "somebody was paged though all was well"
        self._spoil()
        expected = {*self._plays, OURS} - QUIET
        self._wait(lambda: all(map(self.night.pages, expected)), PAGED)
        self.night.status = {job: prober.status() for job, prober in self._probers.items()}
        self._worsen()
        self._mend(STUBBORN)
        self._restart()
        self._mend(*self._plays.keys() - {STUBBORN, WORSENS, *BRIEF})
        self._revive()
        self._wait(lambda: len(self.night.firing(WORSENS)) > 1, PAGED)
        self._mend(WORSENS)
        self._wait(lambda: not any(map(self.night.is_open, expected)), OVER)
        self._pass(AFTERWARDS)
        return self.night

    def _spoil(self) -> None:
        for job, play in self._plays.items():
            self.night.spoilt[job] = time.monotonic()
            play.spoil()
        self.night.spoilt[OURS] = time.monotonic()
        self._ours.kill()
        for job, lasts in BRIEF.items():
            self._pass(self.night.spoilt[job] + lasts - time.monotonic())
            self._mend(job)
            if job == "restart":  # By now the last of its heartbeats has been heard, too.
                self.night.beats = (self._beats(), 0, 0)

    def _worsen(self) -> None:
        worsen = self._plays[WORSENS].worsen
        assert worsen
        self.night.worsened = time.monotonic()
        worsen()

    def _restart(self) -> None:
        self._prometheus.stop()
        self._prometheus.start()
        self._wait(lambda: self._scraped() == len(self._plays), UP)
        self._pass(15.0)

    def _mend(self, *jobs: str) -> None:
        for job in jobs:
            self.night.mended[job] = time.monotonic()
            self._plays[job].mend()

    def _revive(self) -> None:
        before, dead = self.night.beats[0], self._beats()
        self.night.mended[OURS] = time.monotonic()
        self._ours.start()
        self._wait(lambda: self._beats() > dead, UP)
        self.night.beats = (before, dead, self._beats())

    def _scraped(self) -> int:
        return len(self._prometheus.ask("up == 1"))

    def _beats(self) -> int:
        return len(self._board.calls["/heartbeat"])

    def _pass(self, seconds: float) -> None:
        self._wait(lambda: False, seconds)

    @staticmethod
    def _wait(condition: Callable[[], object], within: float) -> None:
        end = time.monotonic() + within
        while time.monotonic() < end and not condition():
            time.sleep(0.2)

    @staticmethod
    def _prober(world: World, play: Play) -> Prober:
        prober = Prober(world, play.settings)
        season(prober.home / "journal.sqlite3", play.arrivals)
        return prober
