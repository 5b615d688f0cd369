"""The course of a check as a text that survives a restart."""

from __future__ import annotations

import json

from probe.core.records.check import CheckKind, CheckState
from probe.core.records.history import Course, RecordChange, Unit


def name_of(domain: str, unit: Unit) -> str:
    """Under which it is written down; subjects may hold spaces, domains do not."""
    return f"{domain} {unit.kind} {unit.subject}"


def unit_of(name: str) -> tuple[str, Unit] | None:
    """The domain, and what is checked of it; None for a name that is not ours."""
    domain, _, rest = name.partition(" ")
    kind, _, subject = rest.partition(" ")
    try:
        return domain, Unit(CheckKind(kind), subject)
    except ValueError:
        return None


def text_of(course: Course) -> str:
    """The course as JSON."""
    change = course.change
    return json.dumps(
        {
            "state": course.state,
            "summary": course.summary,
            "digest": course.digest,
            "records": course.records,
            "well": course.well,
            "failing": course.failing,
            "failures": course.failures,
            "used": course.used,
            "change": None if change is None else [change.old, change.new, change.when],
        }
    )


def course_of(unit: Unit, text: str) -> Course | None:
    """What was written down of it; None for what makes no sense."""
    try:
        read = json.loads(text)
        change = read["change"]
        return Course(
            state=CheckState(read["state"]),
            summary=str(read["summary"]),
            digest=str(read["digest"]),
            records=_texts(read["records"]),
            well=_moment(read["well"]),
            failing=_moment(read["failing"]),
            failures=int(read["failures"]),
            used=read.get("used") is True,
            change=None
            if change is None
            else RecordChange(unit, _texts(change[0]), _texts(change[1]), float(change[2])),
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _texts(read: list[object]) -> tuple[str, ...]:
    return tuple(str(text) for text in read)


def _moment(read: float | None) -> float | None:
    return None if read is None else float(read)
