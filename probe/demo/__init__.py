"""The embedded mail world of `mailprobe demo`, and its scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # What it needs itself may not be installed.
    from probe.demo.stage import Prober

DEFAULT = "node-holding"
SCENARIOS = {  # How long each takes unless told otherwise (s). `scenario.SCENARIOS` plays them.
    DEFAULT: 60.0,
    "slow-accept": 60.0,
    "provider-outage": 60.0,
    "partial-errors": 180.0,
    "accepted-unprocessed": 60.0,
    "mailbox-down": 60.0,
    "healthy": 60.0,
}


def run(scenario: str, prober: Prober, *, port: int | None, duration: float, keep: bool) -> int:
    """Play a scenario for `duration` seconds, or with `keep` until Ctrl-C; the exit code.

    Raises ImportError where the servers of the extra `mailprobe[demo]` are not installed, and
    KeyError for a scenario that there is not.
    """
    import asyncio

    from probe.demo import scenario as table
    from probe.demo.stage import play

    chosen = table.SCENARIOS[scenario]
    return asyncio.run(play(chosen, prober, port=port or 0, duration=duration, keep=keep))
