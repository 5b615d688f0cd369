"""What is known of a probe, and its verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace

from probe.core.model import Place, Probe, Reason, UnknownCause


@dataclass(frozen=True, slots=True)
class Good:
    """It arrived in time, in the inbox, as it was sent."""


@dataclass(frozen=True, slots=True)
class Bad:
    """It failed."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Unknown:
    """It can never be judged."""

    cause: UnknownCause


Verdict = Good | Bad | Unknown


@dataclass(frozen=True, slots=True)
class Record:
    """Everything that is kept of a probe; moments on the timeline."""

    probe: Probe
    accepted: float | None = None  # The final 250, or the final dot where its reply was lost.
    ack_lost: bool = False
    ended: bool = False  # The submission is over; where it never was, we were killed in it.
    verdict: Verdict | None = None  # Given once.
    arrived: float | None = None  # The first sighting.
    overdue: bool = False  # Its mailbox was read after its deadline, and it was not there.
    bounced: bool = False
    lost: bool = False  # Not waited for any longer.
    places: tuple[Place, ...] = ()  # Every copy seen.
    learned: str = ""  # The node that the greeting named, where that tells the nodes apart.

    @property
    def node(self) -> str:
        """The node that it went to, as far as that is known."""
        return self.learned or self.probe.route.node

    @property
    def since(self) -> float:
        """Since when it is on its way: since its acceptance, as far as that is known."""
        return self.probe.launched if self.accepted is None else self.accepted

    @property
    def undecided(self) -> bool:
        """Whether it still waits for its verdict."""
        return self.verdict is None

    @property
    def owed(self) -> bool:
        """Whether the account of its route waits for its verdict: it is one of the schedule."""
        return self.undecided and not self.probe.confirmation

    @property
    def succeeded(self) -> bool:
        """Whether it is a success of its route, as those of the schedule only can be."""
        return isinstance(self.verdict, Good) and not self.probe.confirmation

    @property
    def in_flight(self) -> bool:
        """Whether it was accepted, has not been seen, and may still come."""
        gone = self.arrived is not None or self.bounced or self.lost
        return self.accepted is not None and not gone

    @property
    def settled(self) -> bool:
        """Whether nothing more is waited for."""
        return not self.undecided and not self.in_flight

    def cut_off(self) -> Record:
        """As it is if we did not see the end of its submission: it may be on its way."""
        return replace(self, accepted=self.probe.launched, ack_lost=True)

    def placed(self, place: Place) -> tuple[Record, bool]:
        """With this place, which goes last if it is new, and whether it is that of a known copy.

        After a change of UIDVALIDITY every message has a new name: one new place takes that of
        one old one in the same folder.
        """
        if place in self.places:
            return self, True
        for old in self.places:
            same_folder = (old.mailbox, old.folder) == (place.mailbox, place.folder)
            if same_folder and old.uidvalidity != place.uidvalidity:
                others = (known for known in self.places if known != old)
                return replace(self, places=(*others, place)), True
        return replace(self, places=(*self.places, place)), False
