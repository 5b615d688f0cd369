"""How many messages relays and mailboxes take from us."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """What a relay takes; None is without limit."""

    per_minute: int | None = None  # Messages.
    per_day: int | None = None
    connections: int | None = None  # At a time.


NO_LIMITS = RelayLimits()


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits in force. What is not named in them has none."""

    relays: Mapping[str, RelayLimits] = field(default_factory=dict)
    mailboxes: Mapping[str, int] = field(default_factory=dict)  # Messages a day.

    def with_mailboxes(self, per_day: Mapping[str, int]) -> Limits:
        """The same, with some more mailboxes."""
        return replace(self, mailboxes={**self.mailboxes, **per_day})
