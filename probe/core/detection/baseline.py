"""What is normal: how many probes fail, how long mail takes, how long each SMTP phase does.

Underestimating either of the first two is the road to false alarms, so that on the first day both
are assumed to be worse than they mostly are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from probe.core.detection.histogram import Histogram
from probe.core.model import Phase

WEEK = 7 * 86400.0  # s: what is older hardly counts for the share of failures.
LEAST_SHARE, MOST_SHARE = 0.001, 0.02  # Between these the share of failures is believed.
_PRIOR_FAILURES, _PRIOR_PROBES = 5.0, 1000.0  # The Beta prior of the share of failures.

_SHAPE = 1.8  # Of the log-logistic survival that holds until enough is known.
_PRIOR_MEDIAN, _PRIOR_WEIGHT = 2.0, 3.0  # Its median on the first day (s), as so many samples.
_LEAST_MEDIAN = 0.05  # s
_KNOWN = 200  # Arrivals from which on the distribution itself is used.
_BEGINNING = 20  # Arrivals that are learned from at once.
_DELAY_MEMORY = 20_000.0  # Arrivals: less, and a fault that is not noticed teaches too quickly.

POSTSCREEN = 6.0  # s: how long a Postfix postscreen keeps a stranger waiting for its greeting.
MOST_PHASES = 5000  # Of all nodes: addresses come and go, and the longest silent one makes room.
_PHASE_KNOWN = 5  # Times that a phase was seen from which on its normal is known.
_PHASE_MEMORY = 1000.0
_PHASE_SHARE = 0.95


@dataclass(slots=True)
class _Failures:
    """Fading counts of a relay's probes."""

    failed: float = 0.0
    probes: float = 0.0
    updated: float = 0.0

    def add(self, count: float, failed: float, now: float) -> None:
        fading = math.exp(-max(0.0, now - self.updated) / WEEK)
        self.failed = self.failed * fading + failed
        self.probes = self.probes * fading + count
        self.updated = max(now, self.updated)


class Baselines:
    """What has been learned so far; it is asked about relays that it never heard of, too."""

    def __init__(self, rows: Mapping[str, tuple[float, ...]] | None = None) -> None:
        """`rows`: what the last run's `rows` gave; what makes no sense of it is learned anew."""
        self._failures: dict[str, _Failures] = {}
        self._delays: dict[tuple[str, str], Histogram] = {}
        self._phases: dict[tuple[str, Phase, str], Histogram] = {}
        for name, row in (rows or {}).items():
            self._restore(name, row)

    # ---- what is learned

    def ended(self, relay: str, *, failed: bool, now: float) -> None:
        """A scheduled probe has come to its end."""
        self._failures.setdefault(relay, _Failures(updated=now)).add(1.0, float(failed), now)

    def arrived(self, relay: str, mailbox: str, seconds: float) -> None:
        """A probe took so long from its acceptance to its arrival (s)."""
        key = relay, mailbox
        if key not in self._delays:
            self._delays[key] = Histogram(_DELAY_MEMORY)
        self._delays[key].add(seconds)

    def timed(self, relay: str, node: str, phase: Phase, seconds: float) -> None:
        """A phase ended well after so long (s)."""
        key = relay, phase, node
        times = self._phases.pop(key, None) or Histogram(_PHASE_MEMORY)
        times.add(seconds)
        self._phases[key] = times  # The last in order.
        if len(self._phases) > MOST_PHASES:
            del self._phases[next(iter(self._phases))]

    def is_new_to(self, relay: str, mailbox: str) -> bool:
        """Whether so little mail has come this way that its delay is hardly known."""
        known = self._delays.get((relay, mailbox))
        return known is None or known.seen < _BEGINNING

    # ---- what is asked

    def failing_share(self, relay: str) -> float:
        """The share of probes through this relay that fail when all is well, .001 .. .02.

        The mean of a Beta(5, 995) that has seen the probes of a week.
        """
        known = self._failures.get(relay, _Failures())
        share = (_PRIOR_FAILURES + known.failed) / (_PRIOR_PROBES + known.probes)
        return min(max(share, LEAST_SHARE), MOST_SHARE)

    def outstanding(self, relay: str, mailbox: str, age: float) -> float:
        """The share of arriving mail that takes longer than this (s), 0 .. 1.

        Until 200 arrivals are known a log-logistic distribution with a pulled-in median; then
        what was seen, but never less than half of that: the longest delay was not the longest.
        """
        known = self._delays.get((relay, mailbox))
        assumed = _log_logistic(age, _median(known))
        if known is None or known.seen < _KNOWN:
            return assumed
        return max(known.above(age), assumed / 2)

    def age(self, relay: str, mailbox: str, share: float) -> float:
        """The age that no more than this share of arriving mail exceeds (s)."""
        known = self._delays.get((relay, mailbox))
        if known is None or known.seen < _KNOWN:
            return _log_logistic_age(share, _median(known))
        return max(known.quantile(1.0 - share), _log_logistic_age(2 * share, _median(known)))

    def normal(self, relay: str, node: str, phase: Phase) -> float:
        """How long this phase takes with this node at most, nearly always (s).

        A node that is not known yet may be like the slowest of its relay, and one of an unknown
        relay may make strangers wait.
        """
        known = self._phases.get((relay, phase, node))
        if known is not None and known.seen >= _PHASE_KNOWN:
            return known.quantile(_PHASE_SHARE)
        siblings = [
            seen
            for (its_relay, its_phase, _), seen in self._phases.items()
            if its_relay == relay and its_phase is phase
        ]
        if sum(seen.seen for seen in siblings) < _PHASE_KNOWN:
            return POSTSCREEN
        return max(seen.quantile(_PHASE_SHARE) for seen in siblings)

    # ---- how it lasts

    def rows(self) -> dict[str, tuple[float, ...]]:
        """All of it, for the journal."""
        rows: dict[str, tuple[float, ...]] = {}
        for relay, known in self._failures.items():
            rows[f"failures {relay}"] = (known.failed, known.probes, known.updated)
        for (relay, mailbox), delays in self._delays.items():
            rows[f"delays {relay} {mailbox}"] = delays.row()
        for (relay, phase, node), times in self._phases.items():
            rows[f"phases {relay} {phase} {node}"] = times.row()
        return rows

    def _restore(self, name: str, row: tuple[float, ...]) -> None:
        try:
            match name.split(" ", 3):
                case ["failures", relay] if all(0 <= x < math.inf for x in row):
                    self._failures[relay] = _Failures(*row)
                case ["delays", relay, mailbox]:
                    self._delays[relay, mailbox] = Histogram.of(row, _DELAY_MEMORY)
                case ["phases", relay, phase, node]:
                    times = Histogram.of(row, _PHASE_MEMORY)
                    self._phases[relay, Phase(phase), node] = times
        except (ValueError, IndexError, TypeError, OverflowError):
            return


def _median(known: Histogram | None) -> float:
    if known is None or not known.seen:
        return _PRIOR_MEDIAN
    seen = known.seen
    logs = known.mean_log * seen + _PRIOR_WEIGHT * math.log(_PRIOR_MEDIAN)
    return max(math.exp(logs / (seen + _PRIOR_WEIGHT)), _LEAST_MEDIAN)


def _log_logistic(age: float, median: float) -> float:
    return 1.0 / (1.0 + float((max(age, 0.0) / median) ** _SHAPE))


def _log_logistic_age(share: float, median: float) -> float:
    return float(median * (1.0 / min(share, 0.5) - 1.0) ** (1.0 / _SHAPE))
