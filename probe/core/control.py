"""Control messages: what we put into a mailbox ourselves, to see that its reader works.

A server may answer every command with OK and yet show nothing new: its search index lags, the
view of the session is frozen, the replica behind it no longer follows. Then nothing arrives, and
the relays would be blamed. A message that was put in by APPEND needs no relay: a reader that does
not show it shows nothing, and what it answers proves nothing.

When one is put in:

- In every new session, before its first search: what the session shows is not known yet, and it
  costs two round trips where opening took some ten.
- Every 10 minutes after that, the time in which a server drops an idle client and a view goes
  stale unnoticed; at 144 a day nobody's quota or log is troubled. When a message may come at any
  moment it waits for half a minute, because a poll cannot be made during an APPEND.
- When messages are on their way and for 20 s nothing new was shown: silence is about to be held
  against somebody, so it has to be known, before the deadline of a minute, that it is not ours.
  At most once a minute, for relays that always take that long.

A working server shows the message in the very next search. One that has not within 10 s is not
late but blind: we ask every 2 s at least, and the shortest deadlines that make sense are longer.
One that a new session does not show either stays the only one for an hour, so that they never pile
up.

A control message has no tag, so it is never taken for a probe. Its token has the form of a tag's,
signed with a key derived from the tags' own, so that neither can be passed off as the other. The
mailbox's name is in it too: two of ours may be the same account, and must not take away each
other's.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from textwrap import wrap

from probe.core import tag
from probe.core.cadence import Expectation, is_calm
from probe.core.header import fields, values
from probe.core.model import Mailbox, RouteKey, Tag

PERIOD = 600.0  # Between two control messages in one session (s).
SHOWN_WITHIN = 10.0  # A reader that works shows one so soon (s).
KEPT = 3600.0  # How long the only one is waited for, however many sessions that takes (s).
NONCE_BITS = 40

_PATIENCE = 30.0  # How long a due one is put off because messages are expected (s).
_SILENCE = 20.0  # Messages are on their way, and nothing new was shown for so long (s).
_SILENCE_PERIOD = 60.0  # Between two that are put in because of silence (s).
_TOKEN = re.compile(r"(?:^|;)\s*token=([a-z2-7]{66})\s*(?:;|$)", re.IGNORECASE | re.ASCII)
_WIDTH = 76


@dataclass(frozen=True, slots=True)
class Seal:
    """By what an instance signs its control messages, and knows them again."""

    instance: str
    journal: str  # 12 hex digits: the journal's id.
    since: float  # When the journal was made (Unix time): what is older was another one's of ours.
    keys: Sequence[bytes]  # Those of the tags: the first signs, all verify.

    def token(self, mailbox: Mailbox, *, nonce: int, wall: float) -> str:
        """The token of a new control message for a mailbox; 0 <= `nonce` < 2**NONCE_BITS."""
        told = tag.make(self.journal, self.instance, _place(mailbox), sequence=nonce, time=wall)
        return tag.sign(told, _derived(self.keys[0]))

    def fits(self, header: bytes, mailbox: Mailbox) -> bool:
        """Whether this is the header of a control message that we put into this mailbox."""
        found = fields(header)
        control = values(found, "x-mailprobe-control")
        match = _TOKEN.search(control[0]) if len(control) == 1 else None
        if match is None or values(found, "x-mailprobe"):
            return False
        told = tag.verify(match[1], [_derived(key) for key in self.keys])
        return (
            isinstance(told, Tag)
            and told.instance == tag.digest_of_instance(self.instance)
            and told.route == tag.digest_of_route(_place(mailbox))
            and (told.journal == self.journal or told.time / 100 < self.since)
        )


def compose(token: str, mailbox: Mailbox, *, instance: str, wall: float) -> bytes:
    """A control message: ASCII, CRLF line ends. It names its instance, and says what it is for."""
    name = tag.spelled(instance)
    lines = (
        f"From: mailprobe <{mailbox.address}>",
        f"To: {mailbox.address}",
        f"Date: {format_datetime(datetime.fromtimestamp(int(wall), UTC))}",
        f"Message-ID: <mailprobe-control.{token}@{mailbox.address.rpartition('@')[2]}>",
        "Subject: Control message of mailprobe",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "Auto-Submitted: auto-generated",  # RFC 3834
        f"X-Mailprobe-Control: v=1; instance={name};\r\n token={token}",
        "",
        *wrap(
            f"The mailprobe instance {name} has put this message here by IMAP, to see whether "
            "this mailbox shows what is new in it. It removes the message as soon as it has seen "
            "it, and nothing is lost if somebody else does.",
            _WIDTH,
        ),
    )
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def is_due(expected: Expectation, now: float, *, tried: float, silent_since: float | None) -> bool:
    """Whether another control message is to be put in.

    `tried` is when that was last done. `silent_since`: since then messages have been on their way
    and nothing new was shown; None where there is no such time.
    """
    if silent_since is not None and now >= max(silent_since + _SILENCE, tried + _SILENCE_PERIOD):
        return True
    return now >= tried + PERIOD + (0.0 if is_calm(expected, now) else _PATIENCE)


def _place(mailbox: Mailbox) -> RouteKey:
    """What stands in a token where a tag has its route."""
    return RouteKey("", "", "", mailbox.name)


def _derived(key: bytes) -> bytes:
    return hmac.digest(key, b"control message", "sha256")
