"""Writes the probes: sequence number, signed tag, message, envelope."""

from __future__ import annotations

from collections.abc import Mapping

from probe.core import message, tag
from probe.core.model import Mailbox, Probe, Route, Sender
from probe.ports import Clock, Journal, Letter


class Scribe:
    """Turns a slot into a probe and its letter."""

    def __init__(
        self,
        *,
        instance: str,
        key: bytes,
        senders: Mapping[str, Sender],
        mailboxes: Mapping[str, Mailbox],
        journal: Journal,
        clock: Clock,
    ) -> None:
        """`key` signs the tags."""
        self._instance = instance
        self._key = key
        self._senders = senders
        self._mailboxes = mailboxes
        self._journal = journal
        self._clock = clock

    def write(
        self, route: Route, slot: float, *, confirmation: bool = False
    ) -> tuple[Probe, Letter]:
        """The probe of this slot, and the message that carries its tag."""
        now = self._clock.now()
        sequence = self._journal.next_sequence()
        token = self._token(route, sequence, now)
        sender, mailbox = self._senders[route.key.sender], self._mailboxes[route.key.mailbox]
        composed = message.compose(
            token, sender, mailbox.address, instance=self._instance, route=route.key
        )
        probe = Probe(
            sequence=sequence,
            route=route.key,
            slot=slot,
            launched=now,
            token=token,
            deadline=route.deadline,
            give_up=route.give_up,
            confirmation=confirmation,
        )
        letter = Letter(
            sender=composed.envelope_from,
            recipient=mailbox.address,
            content=composed.content,
            envelope_id=composed.envelope_id,
        )
        return probe, letter

    def _token(self, route: Route, sequence: int, now: float) -> str:
        made = tag.make(
            self._journal.id,
            self._instance,
            route.key,
            sequence=sequence,
            time=self._clock.wall(now),
        )
        return tag.sign(made, self._key)
