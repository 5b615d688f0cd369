"""An engine without the world: ports that remember."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from probe.core.incident import Incident
from probe.core.model import (
    Attempt,
    ImapServer,
    Mailbox,
    Node,
    Phase,
    PhaseTime,
    Place,
    Probe,
    Relay,
    Reply,
    Route,
    RouteKey,
    Sender,
)
from probe.core.record import Record
from probe.ports import Letter, Position, Remembered
from tests.hand_turned import HandTurnedClock

KEY = RouteKey("pool", "n1", "shop", "corp")
ROUTE = Route(KEY, 15.0, 60.0, 3600.0)
NODE = Node("pool", "n1", "127.0.0.1", 25)
RELAY = Relay("pool", "smtp.example", 25)
SENDER = Sender("shop", "probe@shop.example")
MAILBOX = Mailbox("corp", "probe@corp.example", ImapServer("imap.example", 993, "probe"))


class FakeJournal:
    """Remembers in a dict, durably at once."""

    id = "0123456789ab"
    created = 0.0
    up = True
    errors = 0

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}
        self.kept: list[tuple[Place, int | None, float]] = []
        self.given_up: list[tuple[str, float, int]] = []
        self.incidents: dict[str, Incident] = {}
        self.baselines: dict[str, tuple[float, ...]] = {}
        self.steps: list[str] = []
        self.notes: dict[tuple[str, str], str] = {}
        self._sequence = 0

    def load(self) -> Remembered:
        return Remembered((), {}, {}, None, False)

    def next_sequence(self) -> int:
        self._sequence += 1
        return self._sequence

    async def launch(self, probe: Probe) -> None:
        self.steps.append("journal")
        self.records[probe.sequence] = Record(probe)

    def save(self, record: Record) -> None:
        self.records[record.probe.sequence] = record

    async def find(self, sequence: int) -> Record | None:
        found = self.records.get(sequence)
        await asyncio.sleep(0)
        return found

    def arrived(self, record: Record, *, expunge: float) -> None:
        self.save(record)
        self.kept.append((record.places[-1], record.probe.sequence, expunge))

    def give_up(self, mailbox: str, before: float, last: int) -> None:
        self.given_up.append((mailbox, before, last))

    async def position(self, mailbox: str, folder: str) -> Position | None:
        return None

    async def advance(self, position: Position) -> None:
        """Nothing to remember."""

    async def to_clean(self, mailbox: str, folder: str, now: float, limit: int) -> list[Place]:
        return []

    def keep_until(self, place: Place, sequence: int | None, expunge: float) -> None:
        self.kept.append((place, sequence, expunge))

    async def cleaned(self, places: Sequence[Place]) -> None:
        """Nothing to clean."""

    def save_incident(self, incident: Incident) -> None:
        self.incidents[incident.id] = incident

    def keep_baselines(self, rows: Mapping[str, tuple[float, ...]]) -> None:
        self.baselines.update(rows)

    def note(self, topic: str, name: str, text: str) -> None:
        self.notes[topic, name] = text

    def shift(self, seconds: float) -> None:
        """Nothing is stored by the wall."""

    def prune(self, now: float) -> None:
        """Nothing grows old."""

    async def close(self) -> None:
        """Nothing is open."""


class FakeMetrics:
    """Counts every verb with its arguments."""

    def __init__(self) -> None:
        self.calls: Counter[tuple[object, ...]] = Counter()

    def __getattr__(self, verb: str) -> Callable[..., None]:
        def count(*args: object, **kwargs: object) -> None:
            self.calls[
                (verb, *(str(a) for a in args), *(f"{k}={v}" for k, v in kwargs.items()))
            ] += 1

        return count

    def count(self, verb: str, *args: object) -> int:
        """How often a verb was called with arguments that begin like these."""
        wanted = (verb, *(str(a) for a in args))
        return sum(n for call, n in self.calls.items() if call[: len(wanted)] == wanted)


@dataclass
class FakeSubmitter:
    """A relay that answers what the test says: one outcome for each submission, the last stays."""

    clock: HandTurnedClock
    outcomes: list[Attempt] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None  # Submissions wait for it.

    async def submit(
        self, node: Node, letter: Letter, entered: Callable[[Phase, float], None]
    ) -> Attempt:
        self.letters.append(letter)
        self.steps.append("submit")
        entered(Phase.CONNECT, self.clock.now())
        if self.gate is not None:
            await self.gate.wait()
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        return replace(outcome, ended=self.clock.now())


ACCEPTED = Attempt((PhaseTime(Phase.ACK, 0.1),), Phase.ACK, 0.0, reply=Reply(250, "", "ok"))
GREYLISTED = Attempt((), Phase.RCPT, 0.0, reply=Reply(450, "4.2.0", "Greylisted"))
LOGIN_REFUSED = Attempt((), Phase.AUTH, 0.0, reply=Reply(535, "5.7.8", "no"))
