"""What the engine needs from outside, as Protocols. Edges fulfil them; tests bring their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from probe.core.incident import Incident
from probe.core.model import (
    Attempt,
    Mailbox,
    Node,
    Phase,
    Place,
    Probe,
    RouteKey,
)
from probe.core.quota import Quota
from probe.core.record import Record
from probe.core.standstill import Standstill
from probe.core.targets import Addresses, MxRecord, Records, SrvRecord
from probe.ports_metrics import Level as Level
from probe.ports_metrics import Metrics as Metrics


class Clock(Protocol):
    """The prober's timeline, and what the wall says."""

    @property
    def standstill(self) -> Standstill | None:
        """When the prober last stood still, if it ever did: no time passed on the timeline."""

    def now(self) -> float:
        """Seconds on the timeline: the wall's time when the process began, grown monotonically."""

    def wall(self, moment: float) -> float:
        """The Unix time of a moment on the timeline, by the wall clock as it is set now."""

    async def sleep_until(self, moment: float) -> None:
        """Return at `moment` on the timeline, or at once if it is past."""


class Secret(Protocol):
    """A password or key that is read anew each time it is needed."""

    def read(self) -> str:
        """The secret as it is now. Raises SecretUnreadable, whose text holds no secret."""


class SecretUnreadable(Exception):
    """A secret's file cannot be read; the text says which and why."""


# ---- SMTP


@dataclass(frozen=True, slots=True)
class Letter:
    """A message with its envelope, ready to be submitted."""

    sender: str  # MAIL FROM
    recipient: str  # RCPT TO
    content: bytes  # CRLF line ends, not dot-stuffed, ends with CRLF.
    envelope_id: str  # ENVID (RFC 3461), printable ASCII, used where the relay offers DSN.


class Submitter(Protocol):
    """Submits letters to the nodes of one relay, one connection for each."""

    async def submit(
        self, node: Node, letter: Letter, entered: Callable[[Phase, float], None]
    ) -> Attempt:
        """One submission, watched until `timeouts.hard`; never raises but for cancellation.

        `entered` is called with each phase, and the moment, as it begins.
        """


# ---- IMAP


class ImapFailure(Exception):
    """A mailbox could not be read; the text says why, cleaned, without secrets."""


class ImapLoginRefused(ImapFailure):
    """The server answered, and refused our login."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A message as fetched: never more than was asked for, whatever the server sends."""

    uid: int
    size: int  # RFC822.SIZE (bytes).
    header: bytes  # The header, cut at 64 KiB.
    body: bytes  # The body, cut at 64 KiB; empty where only headers were asked for.


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server would not do what it was asked; the session is still of use."""

    text: str  # Why, cleaned.


class Session(Protocol):
    """One authenticated connection to a mailbox with one folder selected.

    Every method raises ImapFailure on any trouble, within its own deadline; the session is
    then of no use and must be closed.
    """

    folder: str  # As the server calls it.
    uidvalidity: int
    uidnext: int  # As of the SELECT.
    can_uidplus: bool
    certificate_end: float | None  # Unix time: the earliest end in the server's chain.

    @property
    def exists(self) -> int:
        """Messages in the folder, as last heard."""

    @property
    def announced(self) -> int:
        """How often the server spoke of new messages: one may come just as another goes."""

    async def poll(self) -> int:
        """NOOP; the number of messages in the folder."""

    async def idle(self, seconds: float) -> None:
        """IDLE until the server says anything or `seconds` are over; without IDLE wait and NOOP."""

    async def search(self, first_uid: int) -> list[int]:
        """The UIDs from `first_uid` on, ascending."""

    async def search_tagged(self, first: int, last: int) -> list[int]:
        """The UIDs, among the messages numbered `first` to `last`, with a field of ours.

        X-Mailprobe is a probe's, X-Mailprobe-Control a control message's.
        """

    async def fetch(self, uids: Sequence[int], *, body: bool) -> list[Fetched]:
        """The messages with these UIDs that are still there; flags stay as they are."""

    async def append(self, content: bytes) -> int | Refusal:
        """Put a message (ASCII, CRLF line ends) into the folder, flagged as seen: its UID."""

    async def remove(self, uids: Sequence[int]) -> None:
        """Flag as deleted and UID EXPUNGE these; without UIDPLUS only flag."""

    async def quota(self) -> Quota | None:
        """What the folder's mailbox uses of its quota (RFC 9208); None without one."""


class MailboxReader(Protocol):
    """Opens sessions to one mailbox."""

    mailbox: Mailbox

    def open(self, folder: str) -> AbstractAsyncContextManager[Session]:
        """Connect, log in, select `folder`. Raises ImapFailure."""

    async def junk_folder(self) -> str | None:
        """The name of the junk folder by the configuration and SPECIAL-USE, or None."""


