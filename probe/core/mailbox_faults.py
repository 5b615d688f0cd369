"""What is wrong with one mailbox, by what its server and the relays say of it.

Probes are compared by when they were launched: a report of a refusal may come long after a
younger probe has arrived, and then says nothing any more.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from probe.core.component import Fault, Named
from probe.core.quota import Quota
from probe.core.sight import Sight

REFUSAL_HOLDS = 900.0  # s: so long a refusal is believed that no probe and no quota contradicts.
UNREADABLE_AFTER = 2  # Failed attempts in a row at one folder.


@dataclass(frozen=True, slots=True)
class _Refusal:
    """That somebody would not take a probe because the mailbox is full."""

    launched: float
    told: float
    text: str


class MailboxFaults:
    """Is told what happens, and names what is wrong."""

    def __init__(self, sight: Sight) -> None:
        """`sight`: what could be seen of the mailbox, kept up to date by the caller."""
        self.sight = sight
        self._quota: Quota | None = None
        self._refusal: _Refusal | None = None
        self._arrived = -math.inf  # When the youngest probe that arrived was launched.
        self._failures: Counter[str] = Counter()  # By folder, since the mailbox was last readable.
        self._failing = 0.0  # Since when there are any.
        self._why = ""
        self._named: tuple[Named, ...] = ()

    def measured(self, quota: Quota | None) -> None:
        """Its quota was read; None where it has none."""
        was_full = self._quota is not None and self._quota.is_full
        if was_full and quota is not None and not quota.is_full:
            self._refusal = None  # Where the quota never seemed full, it is not what is full.
        self._quota = quota

    def refused(self, launched: float, told: float, text: str) -> None:
        """A probe was not taken because the mailbox is full."""
        if launched > self._arrived:
            self._refusal = _Refusal(launched, told, text)

    def arrived(self, launched: float) -> None:
        """A probe has arrived."""
        self._arrived = max(self._arrived, launched)
        if self._refusal is not None and self._refusal.launched < launched:
            self._refusal = None

    def failed(self, folder: str, now: float, why: str) -> None:
        """A folder could not be read."""
        if not self._failures:
            self._failing = now
        self._failures[folder] += 1
        self._why = why

    def named(self, now: float) -> tuple[Named, ...]:
        """What is wrong at this moment, the leading fault first."""
        before = {named.fault: named for named in self._named}
        found = (self._unreadable(), self._full(now, before.get(Fault.FULL)))
        self._named = tuple(named for named in found if named is not None)
        return self._named

    def _unreadable(self) -> Named | None:
        if not self.sight.blind:
            self._failures.clear()
        if max(self._failures.values(), default=0) < UNREADABLE_AFTER:
            return None
        return Named(Fault.UNREADABLE, self._failing, (self._why,))

    def _full(self, now: float, before: Named | None) -> Named | None:
        evidence = []
        if self._refusal is not None and now < self._refusal.told + REFUSAL_HOLDS:
            evidence.append(self._refusal.text)
        if self._quota is not None and self._quota.is_full:
            evidence.append(f"{100 * self._quota.share:.0f} % of its quota is used")
        since = now if before is None else before.since
        return Named(Fault.FULL, since, tuple(evidence)) if evidence else None
