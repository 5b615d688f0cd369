"""What DNS has to say of an incident: what changed before it, what fails, or that all is well.

Receivers act on changes of SPF, DKIM, DMARC and PTR when their caches have run out, which takes
up to a day; we notice them at the next check, which may be after the first refusal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from probe.core.component import Fault
from probe.core.duration import in_words
from probe.core.records.check import CheckKind, CheckState
from probe.core.records.history import Course, Courses, Unit

BEFORE = 86400.0  # s before an incident in which a change may have caused it,
AFTER = 600.0  # and after it began in which it may be noticed.

_CONCERNED = frozenset({Fault.REFUSING, Fault.BOUNCING, Fault.MISFILING, Fault.UNAUTHENTICATED})
_KINDS = (CheckKind.SPF, CheckKind.DKIM, CheckKind.DMARC, CheckKind.PTR)
_MOST = 4  # Sentences.
_LONGEST = 160  # Of a record, as much as is shown.


def remarks(
    domain: str, courses: Courses, *, since: float, faults: Collection[Fault]
) -> tuple[str, ...]:
    """Sentences about a sender's domain, for an incident of its mail; moments are Unix times.

    None where the faults are such that DNS has nothing to do with them.
    """
    if not _CONCERNED & set(faults):
        return ()
    known = {unit: courses[unit] for unit in sorted(courses) if unit.kind in _KINDS}
    said = [*_changed(domain, known, since), *_failing(domain, known)]
    if not said and known and all(_is_well(course) for course in known.values()):
        kinds = dict.fromkeys(str(unit.kind).upper() for unit in known)
        said = [f"In DNS the {', '.join(kinds)} of {domain} are well, and did not change before."]
    return tuple(said[:_MOST])


def _changed(domain: str, known: Courses, since: float) -> Iterator[str]:
    for unit, course in known.items():
        change = course.change
        if change is not None and since - BEFORE <= change.when <= since + AFTER:
            what = f"The {_name(unit)} of {domain} changed {_distance(change.when - since)}"
            yield f"{what}: {_record(change.old)} became {_record(change.new)}."


def _failing(domain: str, known: Courses) -> Iterator[str]:
    for unit, course in known.items():
        if course.state is CheckState.FAIL:
            yield f"The {_name(unit)} of {domain} is wrong: {course.summary}"


def _is_well(course: Course) -> bool:
    return course.state in (CheckState.OK, CheckState.WARN)


def _name(unit: Unit) -> str:
    named = unit.kind in (CheckKind.DKIM, CheckKind.PTR)
    return f"{str(unit.kind).upper()} {unit.subject}" if named else str(unit.kind).upper()


def _distance(seconds: float) -> str:
    if abs(seconds) < 1.0:
        return "at that moment"
    return f"{in_words(abs(seconds))} {'before' if seconds < 0 else 'later'}"


def _record(texts: tuple[str, ...]) -> str:
    if not texts:
        return "nothing"
    text = texts[0]
    return f"“{text if len(text) <= _LONGEST else f'{text[: _LONGEST - 1]}…'}”"
