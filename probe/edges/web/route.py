"""The routes on the page: a line for each, with its newest verdicts as a bar."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import assert_never

from probe.core.duration import in_words
from probe.core.status import MOST_RECENT, Mark, RouteStatus
from probe.edges.web.text import WORST_FIRST, badge, counted, safe

_MOST_SHOWN = 200


def routes(known: Sequence[RouteStatus], now: float, *, standby: Collection[str]) -> str:
    """The list of routes, the worst first; those of the relays in `standby` say so."""
    if not known:
        return ""
    ordered = sorted(known, key=lambda route: (WORST_FIRST.index(route.state), route.key))
    lines = "".join(_line(route, now, standby) for route in ordered[:_MOST_SHOWN])
    left_out = len(ordered[_MOST_SHOWN:])
    more = f"<p>{counted(left_out, 'more route')}, none worse, in the JSON.</p>" if left_out else ""
    return f'<section><h2>Routes</h2>\n<ul class="routes">{lines}</ul>{more}</section>'


def _line(route: RouteStatus, now: float, standby: Collection[str]) -> str:
    key = route.key
    way = f"{safe(key.relay)} · {safe(key.sender)} → {safe(key.mailbox)}"
    role = " · standby" if key.relay in standby else ""
    evidence = f'<p class="evidence">{safe(route.evidence)}</p>' if route.evidence else ""
    return f"""
<li>
{badge(route.state)}
<span class="route"><b>{safe(key.node or key.relay)}</b> <small>{way}{role}</small></span>
{_bar(route.recent[-MOST_RECENT:])}
<span class="numbers">{_numbers(route, now)}</span>
{evidence}</li>"""


def _numbers(route: RouteStatus, now: float) -> str:
    """What is in flight and for how long, and when a probe last came through."""
    flight = f"<b>{route.in_flight}</b> in flight"
    if route.oldest_unanswered is not None:
        flight += f", unanswered for {in_words(now - route.oldest_unanswered)}"
    if route.last_success is None:
        return f"{flight}<br>never came through"
    return f"{flight}<br>came through {in_words(now - route.last_success)} ago"


def _bar(recent: Sequence[Mark]) -> str:
    """The newest verdicts, the newest at the right. What is bad is taller as well as red."""
    first = MOST_RECENT - len(recent)
    told = ", ".join(f"{recent.count(m)} {_meaning(m)}" for m in Mark if m in recent)
    paths = _path("none", 2, range(first)) + "".join(
        _path(mark, _height(mark), [first + i for i, m in enumerate(recent) if m is mark])
        for mark in Mark
    )
    return (
        f'<svg viewBox="0 0 {MOST_RECENT} 10" preserveAspectRatio="none" role="img">'
        f"<title>{told or 'nothing judged yet'}</title>{paths}</svg>"
    )


def _path(kind: str, height: int, places: Sequence[int]) -> str:
    """Bars of one kind as a single path: a page of many routes stays small."""
    if not places:
        return ""
    bars = "".join(f"M{place} 10h.75v-{height}h-.75z" for place in places)
    return f'<path class="{kind}" d="{bars}"/>'


def _height(mark: Mark) -> int:
    match mark:
        case Mark.GOOD:
            return 7
        case Mark.BAD:
            return 10
        case Mark.UNKNOWN:
            return 4
        case _:
            assert_never(mark)


def _meaning(mark: Mark) -> str:
    match mark:
        case Mark.GOOD:
            return "good"
        case Mark.BAD:
            return "failed"
        case Mark.UNKNOWN:
            return "not to be judged"
        case _:
            assert_never(mark)