# ---- DNS


class ResolveFailure(Exception):
    """A name could not be resolved; the text says which server said what."""


class Resolver(Protocol):
    """Looks up names."""

    async def addresses(self, name: str) -> Addresses:
        """The A and AAAA records of a name, within 5 s. Raises ResolveFailure.

        Where no server answers for one of the two, the addresses of the other are still an
        answer, with the version that is missing in `silent`; without any it is a failure.
        """

    async def mx(self, name: str) -> Records[MxRecord]:
        """The MX records of a domain, within 5 s. Raises ResolveFailure."""

    async def srv(self, name: str) -> Records[SrvRecord]:
        """The SRV records of a service's name, within 5 s. Raises ResolveFailure."""


# ---- the journal


@dataclass(frozen=True, slots=True)
class Position:
    """How far a folder has been read."""

    mailbox: str
    folder: str
    uidvalidity: int
    next_uid: int  # The first UID that has not been looked at.
    scanned: bool  # What was there before the first start has been searched for our tags.


@dataclass(frozen=True, slots=True)
class Launches:
    """Probes that were launched close together."""

    relay: str
    mailbox: str
    newest: float  # When the last of them was.
    count: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the journal holds at start."""

    open: tuple[Record, ...]  # Not settled: unjudged, or in flight. Of very many the newest.
    last_success: dict[RouteKey, float]
    accepted_before: dict[tuple[str, str, str, str], float]  # By relay … mailbox; oldest first.
    stopped: float | None  # When the last run's journal was last written to.
    clock_stepped: bool  # The wall clock stepped between that moment and now.
    launches: tuple[Launches, ...] = ()  # Of the last 24 hours, those of a minute together.
    began: dict[RouteKey, float] = field(default_factory=dict)  # Routes without any success: since.
    incidents: tuple[Incident, ...] = ()  # All that are open, and the newest 200 that are closed.
    baselines: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: dict[tuple[str, str], str] = field(default_factory=dict)  # By topic and name.


class Pulse(Protocol):
    """Somebody outside who waits for our heartbeat, and raises the alarm when it stops."""

    async def beat(self) -> str:
        """Call once, within a bounded time; what went wrong, or nothing. Never raises."""


class Journal(Protocol):
    """What survives us. Methods without await queue a write; order is kept.

    Trouble with the disk never reaches the callers: the journal goes on in memory, counts its
    errors and shows `up` as False.
    """

    id: str  # 12 hex digits, random, for ever the journal's.
    created: float  # When it was made, on the timeline.
    up: bool
    errors: int

    def load(self) -> Remembered:
        """What the last run left. Called once, before anything else."""

    def next_sequence(self) -> int:
        """A sequence number that this journal never gave before."""

    async def launch(self, probe: Probe) -> None:
        """Returns when the probe would survive a power cut (or the journal is in memory)."""

    def save(self, record: Record) -> None:
        """What is now known of a probe that was launched."""

    async def find(self, sequence: int) -> Record | None:
        """A probe that may have left the table long ago."""

    def arrived(self, record: Record, *, expunge: float) -> None:
        """As save, with a new place to be cleaned at `expunge`."""

    def give_up(self, mailbox: str, before: float, last: int) -> None:
        """What is open and judged of this mailbox is lost, if that was due before this moment.

        Its sequence numbers are not greater than `last`.
        """

    async def position(self, mailbox: str, folder: str) -> Position | None:
        """How far this folder was read."""

    async def advance(self, position: Position) -> None:
        """The folder has been read so far; returns when it is durable, and all before it."""

    async def to_clean(self, mailbox: str, folder: str, now: float, limit: int) -> list[Place]:
        """Places whose time to be cleaned has come, oldest first."""

    def keep_until(self, place: Place, sequence: int | None, expunge: float) -> None:
        """A place of ours that is to be cleaned at `expunge`, such as an orphan's or a DSN's."""

    async def cleaned(self, places: Sequence[Place]) -> None:
        """These are gone from the mailbox, or are not ours after all."""

    def save_incident(self, incident: Incident) -> None:
        """What is now known of an incident, in the place of what was known before."""

    def keep_baselines(self, rows: Mapping[str, tuple[float, ...]]) -> None:
        """What was learned, by its name; other names stay until not kept again for 35 days."""

    def note(self, topic: str, name: str, text: str) -> None:
        """A text that is to be known after a restart; an empty one takes it back.

        Its moments are Unix times, and whoever writes it reads it.
        """

    def shift(self, seconds: float) -> None:
        """The wall clock stepped by so much: what is stored is moved with it."""

    def prune(self, now: float) -> None:
        """Drop what is older than anything that may still come, and more rows than the bound."""

    async def close(self) -> None:
        """Write what is queued, and let go of the file."""
