"""The sums of evidence: one for every series, over all observations in the order of their slots.

Each is a CUSUM (Page 1954): never below 0, so that it starts anew wherever all was well. What is
still on its way counts by its age, and is counted anew at each look, so that the order of arrival
cannot matter and nothing is counted twice.

A success takes the same from every sum, down to 0, so that of a row of successes only the number
matters. Hence a look costs as much as there is that is no success, however many successes came
after a message that is still missing.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from probe.core.detection.observation import DESIGN_SHARE, Observation, Weight
from probe.core.detection.topology import Topology
from probe.core.model import RouteKey

Weigh = Callable[[Observation], Weight | None]
Rests = Callable[[Observation], bool]

_SUCCESS = math.log(1.0 - DESIGN_SHARE)  # nats


@dataclass(frozen=True, slots=True)
class Sums:
    """The sums at one moment (nats), and since when each has been above 0."""

    nats: list[float]
    onset: list[float]
    alive: list[int]  # The series whose sum is above 0.

    @property
    def highest(self) -> int:
        """The number of the series with the largest sum."""
        return max(self.alive, key=self.nats.__getitem__, default=0)


@dataclass(slots=True)
class _Mark:
    """An observation that is no success, or not yet."""

    one: Observation
    key: RouteKey  # As it was when it was entered.
    weight: Weight | None = None
    final: bool = False


@dataclass(slots=True)
class _Track:
    """The sum of one series: what is settled for good, and what came after it, by slots."""

    kinds: int
    nats: float = 0.0
    onset: float = 0.0
    good: list[float] = field(default_factory=list)  # The slots of successes, ascending.
    marks: list[_Mark] = field(default_factory=list)  # Likewise.

    def sum(self) -> tuple[float, float]:
        """The sum now, and since when it has been above 0."""
        nats, onset, counted, final = self.nats, self.onset, 0, 0
        for place, mark in enumerate(self.marks):
            before = bisect_left(self.good, mark.one.slot, counted)
            nats = max(0.0, nats + (before - counted) * _SUCCESS)
            counted = before
            if mark.weight is not None and mark.weight.blames & self.kinds:
                value = mark.weight.nats()
                if nats <= 0.0 < value:
                    onset = mark.one.slot
                nats = max(0.0, nats + value)
            if mark.final and final == place:
                final, self.nats, self.onset, settled = place + 1, nats, onset, counted
        if final:
            del self.marks[:final]
            del self.good[:settled]
            counted -= settled
        nats = max(0.0, nats + (len(self.good) - counted) * _SUCCESS)
        if not self.marks:
            self.nats, self.onset = nats, onset
            self.good.clear()
        return nats, onset


class Walk:
    """Keeps the sums, and what may still change them."""

    def __init__(self) -> None:
        self._entered = 0  # So many observations are in the tracks, or have gone through them.
        self._open: list[_Mark] = []
        self._tracks: dict[int, _Track] = {}

    def missing(self, nats: float) -> Iterator[Observation]:
        """What was accepted, is on its way, and was worth so much at the last look."""
        for mark in self._open:
            awaited = mark.one.accepted is not None and mark.one.arrived is None
            if awaited and mark.weight is not None and mark.weight.nats() >= nats:
                yield mark.one

    def restart(self) -> None:
        """Count all anew: another topology is in force, or observations count otherwise."""
        self._entered = 0
        self._open.clear()
        self._tracks.clear()

    def dropped(self, count: int) -> None:
        """So many observations at the beginning are gone; what they added stays."""
        self._entered = max(0, self._entered - count)

    def on(
        self,
        observations: Sequence[Observation],
        topology: Topology,
        *,
        weigh: Weigh,
        rests: Rests = lambda one: False,
    ) -> Sums:
        """The sums now. `weigh` says what an observation counts, or None for nothing.

        One that `rests` is not looked at again, for nothing changes it until all is counted anew:
        in a mailbox that stays blind there are thousands of them.
        """
        for one in observations[self._entered :]:
            self._begin(one, topology, weigh=weigh, rests=rests)
        self._entered = len(observations)
        self._forget(observations, topology)
        self._review(topology, weigh=weigh, rests=rests)
        return self._added_up(len(topology.series))

    def _begin(self, one: Observation, topology: Topology, *, weigh: Weigh, rests: Rests) -> None:
        """Take in an observation; of a success nothing but its slot is kept."""
        one.resting = not one.settled and rests(one)
        if (one.settled or one.resting) and not _fails(weight := weigh(one)):
            self._succeed(one, weight, topology)
            return
        mark = _Mark(one, one.key)
        self._enter(mark, topology)
        self._open.append(mark)

    def _review(self, topology: Topology, *, weigh: Weigh, rests: Rests) -> None:
        """Bring all marks up to date, and keep those that something may still change."""
        still: list[_Mark] = []
        gone: list[_Mark] = []
        for mark in self._open:
            mark.one.resting = not mark.one.settled and rests(mark.one)
            if not self._settles(mark, topology, weigh):
                still.append(mark)
            elif not mark.final:
                gone.append(mark)
        self._open = still
        self._leave(gone, topology)

    def _added_up(self, count: int) -> Sums:
        """The sums of so many series now; a track without anything in it is let go of."""
        sums = Sums([0.0] * count, [0.0] * count, [])
        for number, track in [*self._tracks.items()]:
            sums.nats[number], sums.onset[number] = track.sum()
            if sums.nats[number] > 0.0:
                sums.alive.append(number)
            elif not track.marks:
                del self._tracks[number]
        return sums

    def _enter(self, mark: _Mark, topology: Topology) -> None:
        for number in topology.members.get(mark.key, ()):
            track = self._tracks.get(number)
            if track is None:
                track = self._tracks[number] = _Track(topology.series[number].kinds)
            insort(track.marks, mark, key=_slot)

    def _leave(self, gone: Sequence[_Mark], topology: Topology) -> None:
        """All at once: when a mailbox is back thousands of them go."""
        numbers = {number for mark in gone for number in topology.members.get(mark.key, ())}
        doomed = set(map(id, gone))
        for number in numbers:
            if (track := self._tracks.get(number)) is not None:
                track.marks = [mark for mark in track.marks if id(mark) not in doomed]

    def _forget(self, observations: Sequence[Observation], topology: Topology) -> None:
        """What is let go of before its end, in a mailbox that stays blind, is never settled."""
        oldest = observations[0].slot if observations else math.inf
        gone = [mark for mark in self._open if mark.one.slot < oldest]
        if gone:
            self._open = [mark for mark in self._open if mark.one.slot >= oldest]
            self._leave(gone, topology)

    def _settles(self, mark: _Mark, topology: Topology, weigh: Weigh) -> bool:
        """Bring a mark up to date; whether nothing changes it any more."""
        one = mark.one
        if one.key != mark.key:  # Its greeting has told the node.
            self._leave([mark], topology)
            mark.key = one.key
            self._enter(mark, topology)
        mark.weight = weigh(one)
        if not (one.settled or one.resting):
            return False
        if _fails(mark.weight):
            mark.final = True
        else:
            self._succeed(one, mark.weight, topology)
        return True

    def _succeed(self, one: Observation, weight: Weight | None, topology: Topology) -> None:
        if weight is None:
            return
        for number in topology.members.get(one.key, ()):
            track = self._tracks.get(number)
            if track is not None and weight.blames & track.kinds:
                insort(track.good, one.slot)


def _fails(weight: Weight | None) -> bool:
    return weight is not None and weight.odds > 0.0


def _slot(mark: _Mark) -> float:
    return mark.one.slot
