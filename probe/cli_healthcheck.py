"""The command `healthcheck`: for containers that want to know by an exit code."""

from __future__ import annotations

import asyncio
import sys

from probe.edges.healthcheck import trouble_at

_PATIENCE = 5.0  # s


def healthcheck(url: str) -> int:
    """0 if a prober there is healthy, else 1, and why on standard error."""
    trouble = asyncio.run(trouble_at(url, patience=_PATIENCE))
    if trouble:
        print(f"mailprobe: {url}: {trouble}", file=sys.stderr)
        return 1
    return 0
