"""The status page: one sentence, then a coloured line for each route. It needs no script."""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Sequence
from importlib.resources import files
from typing import assert_never

from probe.core.model import State
from probe.core.rfc3339 import rfc3339
from probe.core.status import (
    MOST_RECENT,
    ComponentStatus,
    Mark,
    RouteStatus,
    Status,
    summary,
)

_REFRESH = 5  # Seconds.
_MOST_SHOWN = 200
_LONGEST = 300
_WORST_FIRST = (State.DOWN, State.DEGRADED, State.UNKNOWN, State.OK)

_STYLE = files(__package__).joinpath("style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy: our style and nothing else."""


def page(status: Status, now: float, external_url: str = "") -> str:
    """The whole page, as of `now` (Unix time). The worst routes come first.

    `external_url` is what its links begin with, without a slash at its end.
    """
    routes = sorted(status.routes, key=lambda r: (_WORST_FIRST.index(r.state), r.key))
    faulty = "".join(_fault(one, now) for one in status.components if one.faults)
    lines = faulty + "".join(_line(route, now) for route in routes[:_MOST_SHOWN])
    sentence = _text(summary(status))
    base = html.escape(external_url)
    in_flight = sum(route.in_flight for route in routes)
    notices = "".join(f"<p><b>{_text(notice)}</b></p>" for notice in status.notices)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{_REFRESH}">
<title>{sentence}</title>
<style>{_STYLE}</style>
</head>
<body>
<header class="{status.state}">
<h1>{sentence}</h1>
<p>{_word(status.state)} for {_age(now - status.since)} · {_messages(in_flight)} in flight</p>
{notices}</header>
<ul>{lines}</ul>
<footer>{_left_out(routes[_MOST_SHOWN:])}
<p>As of {rfc3339(now)} · <a href="{base}/api/v1/status">JSON</a> ·
<a href="{base}/metrics">metrics</a></p>
</footer>
</body>
</html>
"""


def _fault(status: ComponentStatus, now: float) -> str:
    """The line of a component that is at fault."""
    faults = " and ".join(one.fault for one in status.faults)
    since = min(one.since for one in status.faults)
    evidence = "<br>".join(_text(line) for one in status.faults for line in one.evidence)
    return f"""
<li>
<b class="state {status.state}">{_word(status.state)}</b>
<span class="route"><b>{_text(str(status.component))}</b></span>
<b>{faults}</b>
<span class="numbers">for {_age(now - since)}</span>
<p class="evidence">{evidence}</p></li>"""


def _line(route: RouteStatus, now: float) -> str:
    key = route.key
    way = f"{_text(key.relay)} · {_text(key.sender)} → {_text(key.mailbox)}"
    evidence = f'<p class="evidence">{_text(route.evidence)}</p>' if route.evidence else ""
    return f"""
<li>
<b class="state {route.state}">{_word(route.state)}</b>
<span class="route"><b>{_text(key.node)}</b> <small>{way}</small></span>
{_bar(route.recent[-MOST_RECENT:])}
<span class="numbers">{_numbers(route, now)}</span>
{evidence}</li>"""


def _numbers(route: RouteStatus, now: float) -> str:
    """What is in flight and for how long, and when a probe last came through."""
    flight = f"<b>{route.in_flight}</b> in flight"
    if route.oldest_unanswered is not None:
        flight += f", unanswered for {_age(now - route.oldest_unanswered)}"
    if route.last_success is None:
        return f"{flight}<br>never came through"
    return f"{flight}<br>came through {_age(now - route.last_success)} ago"


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


def _word(state: State) -> str:
    return "OK" if state is State.OK else state.capitalize()


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"


def _left_out(routes: Sequence[RouteStatus]) -> str:
    return f"<p>{len(routes)} more routes, none worse, are in the JSON.</p>" if routes else ""


def _age(seconds: float) -> str:
    """A length of time, as exact as it matters."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _text(text: str) -> str:
    """Text that others wrote, fit for a page: cut, visible, escaped."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return html.escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut))
