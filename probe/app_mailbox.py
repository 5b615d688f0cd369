"""The watching of mailboxes: begun, ended and begun anew as the configuration changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from probe.app_setup import Ground, Setup, folders
from probe.core.control import Seal
from probe.core.model import Folder, ImapServer, Loop, Mailbox
from probe.edges.imap import ImapReader
from probe.engine.crew import Crew
from probe.engine.desk import Desk
from probe.engine.login_gate import LoginGate
from probe.engine.supervisor import Turn
from probe.engine.watcher import FolderWatcher
from probe.ports import Secret


@dataclass(frozen=True, slots=True)
class _Watched:
    """How a mailbox is watched; what else is configured of it is no matter of the watchers."""

    address: str
    imap: ImapServer
    inbox: str
    junk: str | None
    secret: Secret
    keys: tuple[bytes, ...] = field(repr=False)

    def has_login_of(self, other: _Watched) -> bool:
        """Whether both log in to the same account in the same way."""
        ours = self.imap.host, self.imap.username, self.secret
        return ours == (other.imap.host, other.imap.username, other.secret)


class Watch:
    """Who watches which mailbox."""

    def __init__(
        self,
        crew: Crew,
        desk: Desk,
        ground: Ground,
        *,
        looks_back: Callable[[], bool] = lambda: True,
    ) -> None:
        """`looks_back`: whether what is in a folder when it is first seen may be ours."""
        self._crew = crew
        self._desk = desk
        self._ground = ground
        self._looks_back = looks_back
        self._watched: dict[str, _Watched] = {}
        self._gates: dict[str, LoginGate] = {}

    def follow(self, setup: Setup) -> list[Mailbox]:
        """Watch its mailboxes and no others; those whose watching begins, maybe anew."""
        for name in self._watched.keys() - setup.mailboxes.keys():
            self._end(name)
            del self._watched[name], self._gates[name]
        begun = []
        for name, box in setup.mailboxes.items():
            secret = setup.settings.imap_passwords[name]
            watched = _Watched(box.address, box.imap, box.inbox, box.junk, secret, (*setup.keys,))
            before = self._watched.get(name)
            if watched == before:
                continue
            if before is not None:
                self._end(name)
            if before is None or not watched.has_login_of(before):
                self._gates[name] = LoginGate(secret, self._ground.clock)
            self._watched[name] = watched
            self._begin(box, watched, self._seal(watched, setup.settings.instance))
            begun.append(box)
        return begun

    def renew(self, setup: Setup) -> None:
        """Watch the same over new connections, without control messages from now on."""
        for name, watched in self._watched.items():
            self._begin(setup.mailboxes[name], watched, None)

    def _seal(self, watched: _Watched, instance: str) -> Seal:
        journal = self._ground.journal
        since = self._ground.clock.wall(journal.created)
        return Seal(instance, journal.id, since, watched.keys)

    def _begin(self, mailbox: Mailbox, watched: _Watched, seal: Seal | None) -> None:
        reader = ImapReader(mailbox, watched.secret, self._ground.resolver)
        gate = self._gates[mailbox.name]

        def watch(folder: Folder) -> Turn:
            return lambda beat: FolderWatcher(
                reader,
                folder,
                desk=self._desk,
                journal=self._ground.journal,
                clock=self._ground.clock,
                gate=gate,
                chance=random.Random(),
                turned=beat,
                seal=seal if folder is Folder.INBOX else None,
                looks_back=self._looks_back,
            ).run()

        for folder in sorted(folders(mailbox)):
            self._crew.start(Loop.WATCHER, f"{mailbox.name} {folder}", watch(folder))

    def _end(self, name: str) -> None:
        for folder in Folder:
            self._crew.stop(Loop.WATCHER, f"{name} {folder}")
