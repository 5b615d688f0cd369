"""The watching of mailboxes: begun, ended and begun anew as the configuration changes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from probe.core.model import Folder, ImapServer, Loop, Mailbox
from probe.edges.clock import SystemClock
from probe.edges.imap import ImapReader
from probe.edges.resolver import DnsResolver
from probe.engine.crew import Crew
from probe.engine.desk import Desk
from probe.engine.login_gate import LoginGate
from probe.engine.supervisor import Turn
from probe.engine.watcher import FolderWatcher
from probe.ports import Journal, Secret


def folders(mailbox: Mailbox) -> frozenset[Folder]:
    """Where probes for this mailbox may be."""
    return frozenset({Folder.INBOX} | ({Folder.JUNK} if mailbox.junk else set()))


@dataclass(frozen=True, slots=True)
class _Watched:
    """How a mailbox is watched; what else is configured of it is no matter of the watchers."""

    imap: ImapServer
    inbox: str
    junk: str | None
    secret: Secret

    def has_login_of(self, other: _Watched) -> bool:
        """Whether both log in to the same account in the same way."""
        ours = self.imap.host, self.imap.username, self.secret
        return ours == (other.imap.host, other.imap.username, other.secret)


class Watch:
    """Who watches which mailbox."""

    def __init__(
        self,
        crew: Crew,
        *,
        desk: Desk,
        journal: Journal,
        resolver: DnsResolver,
        clock: SystemClock,
        looks_back: Callable[[], bool] = lambda: True,
    ) -> None:
        """`looks_back`: whether what is in a folder when it is first seen may be ours."""
        self._crew = crew
        self._desk = desk
        self._journal = journal
        self._resolver = resolver
        self._clock = clock
        self._looks_back = looks_back
        self._watched: dict[str, _Watched] = {}
        self._gates: dict[str, LoginGate] = {}

    def follow(self, mailboxes: Iterable[Mailbox], secrets: Mapping[str, Secret]) -> list[Mailbox]:
        """Watch these mailboxes and no others; those whose watching begins, maybe anew."""
        boxes = {box.name: box for box in mailboxes}
        for name in [name for name in self._watched if name not in boxes]:
            self._end(name)
            del self._watched[name], self._gates[name]
        begun = []
        for name, box in boxes.items():
            watched = _Watched(box.imap, box.inbox, box.junk, secrets[name])
            before = self._watched.get(name)
            if watched == before:
                continue
            if before is not None:
                self._end(name)
            if before is None or not watched.has_login_of(before):
                self._gates[name] = LoginGate(watched.secret, self._clock)
            self._watched[name] = watched
            self._begin(box, watched)
            begun.append(box)
        return begun

    def renew(self, mailboxes: Iterable[Mailbox]) -> None:
        """Watch these, which are watched already, over new connections."""
        for mailbox in mailboxes:
            self._begin(mailbox, self._watched[mailbox.name])

    def _begin(self, mailbox: Mailbox, watched: _Watched) -> None:
        reader = ImapReader(mailbox, watched.secret, self._resolver)
        gate = self._gates[mailbox.name]

        def watch(folder: Folder) -> Turn:
            return lambda beat: FolderWatcher(
                reader,
                folder,
                desk=self._desk,
                journal=self._journal,
                clock=self._clock,
                gate=gate,
                chance=random.Random(),
                turned=beat,
                looks_back=self._looks_back,
            ).run()

        for folder in sorted(folders(mailbox)):
            self._crew.start(Loop.WATCHER, f"{mailbox.name} {folder}", watch(folder))

    def _end(self, name: str) -> None:
        for folder in Folder:
            self._crew.stop(Loop.WATCHER, f"{name} {folder}")
