"""The mail servers: what they answer to a submission, and what arrives when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from math import exp, inf, log
from random import Random

from probe.core.model import Attempt, Break, Phase, PhaseTime, Reply, RouteKey
from tests.simulation.fault import Fault, Ill
from tests.simulation.grid import covers

GREETING = 8.0  # s that a late one takes.
BACKOFF = 300.0  # s between two tries of a relay to deliver into a dead mailbox.
DRAINED = 2.0  # s within which a queue is delivered once it moves again.
STRAGGLERS = 1e-4  # The share of healthy mail that takes 60 to 300 s.

_STEPS = (  # A healthy submission: what each phase takes, as a rule (s).
    (Phase.CONNECT, 0.002),
    (Phase.GREETING, 0.004),
    (Phase.EHLO, 0.004),
    (Phase.TLS, 0.006),
    (Phase.AUTH, 0.004),
    (Phase.MAIL, 0.002),
    (Phase.RCPT, 0.003),
    (Phase.DATA, 0.002),
    (Phase.ACK, 0.006),
)
_BEFORE_REPLY = {phase: number for number, (phase, _) in enumerate(_STEPS)}
_TAKEN = Reply(250, "2.0.0", "Ok: queued as 4TtPvX0jZLz9rx8")
_REFUSED = Reply(451, "4.3.0", "Temporary failure")


@dataclass(frozen=True, slots=True)
class Latency:
    """How long healthy mail is on its way: lognormal, by its median and its 99th percentile (s)."""

    name: str
    median: float
    p99: float

    @property
    def sigma(self) -> float:
        """Of the logarithm."""
        return log(self.p99 / self.median) / 2.326


LOCAL = Latency("local", 0.05, 0.5)
PUBLIC = Latency("pub", 2.0, 16.0)


@dataclass(frozen=True, slots=True)
class Climate:
    """What is normal."""

    latency: Latency = LOCAL
    failures: float = 0.001  # Share of the probes that fail for no reason: half refused, half lost.


@dataclass(frozen=True, slots=True)
class Course:
    """How a submission goes, and what becomes of its message if it is taken."""

    steps: tuple[PhaseTime, ...]
    reply: Reply | None = None
    broken: Break | None = None
    travel: float = inf  # From acceptance to arrival (s), if nothing holds it.
    copies: int = 1
    returned: bool = False  # What arrives is a DSN.

    @property
    def taken(self) -> bool:
        """Whether the relay takes the message."""
        return self.reply is _TAKEN

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return sum([step.seconds for step in self.steps])

    def attempt(self, began: float) -> Attempt:
        """The facts of it, on the timeline on which it `began`."""
        ended = began + self.seconds
        last = self.steps[-1]
        return Attempt(
            self.steps,
            last.phase,
            ended,
            reply=self.reply,
            broken=self.broken,
            dot=ended - last.seconds if last.phase is Phase.ACK else None,
            queue_id="4TtPvX0jZLz9rx8" if self.reply is _TAKEN else "",
        )


@dataclass(frozen=True, slots=True, order=True)
class Item:
    """Something in a mailbox."""

    arrived: float
    uid: int
    sequence: int = field(compare=False)
    returned: bool = field(compare=False)  # It is a DSN.


class World:
    """All relays, nodes and mailboxes."""

    def __init__(self, climate: Climate, seed: int, hard: float = 60.0) -> None:
        """`hard`: how long the prober waits for an answer at the longest (s)."""
        self._climate = climate
        self._random = Random(seed)
        self._hard = hard
        self._mu, self._sigma = log(climate.latency.median), climate.latency.sigma
        self._faults: list[Fault] = []
        self._of: dict[RouteKey, list[Fault]] = {}
        self._store: dict[str, list[Item]] = {}
        self._uids = count(1)
        self._returns: dict[tuple[str, str, float], float] = {}
        self.notice: Callable[[str, float], None] = lambda mailbox, moment: None

    def strike(self, *faults: Fault) -> None:
        """These happen."""
        self._faults += faults
        self._of.clear()

    def forget(self, before: float) -> None:
        """What was over before this moment matters no more."""
        self._faults = [fault for fault in self._faults if fault.end >= before]
        self._of.clear()

    # ---- relays

    def submit(self, key: RouteKey, now: float) -> Course:
        """How a submission goes that begins now."""
        ills = {fault.ill: fault for fault in self._reigning(key, now)}
        if Ill.DROP in ills:
            return Course((PhaseTime(Phase.CONNECT, self._hard),), broken=Break.TIMED_OUT)
        if Ill.REFUSE_CONNECTIONS in ills or Ill.RESTART in ills:
            return Course((PhaseTime(Phase.CONNECT, 0.001),), broken=Break.REFUSED)
        chance, failures = self._random.random(), self._climate.failures
        steps = self._steps(GREETING if Ill.GREET_LATE in ills else 0.0)
        if chance < failures / 2 or self._struck(ills.get(Ill.REFUSE)):
            return Course(steps[: _BEFORE_REPLY[Phase.RCPT] + 1], reply=_REFUSED)
        if chance < failures or self._struck(ills.get(Ill.LOSE)):
            return Course(steps, reply=_TAKEN)
        returned = self._struck(ills.get(Ill.BOUNCE))
        copies = 2 if self._struck(ills.get(Ill.DUPLICATE)) else 1
        return Course(steps, _TAKEN, travel=self._travel(), copies=copies, returned=returned)

    def take(self, sequence: int, key: RouteKey, course: Course, now: float) -> None:
        """A relay has taken a message."""
        if course.travel == inf:
            return
        arrival = self._held(key, now, now + course.travel)
        if arrival == inf:
            return
        for number in range(course.copies):
            item = Item(arrival + 0.5 * number, next(self._uids), sequence, course.returned)
            heapq.heappush(self._store.setdefault(key.mailbox, []), item)
            self.notice(key.mailbox, item.arrived)

    def _steps(self, greeting: float) -> tuple[PhaseTime, ...]:
        pace = exp(self._random.gauss(0.0, 0.3))
        if not greeting:
            return tuple([PhaseTime(phase, pace * seconds) for phase, seconds in _STEPS])
        return tuple(
            PhaseTime(phase, greeting if phase is Phase.GREETING else pace * seconds)
            for phase, seconds in _STEPS
        )

    def _struck(self, fault: Fault | None) -> bool:
        return fault is not None and (fault.share == 1.0 or self._random.random() < fault.share)

    def _travel(self) -> float:
        if self._random.random() < STRAGGLERS:
            return self._random.uniform(60.0, 300.0)
        return exp(self._random.gauss(self._mu, self._sigma))

    def _held(self, key: RouteKey, taken: float, arrival: float) -> float:
        """When a message arrives that would have at `arrival`, if nothing had held it."""
        for fault in self._concerning(key):
            if fault.start >= arrival or fault.end <= taken:
                continue
            if fault.ill in (Ill.HOLD, Ill.RESTART):
                arrival = max(arrival, fault.end + DRAINED * self._random.random())
            elif fault.ill is Ill.DEAD:
                arrival = max(arrival, self._return(key, fault) + DRAINED * self._random.random())
        return arrival

    def _return(self, key: RouteKey, fault: Fault) -> float:
        """When a node tries a mailbox again that was dead."""
        case = (key.node, key.mailbox, fault.start)
        if case not in self._returns:
            self._returns[case] = fault.end + BACKOFF * self._random.random()
        return self._returns[case]

    # ---- mailboxes

    def readable(self, mailbox: str, now: float) -> bool:
        """Whether a mailbox can be read."""
        return not any(
            fault.ill is Ill.DEAD and fault.reigns(now) and fault.where.mailbox == mailbox
            for fault in self._faults
        )

    def fetch(self, mailbox: str, now: float) -> list[Item]:
        """What has arrived in a mailbox and was not fetched before."""
        store, found = self._store.get(mailbox, []), []
        while store and store[0].arrived <= now:
            found.append(heapq.heappop(store))
        return found

    def next_arrival(self, mailbox: str) -> float | None:
        """When the next of what is on its way to a mailbox arrives."""
        store = self._store.get(mailbox)
        return store[0].arrived if store else None

    # ---- faults

    def _reigning(self, key: RouteKey, now: float) -> list[Fault]:
        return [fault for fault in self._concerning(key) if fault.reigns(now)]

    def _concerning(self, key: RouteKey) -> list[Fault]:
        found = self._of.get(key)
        if found is None:
            found = self._of[key] = [f for f in self._faults if covers(f.where, key)]
        return found
