"""Words and numbers as they stand on a page."""

from __future__ import annotations

import html

from probe.core.model import State

WORST_FIRST = (State.DOWN, State.DEGRADED, State.UNKNOWN, State.OK)

_LONGEST = 300


def safe(text: str) -> str:
    """Text that others wrote, fit for a page: cut, visible, escaped."""
    cut = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return html.escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut))


def word(state: State) -> str:
    """A state for those who do not see its colour."""
    return "OK" if state is State.OK else state.capitalize()


def badge(state: State) -> str:
    """A state with its colour."""
    return f'<b class="state {state}">{word(state)}</b>'


def counted(number: int, noun: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
