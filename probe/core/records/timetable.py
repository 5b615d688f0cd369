"""When each check of each domain is made: on its own interval, spread by a hash, never in step.

From one run to the next it is between 0.8 and 0.9 intervals, so that a check that turned bad can
be made once more within the interval and be known for sure when it is over. Name servers alone are
given until the next run: they take over a change one after the other.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from probe.core.records.check import CheckKind

_LEAST, _SPREAD = 0.8, 0.1  # Of the interval.
_AGAIN = 0.1  # Of the interval, after which what turned bad is looked at once more,
_SOON = 30.0  # or so many seconds, if that is less.
_BEGINNING = 10.0  # s within which the first runs are spread.


@dataclass(frozen=True, slots=True)
class DnsTimes:
    """The longest from one run of a check to the next (s)."""

    interval: float = 300.0
    dnsbl_interval: float = 1800.0

    def of(self, kind: CheckKind) -> float:
        """The interval of one kind of check."""
        return self.dnsbl_interval if kind is CheckKind.DNSBL else self.interval


def first_run(domain: str, times: DnsTimes, now: float) -> float:
    """When a domain is checked for the first time; all kinds at once, domains apart."""
    return now + _share(domain) * min(_BEGINNING, _AGAIN * times.interval)


def next_run(domain: str, interval: float, due: float) -> float:
    """When checks that were `due` together are due again, together: most ask the same questions."""
    return due + interval * (_LEAST + _SPREAD * _share(f"{domain} {due:.3f}"))


def confirming_run(kind: CheckKind, interval: float, now: float) -> float:
    """When a check that has just turned bad is made once more, at the latest."""
    return now + (interval if kind is CheckKind.NS else min(_SOON, _AGAIN * interval))


def _share(text: str) -> float:
    """A number from 0 to 1 that looks random and depends on the text only."""
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 0xFFFFFFFF
