"""Names what explains an alarm, or says that nothing is decided yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from probe.core.component import Component, Kind
from probe.core.detection import localise
from probe.core.detection.accusation import tie_of
from probe.core.detection.assessment import LEAST_FACTS, LEAST_FAILURES, Seen
from probe.core.detection.case import Case
from probe.core.detection.cases import MARGIN, Cases
from probe.core.detection.history import History
from probe.core.detection.observation import BIT, PROBER_ONLY
from probe.core.detection.topology import Series
from probe.core.detection.walk import Sums
from probe.core.model import Phase, RouteKey
from probe.core.sight import Sight

UNDECIDED = 10.0  # s after which it is said that nothing can be decided yet,
UNDECIDED_FACT = 4.0  # and where facts are to be explained.
AGAIN = 5.0  # s within which an answer counts as one of this moment.
REFUTED = 3  # Failures, though something answers, after which it is not our own network.
NEAR = MARGIN / 2  # nats within which of the best explanation something becomes a part of a tie.
UNANSWERED = 5.0  # s without an answer from anywhere after which it may be our own network.


class Naming:
    """Looks at the sums of evidence, and opens cases."""

    def __init__(self, cases: Cases, history: History, sights: Mapping[str, Sight]) -> None:
        self.question: float | None = None  # Since when there is an alarm that nothing explains.
        self.rivals: tuple[RouteKey, ...] = ()  # Where the best explanations differ.
        self._cases = cases
        self._history = history
        self._sights = sights
        self._doubted: float | None = None  # Since when something answers though it is said not to.

    def decide(self, sums: Sums, now: float) -> None:
        """Where there is an alarm, name what explains it, or say that nothing is decided."""
        self._reconsider(now)
        if not sums.alive or sums.nats[sums.highest] < self._cases.topology.threshold:
            self._rest(now)
            return
        if self.question is None:
            self.question = now
        onset = sums.onset[sums.highest]
        seen = [*self._cases.seen(onset, now)]
        struck = 0 if self._may_be_us(seen, onset) else BIT[Kind.PROBER]
        if not struck and now - onset < UNANSWERED:
            return
        ranking = localise.rank(
            localise.collect((one.observation.key, one.weight) for one in seen),
            self._cases.topology,
            struck=struck,
            given=self._cases.given(),
        )
        named = self._certain(ranking, seen)
        for number in named:
            self._name(number, seen, struck=struck, now=now)
        if named:
            self.question, self.rivals = None, ()
        else:
            self._ponder(ranking, seen, now)

    def _rest(self, now: float) -> None:
        """There is no alarm, or none any more."""
        self.question, self.rivals = None, ()
        if self._cases.tie is not None:
            self._cases.end(self._cases.tie, now)

    def _certain(self, ranking: localise.Ranking, seen: Sequence[Seen]) -> list[int]:
        """What of the best explanation no other does without, and is not known yet."""
        best = ranking.best.members
        return [
            number
            for number in sorted(best)
            if number not in self._cases.given()
            and ranking.margin(number) >= MARGIN
            and self._is_supported(number, seen, alone=len(best) == 1)
        ]

    def _may_be_us(self, seen: Sequence[Seen], onset: float) -> bool:
        """Whether everything failed without any answer, and nothing else answered meanwhile.

        What only we can be blamed for no answer of others explains.
        """
        failures = [one for one in seen if one.failed]
        if failures and all(one.weight.blames == PROBER_ONLY for one in failures):
            return True
        local = (
            one.observation.failure.is_local
            if one.observation.failure is not None
            else one.observation.phase in (Phase.DNS, Phase.CONNECT)
            for one in failures
        )
        return bool(failures) and all(local) and not self.has_answered(onset)

    def has_answered(self, since: float) -> bool:
        """Whether anything outside has answered us since then."""
        proofs = (sight.proof for sight in self._sights.values())
        return self._history.answers.last > since or any(
            p is not None and p > since for p in proofs
        )

    @property
    def wonders(self) -> bool:
        """Whether it matters if anything answers: our own network is, or may be, at fault."""
        asked = self.question is not None and not self.has_answered(self.question)
        return asked or self._own_case() is not None

    def _own_case(self) -> Case | None:
        return next((one for one in self._cases.open if one.component.kind is Kind.PROBER), None)

    def _reconsider(self, now: float) -> None:
        """It is not us, after all, if something answers and all that is sent then fails."""
        case = self._own_case()
        if case is None:
            self._doubted = None
        elif self._doubted is None:
            self._doubted = now if self.has_answered(max(case.opened, now - AGAIN)) else None
        else:
            since = self._doubted
            later = [one for one in self._cases.own(case, now) if one.observation.slot > since]
            failures = [one for one in later if one.failed and one.weight.blames != PROBER_ONLY]
            if len(failures) < len(later):
                self._doubted = None
            elif len(failures) >= REFUTED:
                self._cases.end(case, now)

    def _is_supported(self, number: int, seen: Sequence[Seen], *, alone: bool) -> bool:
        """Whether it failed often enough, and not at one moment only; facts need no more."""
        series = self._cases.topology.series[number]
        failures = _failures(series, seen)
        if (
            not alone
            and sum(one.weight.nats() for one in failures) < self._cases.topology.threshold
        ):
            return False
        if sum(one.fact for one in failures) >= LEAST_FACTS:
            return True
        if not any(one.is_clear_cut for one in failures):
            return False  # Something takes long; whether it is slow or dead will be seen.
        moments = {int(one.observation.slot) for one in failures}
        return len(failures) >= LEAST_FAILURES and len(moments) > 1

    def _name(self, number: int, seen: Sequence[Seen], *, struck: int, now: float) -> None:
        series = self._cases.topology.series[number]
        failures = _failures(series, seen)
        common = series.kinds & ~struck
        for one in failures:
            common = common & one.weight.blames or common
        names = [name for name in series.names if BIT[name.kind] & common]
        if not struck:  # Nothing has answered: it is us, and not all of them at once.
            names.sort(key=lambda name: name.kind is not Kind.PROBER)
        case = Case(
            names[0],
            opened=now,
            since=min((one.observation.slot for one in failures), default=now),
            blames=sum({BIT[name.kind] for name in names}),
            alternatives=tuple(names[1:]) if struck else (),
        )
        self._cases.add(case, now)

    def _ponder(self, ranking: localise.Ranking, seen: Sequence[Seen], now: float) -> None:
        """Nothing is decided: find out where the best explanations differ, and say so in time."""
        covers = [self._cases.cover(one.members) for one in ranking.rivals(MARGIN) if one.members]
        differing = next((one ^ covers[0] for one in covers[1:] if one != covers[0]), frozenset())
        self.rivals = tuple(sorted(differing))
        contenders = self._contenders(ranking, MARGIN)
        if self._cases.tie is not None:
            self._follow(self._cases.tie, contenders, self._contenders(ranking, NEAR), now)
            return
        facts = sum(one.fact for one in seen if one.failed) >= LEAST_FACTS
        patience = UNDECIDED_FACT if facts else UNDECIDED
        since = self.question if self.question is not None else now
        if now - since < patience or not contenders:
            return
        failures = [one.observation.slot for one in seen if one.failed]
        self._cases.tie = Case(
            tie_of(contenders),
            opened=now,
            since=min(failures, default=now),
            blames=sum(BIT.values()),
            alternatives=tuple(contenders),
            tie=True,
        )

    def _contenders(self, ranking: localise.Ranking, within: float) -> list[Component]:
        """What nearly the best explanations think is at fault, beside what is known to be."""
        rivals = ranking.rivals(within)
        numbers = dict.fromkeys(number for one in rivals for number in sorted(one.members))
        given = self._cases.given()
        return [self._cases.topology.series[one].first for one in numbers if one not in given]

    def _follow(
        self, tie: Case, contenders: Sequence[Component], near: Sequence[Component], now: float
    ) -> None:
        """Whoever is out of the question leaves a tie, and who is as likely as the best joins it.

        The last one is not left alone in it: to be named takes more.
        """
        kept = [one for one in tie.alternatives if one in contenders]
        members = (*kept, *(one for one in near if one not in kept))
        if len(members) > 1 and members != tie.alternatives:
            self._cases.reword(tie, members, now)


def _failures(series: Series, seen: Sequence[Seen]) -> list[Seen]:
    """What failed on its routes, and can be blamed on it."""
    return [
        one
        for one in seen
        if one.failed and one.observation.key in series.routes and one.weight.blames & series.kinds
    ]
