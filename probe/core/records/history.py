"""What is known of each check of a domain over its runs: how it was, since when, what changed.

The fault `dns` follows from it: a check that was `ok` earlier and ended as `fail` in two runs in a
row. A run that heard nothing (`error`) is as if it had not been: it neither breaks a row nor
makes one, so a resolver that is dead names nothing and hides nothing.

Each subject has a history of its own, with one exception: a selector of DKIM that was seen in
mail is as good as the others of its domain were, because a signer that changes to a key which is
not published breaks what worked. One that is configured ahead of its use is not.

Moments are Unix times, because all of it outlives the process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass, replace

from probe.core.records.check import Check, CheckKind, CheckState

RUNS = 2  # In a row, that make a fault of a failure, or end that of a subject which is no more.

_FORGOTTEN = 100  # Runs in a row without a subject, after which nothing is known of it any more.
# Their subjects are found in DNS, so they may seem to be gone; the others are ours to say.
_FOUND = frozenset({CheckKind.MX, CheckKind.DANE, CheckKind.NS})

_MOST_SHOWN = 4  # Records whose text is kept.
_LONGEST_SHOWN = 400


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """One thing that is checked of a domain."""

    kind: CheckKind
    subject: str


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What was published before, what is now, and when that was noticed."""

    unit: Unit
    old: tuple[str, ...]
    new: tuple[str, ...]
    when: float


@dataclass(frozen=True, slots=True)
class Course:
    """How a check went in the runs that heard something."""

    state: CheckState  # In the last of them.
    summary: str  # Likewise.
    digest: str  # Of what was published then.
    records: tuple[str, ...]  # What was published then, as much as is shown of it.
    well: float | None = None  # When it was last ok.
    failing: float | None = None  # Since when it fails.
    failures: int = 0  # Runs in a row, as far as RUNS.
    missed: int = 0  # Runs in a row in which there was no such subject.
    used: bool = False  # A selector that was seen in mail by then.
    change: RecordChange | None = None  # The last.


Courses = Mapping[Unit, Course]


@dataclass(frozen=True, slots=True)
class DnsFault:
    """A check that was well and is not."""

    unit: Unit
    since: float
    sentence: str


def followed(
    courses: Courses,
    checks: Iterable[Check],
    kinds: Set[CheckKind],
    now: float,
    *,
    used: Collection[str] = (),
) -> Courses:
    """The courses after one more run of these kinds, which found these checks.

    `used` are the selectors of DKIM that were seen in mail of the domain.
    """
    found = {Unit(check.check, check.subject): check for check in checks}
    silent = {check.check for check in found.values() if check.state is CheckState.ERROR}
    after: dict[Unit, Course] = {}
    for unit, course in courses.items():
        if unit.kind not in kinds or (unit.kind in silent and unit.kind in _FOUND):
            after[unit] = course
        elif unit not in found and (left := _missed(unit, course)) is not None:
            after[unit] = left
    for unit, check in found.items():
        before = courses.get(unit)
        if check.state is not CheckState.ERROR:
            course = _followed(before, check, now)
            is_used = unit.kind is CheckKind.DKIM and unit.subject in used
            after[unit] = replace(course, used=is_used)
        elif before is not None:
            after[unit] = replace(before, missed=0)
    return after


def _missed(unit: Unit, course: Course) -> Course | None:
    """What is known of a subject that was not there in one more run."""
    missed = course.missed + 1
    if unit.kind not in _FOUND or missed >= _FORGOTTEN:
        return None
    if missed < RUNS:
        return replace(course, missed=missed)
    return replace(course, missed=missed, failing=None, failures=0)


def was_well(courses: Courses, unit: Unit) -> bool:
    """Whether this was ok in an earlier run."""
    if courses[unit].used:
        return any(c.well is not None for u, c in courses.items() if u.kind is unit.kind)
    return courses[unit].well is not None


def faults(courses: Courses) -> tuple[DnsFault, ...]:
    """What is wrong that was well, the oldest first."""
    found = [
        DnsFault(unit, course.failing, _sentence(unit, course))
        for unit, course in courses.items()
        if course.failures >= RUNS and course.failing is not None and was_well(courses, unit)
    ]
    return tuple(sorted(found, key=lambda fault: (fault.since, fault.unit)))


def suspects(courses: Courses) -> frozenset[CheckKind]:
    """The kinds of what was well and failed in the last run only: one more run will tell."""
    return frozenset(
        unit.kind
        for unit, course in courses.items()
        if 0 < course.failures < RUNS and was_well(courses, unit)
    )


def changes(courses: Courses) -> tuple[RecordChange, ...]:
    """The last change of everything that ever changed, the newest first."""
    found = [course.change for course in courses.values() if course.change is not None]
    return tuple(sorted(found, key=lambda change: (-change.when, change.unit)))


def last_change(courses: Courses, kind: CheckKind) -> float | None:
    """When the records behind this kind of check changed last; None if they never did."""
    changes = (course.change for unit, course in courses.items() if unit.kind is kind)
    return max((change.when for change in changes if change is not None), default=None)


def is_news(course: Course, written: Course | None) -> bool:
    """Whether a course says more than when it was well last, compared with what was written."""
    return written is None or replace(course, well=written.well, missed=written.missed) != written


def _followed(before: Course | None, check: Check, now: float) -> Course:
    fails, digest = check.state is CheckState.FAIL, _digest(check.records)
    unit = Unit(check.check, check.subject)
    course = Course(check.state, check.summary, digest, _shown(check.records))
    if before is None:
        return replace(
            course,
            well=_well(check, None, now),
            failing=now if fails else None,
            failures=int(fails),
        )
    change = before.change
    if digest != before.digest:
        change = RecordChange(unit, before.records, course.records, now)
    return replace(
        course,
        well=_well(check, before.well, now),
        failing=(before.failing or now) if fails else None,
        failures=min(before.failures + 1, RUNS) if fails else 0,
        change=change,
    )


def _well(check: Check, before: float | None, now: float) -> float | None:
    return now if check.state is CheckState.OK else before


def _digest(records: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(records).encode("utf-8", "replace")).hexdigest()[:16]


def _shown(records: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"
        for text in records[:_MOST_SHOWN]
    )


def _sentence(unit: Unit, course: Course) -> str:
    """What fails, and what was published when it did not."""
    said = f"{unit.kind} {unit.subject}: {course.summary}"
    change = course.change
    if change is None or course.failing is None or change.when < course.failing or not change.old:
        return said
    return f"{said} Before, it was “{change.old[0]}”."
