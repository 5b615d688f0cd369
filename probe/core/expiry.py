"""Whether a certificate is about to end."""

from __future__ import annotations

from probe.core.rfc3339 import rfc3339

LAST_DAYS = 3 * 86400.0  # s before its end from which on it is called insecure.


def remark(end: float, now: float) -> str | None:
    """That a certificate is about to end, in words, or None; both are Unix times."""
    if end - now >= LAST_DAYS:
        return None
    moment = rfc3339(end)
    if end <= now:
        return f"the certificate ended at {moment}"
    return f"the certificate ends at {moment}, in {(end - now) / 3600:.0f} h"
