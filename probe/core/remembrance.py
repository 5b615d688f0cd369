"""What was seen under a name, each thing with when it last was: known for a week, a bounded number.

Moments are Unix times, because it outlives the process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

HELD = (
    7 * 86400.0
)  # s: as long as a relay may go on trying with what it signed (RFC 5321 §4.5.4.1).
MOST = 16  # Things under one name; the one seen longest ago makes way.

_WORTH_WRITING = 3600.0  # s that what is written down may be behind.


class Remembrance:
    """Is told what is seen, and answers what is still known."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, float]] = {}
        self._written: dict[str, dict[str, float]] = {}

    def saw(self, name: str, things: Iterable[str], now: float) -> bool:
        """These were seen under this name; whether that is worth to be written down."""
        seen = self._seen.setdefault(name, {})
        for thing in things:
            seen[thing] = now
        recent = sorted(seen, key=lambda thing: seen[thing])[-MOST:]
        self._seen[name] = {t: seen[t] for t in recent if now - seen[t] < HELD}
        return self._is_behind(name)

    def known(self, name: str, now: float) -> tuple[str, ...]:
        """What was seen under this name within the week, in order."""
        seen = self._seen.get(name, {})
        return tuple(sorted(thing for thing, when in seen.items() if now - when < HELD))

    def text(self, name: str) -> str:
        """What is known under a name, to be written down; empty where there is nothing."""
        seen = self._written[name] = dict(self._seen.get(name, {}))
        return json.dumps(seen, sort_keys=True) if seen else ""

    def restore(self, name: str, text: str) -> None:
        """Take over what was written down; what makes no sense is passed over."""
        try:
            read = json.loads(text)
            found = {str(thing): float(when) for thing, when in read.items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            return
        self._seen[name] = dict(list(found.items())[:MOST])
        self._written[name] = dict(self._seen[name])

    def forget(self, ending: str) -> list[str]:
        """The names that end so, of which nothing is known any more."""
        names = [name for name in self._seen if name.endswith(ending)]
        for name in names:
            del self._seen[name]
            self._written.pop(name, None)
        return names

    def _is_behind(self, name: str) -> bool:
        seen, written = self._seen[name], self._written.get(name, {})
        if seen.keys() != written.keys():
            return True
        return any(seen[thing] - written[thing] > _WORTH_WRITING for thing in seen)
