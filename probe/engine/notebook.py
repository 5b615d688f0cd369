"""What was seen of the senders' domains in arrived mail, and is still known after a restart."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from probe.core.remembrance import Remembrance
from probe.core.sender_domain import SenderDomain
from probe.ports import Clock, Journal

_SELECTORS, _PASSED = "selectors", "passed"  # Topics of the journal's notes.


class Notebook:
    """The selectors in use, and the ways of authentication that have passed."""

    def __init__(
        self, journal: Journal, clock: Clock, notes: Mapping[tuple[str, str], str]
    ) -> None:
        """`notes`: what the last run left in the journal, by topic and name."""
        self._journal = journal
        self._clock = clock
        self._topics = {_SELECTORS: Remembrance(), _PASSED: Remembrance()}
        for (topic, name), text in notes.items():
            if topic in self._topics:
                self._topics[topic].restore(name, text)

    def saw_selectors(self, domain: str, selectors: Collection[str]) -> None:
        """Mail of this domain was signed with these keys, for good or ill."""
        self._saw(_SELECTORS, domain, selectors)

    def selectors(self, domain: str) -> tuple[str, ...]:
        """Those in use within the week."""
        return self._topics[_SELECTORS].known(domain, self._now())

    def saw_pass(self, origin: SenderDomain, mailbox: str, methods: Collection[str]) -> None:
        """Mail of this sender in this mailbox was authenticated in these ways."""
        if methods:
            self._saw(_PASSED, _way(origin, mailbox), methods)

    def passed_before(self, origin: SenderDomain, mailbox: str) -> tuple[str, ...]:
        """The ways in which it was within the week."""
        return self._topics[_PASSED].known(_way(origin, mailbox), self._now())

    def forget_mailbox(self, mailbox: str) -> None:
        """It is another account now: whoever reads mail there may check other things."""
        for name in self._topics[_PASSED].forget(f" {mailbox}"):
            self._journal.note(_PASSED, name, "")

    def _saw(self, topic: str, name: str, things: Collection[str]) -> None:
        remembrance = self._topics[topic]
        if remembrance.saw(name, things, self._now()):
            self._journal.note(topic, name, remembrance.text(name))

    def _now(self) -> float:
        return self._clock.wall(self._clock.now())


def _way(origin: SenderDomain, mailbox: str) -> str:
    """Senders that share a domain need not sign alike; one that gets another begins anew."""
    return f"{origin.domain} {origin.sender} {mailbox}"
