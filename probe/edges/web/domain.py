"""The senders' domains on the page: what is not well in DNS, and what changed of late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from probe.core.duration import in_words
from probe.core.model import State
from probe.core.records.check import Check, CheckState, overall
from probe.core.records.history import RecordChange
from probe.core.status import DomainStatus
from probe.edges.web.text import counted, safe

_MOST_DOMAINS = 100
_MOST_LINES = 12  # Of each domain.
_LATELY = 86400.0  # s for which a change is shown.
_TELLING = (CheckState.FAIL, CheckState.ERROR, CheckState.WARN)  # Worst first.


def domains(known: Sequence[DomainStatus], now: float) -> str:
    """All of them, the worst first; of each what is not as it should be."""
    if not known:
        return ""
    ordered = sorted(known, key=lambda one: (_rank(one), one.domain))
    lines = "".join(_domain(one, now) for one in ordered[:_MOST_DOMAINS])
    left_out = len(ordered[_MOST_DOMAINS:])
    more = f"<li>{left_out} more, none worse, are in the JSON</li>" if left_out else ""
    return f'<section class="past"><h2>DNS of the senders</h2><ul>{lines}{more}</ul></section>'


def _rank(status: DomainStatus) -> int:
    state = overall(status.checks)
    return _TELLING.index(state) if state in _TELLING else len(_TELLING)


def _domain(status: DomainStatus, now: float) -> str:
    told = [*_changed(status.changes, now), *_unwell(status.checks)]
    more = [f"and {counted(len(told) - _MOST_LINES, 'more line')}"] if told[_MOST_LINES:] else []
    evidence = "<br>".join((*told[:_MOST_LINES], *more))
    state = overall(status.checks)
    word = state.value if status.checks else "not checked yet"
    paragraph = f'<p class="evidence">{evidence}</p>' if evidence else ""
    return (
        f'\n<li><b class="state {_colour(state)}">{word}</b> <span>{safe(status.domain)}</span>'
        f" <small>{counted(len(status.checks), 'check')}</small>"
        f"{paragraph}</li>"
    )


def _changed(changes: Sequence[RecordChange], now: float) -> Iterator[str]:
    for change in changes:
        if now - change.when <= _LATELY:
            unit = f"{change.unit.kind} {change.unit.subject}"
            old, new = (
                records[0] if records else "nothing" for records in (change.old, change.new)
            )
            said = f"{unit} changed {in_words(now - change.when)} ago: {old} became {new}"
            yield safe(said)


def _unwell(checks: Sequence[Check]) -> Iterator[str]:
    for state in _TELLING:
        for check in checks:
            if check.state is state:
                yield safe(f"{state}: {check.check} {check.subject}: {check.summary}")


def _colour(state: CheckState) -> State:
    match state:
        case CheckState.FAIL:
            return State.DOWN
        case CheckState.WARN:
            return State.DEGRADED
        case CheckState.ERROR:
            return State.UNKNOWN
        case CheckState.OK | CheckState.NONE:
            return State.OK
        case _:
            assert_never(state)
