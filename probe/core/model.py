"""The words of the project as types: what there is, and what can happen to it.

All moments are seconds on the prober's own timeline (`ports.Clock.now`), which never jumps
while the process lives; all durations are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from probe.core.allowance import NO_LIMITS, RelayLimits
from probe.core.node_plan import IpVersion, NodePlan


class Phase(StrEnum):
    """A part of an SMTP submission, timed by itself."""

    DNS = "dns"  # The relay's name to an address; only where nodes are not resolved beforehand.
    CONNECT = "connect"  # The TCP handshake.
    TLS = "tls"  # The TLS handshake, implicit, or STARTTLS with its command.
    GREETING = "greeting"  # Until the 220 has come.
    EHLO = "ehlo"  # Both EHLOs, before and after STARTTLS.
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # The DATA command to its 354.
    ACK = "ack"  # The final dot to its reply.
    QUIT = "quit"  # Judges nothing.


class Reason(StrEnum):
    """Why a probe was judged bad."""

    DNS_ERROR = "dns_error"
    CONNECT_REFUSED = "connect_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    CONNECTION_LOST = "connection_lost"
    TLS_ERROR = "tls_error"
    GREETING_TIMEOUT = "greeting_timeout"
    AUTH_REJECTED = "auth_rejected"
    TEMP_REJECT = "temp_reject"
    PERM_REJECT = "perm_reject"
    PROTOCOL_ERROR = "protocol_error"
    TIMEOUT = "timeout"
    ACK_LOST = "ack_lost"  # The reply to the final dot was lost, and nothing arrived in time.
    OVERDUE = "overdue"  # Accepted, and nothing arrived in time.
    BOUNCED = "bounced"
    JUNK = "junk"
    CONTENT = "content"
    PROBER_ERROR = "prober_error"


class UnknownCause(StrEnum):
    """Why a probe could not be judged, for good."""

    MAILBOX_UNREADABLE = "mailbox_unreadable"
    PROBER = "prober"  # Nobody was running, or something of ours broke.
    CONFIG = "config"  # Its route went away with a reload.
    CLOCK = "clock"  # The wall clock stepped while nobody was running.


class SkipCause(StrEnum):
    """Why a slot that came due was not used."""

    OVERLAP = "overlap"
    RATE_LIMIT = "rate_limit"
    AUTH_BACKOFF = "auth_backoff"
    SHUTDOWN = "shutdown"


class Folder(StrEnum):
    """Where a message was found."""

    INBOX = "inbox"
    JUNK = "junk"
    OTHER = "other"


class Part(StrEnum):
    """What of a message came back different."""

    BODY = "body"
    HEADER = "header"
    TRUNCATED = "truncated"


class UnmatchedCause(StrEnum):
    """Why a message with a tag was not taken for one of ours."""

    BAD_MAC = "bad_mac"
    FOREIGN = "foreign"  # Another instance's, another journal's, or meant for another mailbox.
    EXPIRED = "expired"
    MALFORMED = "malformed"
    ORPHAN = "orphan"  # Signed by us, but the journal does not know it.


class HopKind(StrEnum):
    """Which part of the way a Received delay belongs to."""

    SUBMISSION = "submission"
    TRANSIT = "transit"
    FINAL = "final"


class TlsMode(StrEnum):
    """How a connection is encrypted."""

    NONE = "none"
    STARTTLS = "starttls"  # Required: a server that does not offer it is at fault.
    IMPLICIT = "implicit"


class AuthMode(StrEnum):
    """How we log in to a relay."""

    AUTO = "auto"  # The first offered of PLAIN, LOGIN, CRAM-MD5.
    PLAIN = "plain"
    LOGIN = "login"
    CRAM_MD5 = "cram-md5"


class Role(StrEnum):
    """What a relay is for."""

    PRIMARY = "primary"
    STANDBY = "standby"


class EnvelopeMode(StrEnum):
    """What the envelope sender looks like."""

    PLAIN = "plain"
    VERP = "verp"  # probe+ID@domain, one for each probe.


class State(StrEnum):
    """How something is doing."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


class Loop(StrEnum):
    """One of the engine's loops."""

    SENDER = "sender"
    WATCHER = "watcher"
    REAPER = "reaper"
    INSPECTOR = "inspector"
    PUBLISHER = "publisher"


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """One machine of a relay: where to connect to, and the label it is known by."""

    relay: str
    name: str  # The `node` label.
    host: str  # An IP address, or a name that stands for one; empty: nowhere is known.
    port: int
    tls_name: str = ""  # What TLS is verified against; empty: the relay's host.
    tls: TlsMode | None = None  # None: the relay's.


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a phase may take before it is judged (s), and how long it is watched (`hard`)."""

    connect: float = 10.0
    greeting: float = 10.0
    command: float = 30.0
    hard: float = 60.0

    def limit(self, phase: Phase) -> float:
        """The time within which this phase must end (s)."""
        match phase:
            case Phase.DNS | Phase.CONNECT:
                return self.connect
            case Phase.GREETING:
                return self.greeting
            case _:
                return self.command


@dataclass(frozen=True, slots=True)
class Relay:
    """An SMTP service that we submit to. Its password is not here: edges read it when needed."""

    name: str
    host: str  # The name that TLS is verified against.
    port: int
    tls: TlsMode = TlsMode.STARTTLS
    ca_file: str | None = None
    plan: NodePlan = NodePlan.NONE
    ip_version: IpVersion = IpVersion.AUTO
    listed: tuple[Node, ...] = ()  # For NodePlan.LIST.
    username: str | None = None
    auth: AuthMode = AuthMode.AUTO
    helo: str = "localhost"
    source_address: str | None = None
    limits: RelayLimits = NO_LIMITS
    timeouts: Timeouts = Timeouts()
    role: Role = Role.PRIMARY


@dataclass(frozen=True, slots=True)
class Sender:
    """Who a probe is from."""

    name: str
    address: str
    display_name: str = "Delivery check"
    envelope: EnvelopeMode = EnvelopeMode.PLAIN
    bounces: str | None = None  # The mailbox where DSNs come.

    @property
    def domain(self) -> str:
        """What is after the @ of the address."""
        return self.address.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class ImapServer:
    """How a mailbox is read. Its password is not here: edges read it when needed."""

    host: str
    port: int
    username: str
    tls: TlsMode = TlsMode.IMPLICIT
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where probes arrive, and how it is read and kept clean."""

    name: str
    address: str
    imap: ImapServer
    inbox: str = "INBOX"
    junk: str | None = "auto"  # auto: the folder that is flagged \\Junk; None: there is none.
    authserv_id: str | None = None  # `none` for servers that write no id; None: trust nothing.
    per_day: int | None = None  # Messages; None: by its provider, else without limit.
    keep: float = 3600.0
    keep_failed: float = 7 * 86400.0


