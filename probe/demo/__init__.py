"""The embedded mail world of `mailprobe demo`, and its scenarios."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # What it needs itself may not be installed.
    from probe.demo.scenario import Prober

SCENARIOS = ("healthy",)


def run(scenario: str, prober: Prober, *, port: int | None, duration: float, keep: bool) -> int:
    """Play a scenario for `duration` seconds, or with `keep` until Ctrl-C; the exit code.

    Raises ImportError where the servers of the extra `mailprobe[demo]` are not installed, and
    ValueError for a scenario that there is not.
    """
    if scenario not in SCENARIOS:
        raise ValueError(f"there is no scenario {scenario!r}, only {', '.join(SCENARIOS)}")
    import asyncio

    from probe.demo.scenario import healthy

    return asyncio.run(healthy(prober, port=port or 0, duration=None if keep else duration))
