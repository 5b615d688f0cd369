"""What can become of a probe: the events that the ledger answers with."""

from __future__ import annotations

from dataclasses import dataclass

from probe.core.authenticity import Authenticity
from probe.core.model import Bounce, Folder, Sighting
from probe.core.record import Good, Record, Verdict


@dataclass(frozen=True, slots=True)
class Sent:
    """The relay took the message with its final 250."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Arrived:
    """First sighting."""

    sighting: Sighting
    seconds: float  # From acceptance, 0 or more.
    late: bool


@dataclass(frozen=True, slots=True)
class Copied:
    """One more copy."""

    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Returned:
    """A DSN."""

    bounce: Bounce


@dataclass(frozen=True, slots=True)
class GaveUp:
    """It will not be waited for any longer."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """What is known of its authentication; comes once for each probe that arrived, some time after.

    A probe whose proof FAILS is a fact against whoever it came by: two such facts name the fault
    `unauthenticated`. One that is OPEN says nothing.
    """

    authenticity: Authenticity


Event = Sent | Judged | Arrived | Copied | Returned | GaveUp | Vouched


@dataclass(frozen=True, slots=True)
class Change:
    """A probe as it is known now, and what made the difference."""

    record: Record
    events: tuple[Event, ...]


def is_plain(change: Change, sighting: Sighting) -> bool:
    """Whether a message is as it should be, so that nobody will want to look at it."""
    good = change.record.undecided or isinstance(change.record.verdict, Good)
    copied = any(isinstance(event, Copied) for event in change.events)
    right = sighting.folder is Folder.INBOX and not sighting.altered
    return good and right and not copied