@dataclass(frozen=True, slots=True, order=True)
class RouteKey:
    """The four names of a route, which are the labels of its series."""

    relay: str
    node: str
    sender: str
    mailbox: str

    def __str__(self) -> str:
        """The route as people and logs see it."""
        return f"{self.relay}/{self.node}/{self.sender}/{self.mailbox}"


@dataclass(frozen=True, slots=True)
class Route:
    """Node x sender x mailbox: the unit of scheduling."""

    key: RouteKey
    interval: float
    deadline: float
    give_up: float


@dataclass(frozen=True, slots=True)
class Tag:
    """What a token says: who sent a message, on which route, when. Names are digests (hex)."""

    journal: str  # 12 hex digits: the random id of the sender's journal.
    instance: str  # 8 hex digits of the instance name's SHA-256.
    route: str  # 8 hex digits of the route's SHA-256.
    sequence: int  # Unique within the journal, 0 .. 2**40 - 1.
    time: int  # Unix time in hundredths of a second, by the wall clock of sending.


@dataclass(frozen=True, slots=True)
class Probe:
    """One tagged message on its way."""

    sequence: int
    route: RouteKey
    slot: float  # When it was due.
    launched: float  # When it was written to the journal.
    token: str  # The signed tag, as it stands in the message.
    deadline: float  # Later than this after acceptance is late.
    give_up: float  # Later than this after acceptance is lost.
    confirmation: bool = False  # Of a burst or a recheck, outside the schedule.


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer, cleaned and cut."""

    code: int
    enhanced: str  # `4.7.1`, or empty.
    text: str


class Break(StrEnum):
    """How a submission ended without the reply that it was waiting for."""

    NAME_ERROR = "name_error"  # The relay's name could not be resolved.
    REFUSED = "refused"  # By the relay's own address.
    NO_ROUTE = "no_route"  # The network says that the relay is unreachable.
    TIMED_OUT = "timed_out"
    LOST = "lost"  # Reset or closed.
    TLS_FAILED = "tls_failed"  # Handshake, certificate, or STARTTLS not offered or refused.
    NO_MECHANISM = "no_mechanism"  # The relay offers no AUTH mechanism that we may use.
    GARBAGE = "garbage"  # Not SMTP, or more of it than we accept.
    LOCAL = "local"  # Our own side: source address, file descriptors, an unreadable secret, a bug.


@dataclass(frozen=True, slots=True)
class PhaseTime:
    """How long a phase took (s), whether it ended well or not."""

    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """The facts of one submission, as the SMTP edge saw them. It decides nothing."""

    phases: tuple[PhaseTime, ...]  # In order; EHLO's two parts are one entry.
    phase: Phase  # The one in which it ended; ACK where the relay took the message.
    ended: float  # When the reply of that phase came, or the wait for it ended.
    reply: Reply | None = None  # The reply that ended it: the final 250, or the refusal.
    broken: Break | None = None  # How it ended without a reply; None where there is one.
    detail: str = ""  # Evidence in words, cleaned and cut.
    dot: float | None = None  # When the final dot was sent.
    greeting_host: str = ""  # The host name in the greeting, cleaned; untrusted.
    queue_id: str = ""  # From the final reply; untrusted.
    certificate_end: float | None = None  # Unix time: the earliest end in the chain.


@dataclass(frozen=True, slots=True)
class HopDelay:
    """How long a message took from one Received line to the next (s, 0 or more)."""

    kind: HopKind
    seconds: float
    skew: float = 0.0  # What had to be clamped away: the clocks disagree by this much or more (s).
    host: str = ""  # Who wrote the line, cleaned; untrusted.


@dataclass(frozen=True, slots=True)
class AuthResult:
    """One method's result out of a trusted Authentication-Results field (RFC 8601)."""

    method: str  # spf, dkim, dmarc
    result: str  # pass, fail, ... ; closed sets, see core.authentication


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies: this names one message for ever (RFC 3501 2.3.1.1)."""

    mailbox: str
    folder: str  # The folder's own name.
    uidvalidity: int
    uid: int


@dataclass(frozen=True, slots=True)
class Sighting:
    """A message with a valid tag of ours, found in a mailbox."""

    sequence: int
    token: str
    place: Place
    folder: Folder
    seen: float  # When the search that found it was answered.
    altered: frozenset[Part] = frozenset()
    hops: tuple[HopDelay, ...] = ()
    authentication: tuple[AuthResult, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounce:
    """A DSN about one of our messages (RFC 3464)."""

    sequence: int
    place: Place
    seen: float
    action: str  # failed, delayed, ...
    status: str  # 5.1.1, or empty.
    text: str = ""  # The diagnostic, cleaned and cut.
