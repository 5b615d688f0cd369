"""The detector's world: what it is told of each probe, and whom it names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from probe.core.authenticity import Authenticity
from probe.core.change import Arrived, Change, Judged, Returned, Vouched
from probe.core.component import Component, Kind
from probe.core.detection.baseline import Baselines
from probe.core.detection.detector import Detector, Diagnosis
from probe.core.incident import Incident
from probe.core.model import (
    Attempt,
    Bounce,
    Break,
    Folder,
    Phase,
    PhaseTime,
    Place,
    Probe,
    Reason,
    Relay,
    Reply,
    Route,
    RouteKey,
    Sighting,
)
from probe.core.outcome import reason_of
from probe.core.reach import Reach
from probe.core.record import Bad, Good, Record, Verdict
from probe.core.sight import Sight

PROBER = Component(Kind.PROBER)
RELAY = Component(Kind.RELAY, relay="pool")
N1, N2, N3 = (Component(Kind.NODE, relay="pool", node=name) for name in ("n1", "n2", "n3"))
CORP = Component(Kind.MAILBOX, mailbox="corp")

TAKEN = Attempt(
    (PhaseTime(Phase.GREETING, 0.1), PhaseTime(Phase.EHLO, 0.1), PhaseTime(Phase.ACK, 0.1)),
    Phase.ACK,
    ended=0.0,
    reply=Reply(250, "2.0.0", "Ok"),
)
REFUSED = replace(TAKEN, phase=Phase.RCPT, reply=Reply(550, "5.7.1", "no"))
CLOSED = Attempt((), Phase.CONNECT, ended=0.0, broken=Break.REFUSED, detail="connection refused")
SILENT = Attempt((PhaseTime(Phase.CONNECT, 3.0),), Phase.CONNECT, ended=0.0, broken=Break.TIMED_OUT)

GOOD = Good()


class World:
    """A detector, and what it is told of each probe."""

    def __init__(
        self,
        nodes: Iterable[str] = ("n1", "n2", "n3"),
        mailboxes: Iterable[str] = ("corp",),
        *,
        senders: Iterable[str] = ("shop",),
        relays: Iterable[str] = ("pool",),
        incidents: Iterable[Incident] = (),
    ) -> None:
        self.sights = {name: Sight(frozenset({"inbox"}), 0.0, None) for name in mailboxes}
        self.baselines = Baselines()
        self.detector = Detector(self.sights, self.baselines, incidents=incidents)
        self.relays = {name: Relay(name, f"{name}.test", 25) for name in relays}
        self.keys = [
            RouteKey(relay, node, sender, mailbox)
            for relay in self.relays
            for node in nodes
            for sender in senders
            for mailbox in self.sights
        ]
        self.told: list[Incident] = []
        self._sequence = 0

    def follow(self, *, aim: Reach = Reach.WORLD) -> None:
        routes = [Route(key, 15.0, 60.0, 600.0) for key in self.keys]
        self.detector.follow(routes, self.relays, aim=aim)

    def read(self, now: float) -> None:
        for sight in self.sights.values():
            sight.proved("inbox", now)

    def tick(self, now: float) -> Diagnosis:
        diagnosis = self.detector.tick(now)
        self.told += diagnosis.incidents
        return diagnosis

    @property
    def named(self) -> list[Component]:
        return [one.component for one in self.detector.open]

    def all_well(self, since: int, until: int) -> None:
        """A probe a second, through n1, n2 and n3 in turn, and each comes."""
        for moment in range(since, until):
            self.read(moment)
            self.came(self.sent(moment, node=in_turn(moment)), moment)
            self.tick(moment + 0.5)

    # ---- a probe

    def launched(self, now: float, key: RouteKey, *, burst: bool = False) -> Record:
        """A probe that has begun."""
        self._sequence += 1
        probe = Probe(self._sequence, key, now, now, "", 60.0, 600.0, confirmation=burst)
        self.detector.launched(probe)
        return Record(probe)

    def sent(
        self,
        now: float,
        attempt: Attempt = TAKEN,
        node: str = "n1",
        to: str = "corp",
        *,
        relay: str = "pool",
        learned: str = "",
        burst: bool = False,
    ) -> Record:
        """A probe that was submitted, and how that ended."""
        record = self.launched(now, RouteKey(relay, node, "shop", to), burst=burst)
        self.detector.entered(record.probe.sequence, attempt.phase, now)
        return self.ended(record, attempt, now, learned=learned)

    def ended(self, record: Record, attempt: Attempt, now: float, *, learned: str = "") -> Record:
        """Its submission has; where it failed, that is judged first."""
        reason = reason_of(attempt)
        if reason is None:
            record = replace(record, accepted=now)
        else:
            self.detector.changed(Change(record, (Judged(Bad(reason)),)))
        self.detector.attempted(record.probe.sequence, replace(attempt, ended=now), learned)
        return record

    def came(self, record: Record, seen: float, verdict: Verdict = GOOD) -> Record:
        """It was seen in its mailbox, and judged."""
        sequence = record.probe.sequence
        place = Place(record.probe.route.mailbox, "INBOX", 1, sequence)
        sighting = Sighting(sequence, "", place, Folder.INBOX, seen)
        events = Arrived(sighting, 0.0, late=False), Judged(verdict)
        record = replace(record, arrived=seen, verdict=verdict)
        self.detector.changed(Change(record, events))
        return record

    def vouched(self, record: Record, said: Authenticity) -> None:
        """What its mailbox says of who sent it."""
        self.detector.changed(Change(record, (Vouched(said),)))

    def returned(
        self, record: Record, seen: float, status: str, text: str, *, to: str = "corp"
    ) -> None:
        """It was accepted, and bounces."""
        sequence = record.probe.sequence
        bounce = Bounce(sequence, Place(to, "INBOX", 1, sequence), seen, "failed", status, text)
        self.detector.changed(Change(record, (Returned(bounce), Judged(Bad(Reason.BOUNCED)))))


def in_turn(moment: int) -> str:
    """The node whose turn it is: n1, n2 or n3."""
    return f"n{moment % 3 + 1}"
