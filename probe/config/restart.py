"""What cannot change while the prober runs."""

from __future__ import annotations

from probe.config.problem import Problem
from probe.config.settings import Settings


def needs_restart(before: Settings, after: Settings) -> tuple[Problem, ...]:
    """What of a new configuration can only be followed by a restart."""
    changed = {
        "instance": before.instance != after.instance,
        "journal": before.journal != after.journal,
        "web.listen": before.listen != after.listen,
    }
    wrong = "cannot change while mailprobe runs: it needs a restart"
    return tuple(Problem(f"{after.source}: {key}", wrong) for key in changed if changed[key])
