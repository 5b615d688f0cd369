"""What could be seen of a mailbox, and when: blind is not broken.

A folder is *proved* by the start of a search that succeeded. A stretch without proof is blind;
nothing that was under way in it may be held against anybody. When a mailbox itself was out of
order, relays back off from it and come back minutes later, so that after such a stretch the
silence of a node says nothing until its first new message has arrived.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from probe.core.model import UnknownCause

SETTLE = 600.0  # s: the longest that relays are given to come back to a mailbox, if not told.
GAP = 45.0  # s without a proof that are a blind stretch, even if nobody reported trouble: more
# than a quiet mailbox is left alone for, and its slowest poll.
LOOK = 10.0  # s without a proof in which the arrival of an awaited message cannot be dated.
KEPT = 64  # Stretches that are remembered.

NodeKey = tuple[str, str]  # relay, node

_UNREADABLE = UnknownCause.MAILBOX_UNREADABLE


@dataclass(slots=True)
class Stretch:
    """A time in which a mailbox was not read."""

    start: float
    cause: UnknownCause
    pending: set[str]  # Folders that have not been read again yet.
    settles: bool  # The mailbox itself was out of order: nodes need time to come back.
    end: float | None = None
    back: dict[NodeKey, float] = field(default_factory=dict)  # When each node came back.

    def voids(self, node: NodeKey, begin: float, end: float, *, settle: float) -> bool:
        """Whether nothing can be said of a message under way from `begin` to `end`."""
        if self.start >= end:
            return False
        if self.end is None or self.end > begin:
            return True
        back = self.back.get(node, float("inf"))
        return self.settles and begin < min(back, self.end + settle)


class Sight:
    """The proofs and the blind stretches of one mailbox."""

    def __init__(self, folders: frozenset[str], since: float, stopped: float | None) -> None:
        """`folders`: all that must be read; `stopped`: when the last run of ours ended."""
        self.settle = SETTLE
        self._proofs: dict[str, float | None] = dict.fromkeys(folders)
        self._stretches: list[Stretch] = []
        if stopped is None:
            self._open(since, _UNREADABLE, pending=set(folders))
        else:
            # After a step of the clock we may seem to have stopped in the future.
            self._open(min(stopped, since), UnknownCause.PROBER, pending=set(folders))

    def restart(self, folders: frozenset[str], now: float) -> None:
        """The mailbox is read in another way from `now` on: all folders must be proved again."""
        since = self.proof
        self._proofs = {folder: self._proofs.get(folder) for folder in folders}
        if self.blind:
            self._stretches[-1].pending = set(folders)
        else:
            start = now if since is None else since
            self._open(start, UnknownCause.PROBER, pending=set(folders))

    def interrupted(self, now: float) -> None:
        """Up to `now` nobody looked for a while: when anything came then cannot be known."""
        self.restart(frozenset(self._proofs), now)

    @property
    def proof(self) -> float | None:
        """The latest moment up to which everything that had arrived has been seen."""
        proofs = [proof for proof in self._proofs.values() if proof is not None]
        return min(proofs) if len(proofs) == len(self._proofs) else None

    @property
    def blind(self) -> bool:
        """Whether the mailbox is not being read."""
        return self._stretches[-1].end is None

    def absent(self, folder: str) -> None:
        """There is no such folder: nothing is to be waited for from there."""
        self._proofs.pop(folder, None)
        self._reopen(folder)

    def proved(self, folder: str, started: float) -> None:
        """A search of this folder, begun at `started`, has succeeded."""
        before = self._proofs.get(folder)
        self._proofs[folder] = started
        if not self.blind and before is not None and started - before > GAP:
            self._open(before, UnknownCause.PROBER, pending={folder})
        self._reopen(folder)

    def blinded(self, folder: str, now: float) -> None:
        """A read of this folder has failed."""
        last = self._stretches[-1]
        if last.end is not None:
            self._open(self._proofs.get(folder) or now, _UNREADABLE, pending={folder})
        elif last.cause is _UNREADABLE:
            last.pending.add(folder)
        else:  # Up to now it was we who did not look.
            last.end = now
            self._open(now, _UNREADABLE, pending=last.pending | {folder})
        self._stretches[-1].settles = True

    def came(self, node: NodeKey, accepted: float, seen: float) -> None:
        """A message that `node` accepted at `accepted` was seen at `seen`.

        Once all have had their time to come back it does not matter when one has.
        """
        for stretch in self._stretches:
            if stretch.end is not None and stretch.end <= accepted <= stretch.end + self.settle:
                stretch.back.setdefault(node, seen)

    def void(
        self, node: NodeKey, begin: float, end: float, *, seen: float | None = None
    ) -> UnknownCause | None:
        """Why nothing can be said of a message under way from `begin` to `end`, if so.

        One that came after all was `seen`: if nobody had looked for long, it may have been there.
        """
        for stretch in reversed(self._stretches):
            if stretch.voids(node, begin, end, settle=self.settle):
                return stretch.cause
            if stretch.end is not None and stretch.end + self.settle <= begin:
                break  # Nor can any from before it.
        proof = self.proof
        if seen is not None and proof is not None and proof < end and seen - proof > LOOK:
            return UnknownCause.PROBER
        return None

    def _reopen(self, folder: str) -> None:
        """The folder needs no further proof; the stretch ends with the last that does."""
        stretch = self._stretches[-1]
        stretch.pending.discard(folder)
        if stretch.end is None and not stretch.pending and self.proof is not None:
            stretch.end = max(proof for proof in self._proofs.values() if proof is not None)

    def _open(self, start: float, cause: UnknownCause, *, pending: set[str]) -> None:
        self._stretches.append(Stretch(start, cause, pending, settles=False))
        del self._stretches[:-KEPT]
