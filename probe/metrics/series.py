"""Which series there are: the tables of the exporter with their columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from probe.core.component import Fault
from probe.core.model import (
    Folder,
    Part,
    Phase,
    Reason,
    SkipCause,
    State,
    UnknownCause,
    UnmatchedCause,
)
from probe.metrics import catalogue as m
from probe.metrics.catalogue import Metric
from probe.metrics.table import Column, Table


def routes() -> Table:
    """What is counted for every route; a status code of a bounce is known only when it comes."""
    return Table(
        m.ROUTE,
        [
            Column(m.SCHEDULED),
            *_each(m.SKIPPED, SkipCause),
            Column(m.SENT),
            Column(m.GREYLISTED),
            *_each(m.CONFIRMATIONS, ("ok", "failed")),
            Column(m.PROBES),
            *_each(m.FAILURES, Reason),
            *_each(m.UNKNOWN, UnknownCause),
            *_each(m.DELIVERED, Folder),
            Column(m.LATE),
            Column(m.LOST),
            Column(m.DUPLICATES),
            *_each(m.MISMATCHES, Part),
            Column(m.UNDECIDED),
            Column(m.IN_FLIGHT, learned=True),
            Column(m.OVERDUE, learned=True),
            Column(m.OLDEST_UNANSWERED, start=math.nan, in_force=True),
            Column(m.LAST_SUCCESS, in_force=True),
            Column(m.INTERVAL, in_force=True),
            Column(m.DEADLINE, in_force=True),
            Column(m.LAST_DELIVERY, start=math.nan),
        ],
    )


def bounces() -> Table:
    """Bounces by status, a row for each that was seen."""
    return Table(m.BOUNCES.labels, [Column(m.BOUNCES)])


def nodes() -> Table:
    """What is known of every node by itself."""
    return Table(
        m.NODE,
        [
            *_each(m.LAST_PHASE, Phase, start=math.nan),
            Column(m.CERTIFICATE_END, start=math.nan),
        ],
    )


def mailboxes(began: float) -> Table:
    """What is known of every mailbox."""
    return Table(
        ("mailbox",),
        [
            Column(m.IMAP_UP),
            Column(m.IMAP_LAST_OK, start=began),
            Column(m.QUOTA, start=math.nan),
            Column(m.IMAP_CERTIFICATE_END, start=math.nan),
            *_each(m.UNMATCHED, UnmatchedCause),
        ],
    )


def authentication() -> Table:
    """The results of every method for every way from a sender to a mailbox."""
    results = [(method, result) for method in m.AUTH_RESULTS for result in m.AUTH_RESULTS[method]]
    return Table(("relay", "sender", "mailbox"), [Column(m.AUTH, pair) for pair in results])


def components() -> Table:
    """How every component stands; of a new one nothing is known yet."""
    return Table(
        m.COMPONENT,
        [
            *(Column(m.COMPONENT_STATE, (s,), start=int(s is State.UNKNOWN)) for s in State),
            *_each(m.FAULT, Fault),
            *_each(m.FAULT_CONFIRMED, Fault),
            *_each(m.FAULT_SINCE, Fault, start=math.nan),
            Column(m.FAILURE_SHARE, start=math.nan),
        ],
    )


def one(metric: Metric, *, start: float = 1) -> Table:
    """A metric that is a table of its own."""
    return Table(metric.labels, [Column(metric, start=start)])


def loops() -> Table:
    """How the loops run."""
    return Table(("loop",), [Column(m.LOOP_LAST_RUN, start=math.nan), Column(m.LOOP_ERRORS)])


def process() -> Table:
    """What there is one of in a prober. The journal is up until it is heard to be down."""
    columns = [
        Column(m.JOURNAL_UP, start=1),
        Column(m.JOURNAL_ERRORS),
        Column(m.CONFLICT),
        Column(m.RELOADED, start=1),
        Column(m.TIME),
    ]
    return Table((), columns)


def _each(metric: Metric, values: Iterable[str], *, start: float = 0) -> Iterator[Column]:
    """A column for each value of the metric's last label."""
    return (Column(metric, (str(value),), start) for value in values)
