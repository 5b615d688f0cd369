"""The status page: what is wrong, what works, and how every part is. It needs no script."""

from __future__ import annotations

import html

from probe.core.duration import in_words
from probe.core.rfc3339 import rfc3339
from probe.core.status import Status, at_fault, delivery, headline
from probe.core.trouble import troubles
from probe.edges.web.component import components
from probe.edges.web.domain import domains
from probe.edges.web.frame import frame
from probe.edges.web.incident import closed_incidents, open_incidents
from probe.edges.web.route import routes
from probe.edges.web.text import counted, safe, word

_REFRESH = 5  # Seconds.


def page(status: Status, now: float, external_url: str = "") -> str:
    """The whole page, as of `now` (Unix time). What is worst comes first.

    `external_url` is what its links begin with, without a slash at its end.
    """
    said = safe(headline(status))
    base = html.escape(external_url)
    found = troubles(status)
    body = f"""\
<header class="{status.state}">
<h1>{said}</h1>
{_account(status, now)}</header>
{open_incidents(found, now, base)}
{components(status.components, standby=status.standby)}
{closed_incidents(status.incidents, now)}
{domains(status.domains, now)}
{routes(status.routes, now, standby=status.standby)}
<footer>
<p>As of {rfc3339(now)} · <a href="{base}/api/v1/status">status</a> and
<a href="{base}/api/v1/incidents">incidents</a> as JSON · <a href="{base}/metrics">metrics</a></p>
</footer>"""
    return frame(said, body, refresh=_REFRESH)


def _account(status: Status, now: float) -> str:
    """What the headline does not say."""
    in_flight = counted(sum(route.in_flight for route in status.routes), "message")
    lines = [f"{word(status.state)} for {in_words(now - status.since)} · {in_flight} in flight"]
    if at_fault(status):
        lines.insert(0, safe(delivery(status)))
    notices = (f"<b>{safe(notice)}</b>" for notice in status.notices)
    return "".join(f"<p>{line}</p>\n" for line in (*lines, *notices))
