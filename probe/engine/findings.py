"""Keeps what is wrong with mailboxes and senders by themselves, without any probe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from probe.core.component import Component, Fault, Kind, Named, state_of
from probe.core.incident import Incident
from probe.core.mailbox_faults import MailboxFaults
from probe.core.model import Attempt, Bounce, Folder, Probe, State
from probe.core.outcome import evidence
from probe.core.quota import Quota, says_full
from probe.core.sight import Sight
from probe.core.status import ComponentStatus, FaultStatus
from probe.engine.certificates import Certificates
from probe.ports import Clock


class Findings:
    """The components that can be at fault, with their faults."""

    def __init__(self, sights: Mapping[str, Sight], *, clock: Clock) -> None:
        """`sights`: what could be seen of each mailbox; there are as many as it has."""
        self._sights = sights
        self._clock = clock
        self._certificates = Certificates(clock)
        self._faults: dict[str, MailboxFaults] = {}
        self._named: dict[str, tuple[Named, ...]] = {}
        self._states: dict[str, tuple[State, float]] = {}  # And since when.
        self._declared: dict[Component, tuple[Named, ...]] = {}

    # ---- what happens

    def measured(self, mailbox: str, quota: Quota | None) -> None:
        """The quota of a mailbox was read; None where it has none."""
        self._of(mailbox).measured(quota)
        self._look(mailbox)

    def answered(self, probe: Probe, attempt: Attempt) -> None:
        """An attempt to submit a probe has ended."""
        reply = attempt.reply
        if reply is not None and says_full(reply.enhanced, reply.code):
            self._refused(probe, evidence(attempt))

    def returned(self, probe: Probe, bounce: Bounce) -> None:
        """A DSN came about a probe."""
        if says_full(bounce.status):
            self._refused(probe, f"DSN {bounce.action} {bounce.status} {bounce.text}".strip())

    def arrived(self, probe: Probe) -> None:
        """A probe was found in its mailbox."""
        self._of(probe.route.mailbox).arrived(probe.launched)
        self._look(probe.route.mailbox)

    def read(self, mailbox: str) -> None:
        """What can be seen of a mailbox has changed."""
        self._look(mailbox)

    def failed(self, mailbox: str, folder: Folder, why: str) -> None:
        """A folder could not be read."""
        self._of(mailbox).failed(folder, self._clock.now(), why)
        self._look(mailbox)

    def declare(self, component: Component, faults: tuple[Named, ...]) -> None:
        """What others know to be wrong with a component."""
        self._declared[component] = faults

    def locked_out(self, relay: str, why: str) -> None:
        """A relay refuses our login so often that it is hardly tried any more."""
        component = Component(Kind.RELAY, relay=relay)
        known = self._declared.get(component, ())
        since = known[0].since if known else self._clock.now()
        self._declared[component] = (Named(Fault.REFUSING, since, (why,)),)

    def let_in(self, relay: str) -> None:
        """A relay has accepted our login."""
        self._declared.pop(Component(Kind.RELAY, relay=relay), None)

    def node_certified(self, relay: str, node: str, end: float) -> None:
        """A node has shown its certificate chain; `end` is the earliest end in it (Unix time)."""
        self._certificates.shown(Component(Kind.NODE, relay=relay, node=node), end)

    def mailbox_certified(self, mailbox: str, end: float) -> None:
        """The same of the IMAP server of a mailbox."""
        self._certificates.shown(Component(Kind.MAILBOX, mailbox=mailbox), end)

    def keep(self, components: Iterable[Component]) -> None:
        """These are all that there are now."""
        present = frozenset(components)
        self._certificates.keep(present)
        self._declared = {one: said for one, said in self._declared.items() if one in present}

    def refresh(self) -> None:
        """Time has passed; what is not configured any more is forgotten."""
        for gone in self._states.keys() - self._sights.keys():
            for known in (self._faults, self._named, self._states):
                known.pop(gone, None)
        for mailbox in self._sights:
            self._look(mailbox)

    # ---- what is asked

    def is_full(self, mailbox: str) -> bool:
        """Whether `full` is named."""
        return any(named.fault is Fault.FULL for named in self._named.get(mailbox, ()))

    def is_blind(self, mailbox: str) -> bool:
        """Whether nothing can be seen of a mailbox, or of one that is not configured."""
        sight = self._sights.get(mailbox)
        return sight is None or sight.blind

    def named(self) -> dict[Component, tuple[Named, ...]]:
        """What is wrong with each of them; nothing, with most."""
        named = {Component(Kind.MAILBOX, mailbox=one): known for one, known in self._named.items()}
        for component, faults in self._certificates.named().items():
            named[component] = (*named.get(component, ()), *faults)
        return named | self._declared

    def incidents(self) -> tuple[Incident, ...]:
        """None: whoever keeps findings alone names nothing over time."""
        return ()

    def components(self) -> tuple[ComponentStatus, ...]:
        """Every component, healthy ones too."""
        known = sorted(mailbox for mailbox in self._states if mailbox in self._sights)
        return tuple(self._status(mailbox) for mailbox in known)

    def _refused(self, probe: Probe, text: str) -> None:
        mailbox = probe.route.mailbox
        if mailbox not in self._sights:
            return  # It is not configured any more.
        self._of(mailbox).refused(probe.launched, self._clock.now(), text)
        self._look(mailbox)

    def _of(self, mailbox: str) -> MailboxFaults:
        sight, faults = self._sights[mailbox], self._faults.get(mailbox)
        if faults is None or faults.sight is not sight:  # Another mailbox has taken its name.
            faults = self._faults[mailbox] = MailboxFaults(sight)
        return faults

    def _look(self, mailbox: str) -> None:
        """Name what is wrong now."""
        now = self._clock.now()
        named = self._of(mailbox).named(now)
        self._named[mailbox] = named
        state = state_of(named, blind=self._sights[mailbox].blind)
        if mailbox not in self._states or self._states[mailbox][0] is not state:
            self._states[mailbox] = (state, now)

    def _status(self, mailbox: str) -> ComponentStatus:
        state, since = self._states[mailbox]
        now = self._clock.now()
        return ComponentStatus(
            component=Component(Kind.MAILBOX, mailbox=mailbox),
            state=state,
            since=self._wall(since),
            faults=tuple(
                FaultStatus(
                    one.fault, self._wall(one.since), one.confirmed(now), evidence=one.evidence
                )
                for one in self._named[mailbox]
            ),
        )

    def _wall(self, moment: float) -> float:
        # To the ms: what stays the same must not seem to change with each reading of the clocks.
        return round(self._clock.wall(moment), 3)
