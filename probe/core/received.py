"""Where a message waited, by its Received fields (RFC 5321 §4.4, RFC 5322 §3.6.7).

Their clocks are other people's and have a resolution of 1 s: they tell where a message waited,
never whether it was on time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from probe.core.header import LIMIT, fields, segments, values
from probe.core.model import HopDelay, HopKind
from probe.core.wire import clean

_MAX_HOPS = 64
_HOST_LIMIT = 100
_DATE_LIMIT = 100
_RESOLUTION = 1.0  # What two correct clocks may seem to differ by (s).


@dataclass(frozen=True, slots=True)
class Stamp:
    """What one Received field says."""

    host: str  # Who wrote it, cleaned; untrusted, and often empty.
    time: float | None  # Unix time; None where it could not be read.


def stamps(header: bytes) -> tuple[Stamp, ...]:
    """The Received fields from the bottom, where the way begins, to the top; at most 64."""
    received = values(fields(header), "received")[:_MAX_HOPS]
    return tuple(_stamp(value) for value in reversed(received))


def hops(
    header: bytes, *, accepted_wall: float, seen_wall: float, launched_wall: float | None = None
) -> tuple[HopDelay, ...]:
    """The delays along the way, from our submission up; fields without a time are passed over.

    A stamp cannot be older than the submission's begin (`launched_wall`; without it
    `accepted_wall`), younger than `seen_wall`, or older than the one below it: what contradicts
    that is moved just so far, and the distance is the hop's skew. All moments are Unix times.
    """
    way = stamps(header)
    whole = len(way) < _MAX_HOPS and len(header) < LIMIT  # Or the first relay's may be cut off.
    began = accepted_wall if launched_wall is None else min(launched_wall, accepted_wall)
    end = max(seen_wall, accepted_wall)
    before = accepted_wall
    delays: list[HopDelay] = []
    for index, stamp in enumerate(way):
        if stamp.time is None:
            continue
        floor = began if index == 0 else before
        moment = min(max(stamp.time, floor), end)
        delay = max(moment - before, 0.0)
        delays.append(
            HopDelay(
                kind=_kind(index, len(way), whole=whole),
                seconds=_told(delay),
                skew=_told(abs(stamp.time - moment)),
                host=stamp.host,
            )
        )
        before = max(before, moment)
    return tuple(delays)


def _kind(index: int, count: int, *, whole: bool) -> HopKind:
    if index == 0 and whole:
        return HopKind.SUBMISSION
    return HopKind.FINAL if index == count - 1 else HopKind.TRANSIT


def _told(seconds: float) -> float:
    """Nothing, where the clocks' resolution could make it."""
    return seconds if seconds > _RESOLUTION else 0.0


def _stamp(value: str) -> Stamp:
    parts = segments(value)
    words = parts[0].split()
    by = next((i for i, word in enumerate(words[:-1]) if word.lower() == "by"), None)
    host = "" if by is None else clean(words[by + 1], _HOST_LIMIT)
    time = _time(parts[-1]) if len(parts) > 1 else None
    # A comment that is never closed hides the date.
    return Stamp(host, _time(value.rpartition(";")[2]) if time is None else time)


def _time(text: str) -> float | None:
    """A date-time as Unix time; None where it has no zone, or is none."""
    text = text.strip()
    if not 10 <= len(text) <= _DATE_LIMIT:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        # -0000 is UTC by somebody who does not know his own zone (RFC 5322 §3.3); qmail's way.
        if "-0000" not in text:
            return None
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()
