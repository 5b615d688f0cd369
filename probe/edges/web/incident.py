"""The incidents on the page: a card for what is wrong, a line for what was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.core.duration import in_words
from probe.core.incident import Incident
from probe.core.rfc3339 import rfc3339
from probe.core.sentence import capitalised, ending, listed, share_said
from probe.core.status import newest_first
from probe.core.trouble import Trouble
from probe.edges.web.text import badge, counted, safe

_MOST_OPEN = 20
_MOST_CLOSED = 10
_MOST_EVIDENCE = 6  # Lines.


def open_incidents(troubles: Sequence[Trouble], now: float, base: str = "") -> str:
    """What is wrong at this moment; nothing where nothing is. `base`: what links begin with."""
    if not troubles:
        return ""
    cards = "".join(_card(trouble, now, base) for trouble in troubles[:_MOST_OPEN])
    left_out = len(troubles[_MOST_OPEN:])
    more = f"<p>{left_out} more, none worse, in the JSON.</p>" if left_out else ""
    return f"<section><h2>{counted(len(troubles), 'open incident')}</h2>{cards}{more}</section>"


def closed_incidents(incidents: Iterable[Incident], now: float) -> str:
    """What was wrong lately."""
    closed = [one for one in newest_first(incidents) if one.closed is not None]
    lines = "".join(_past(one, one.closed or 0.0, now) for one in closed[:_MOST_CLOSED])
    return (
        f'<section><h2>Closed lately</h2><ul class="past">{lines}</ul></section>' if lines else ""
    )


def _card(trouble: Trouble, now: float, base: str) -> str:
    clock = rfc3339(trouble.since)[11:19]
    facts = [
        badge(trouble.state),
        "confirmed" if trouble.confirmed else "not confirmed yet",
        f"for {in_words(now - trouble.since)}, since <time>{clock}</time> UTC",
    ]
    if trouble.share is not None:
        facts.append(f"<b>{share_said(trouble.share)}</b> of the probes fail")
    facts.append(f'<a href="{base}/runbooks/{trouble.runbook}">what to do</a>')
    remarks = "".join(f"<p>{safe(remark)}</p>\n" for remark in trouble.remarks)
    return f"""
<article class="{trouble.state}">
<h3>{safe(trouble.said)}</h3>
<p class="facts">{" · ".join(facts)}</p>
{remarks}{_evidence(trouble.evidence)}</article>"""


def _evidence(lines: Sequence[str]) -> str:
    if not lines:
        return ""
    shown = "".join(f"<li>{safe(line)}</li>" for line in lines[:_MOST_EVIDENCE])
    left_out = len(lines[_MOST_EVIDENCE:])
    more = f"<li>{counted(left_out, 'older line')} in the JSON</li>" if left_out else ""
    return f'<ul class="evidence">{shown}{more}</ul>'


def _past(incident: Incident, closed: float, now: float) -> str:
    faults = safe(capitalised(listed([one.fault.value for one in incident.faults])))
    said = safe(ending(incident))
    return (
        f"<li><b>{faults}</b> <span>{said}</span> <small>{in_words(now - closed)} ago</small></li>"
    )
