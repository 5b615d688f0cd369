"""The checks of a domain as programs read them, and the exit code that they amount to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.core.records.check import Check, CheckKind, CheckState, overall

# Without an answer about one of these nothing can be said of a domain's mail.
_NEEDED = frozenset({CheckKind.MX, CheckKind.SPF, CheckKind.DKIM, CheckKind.DMARC})


def report(domain: str, checks: Sequence[Check]) -> dict[str, object]:
    """The object of `mailprobe dns --json`."""
    return {
        "domain": domain,
        "state": overall(checks).value,
        "checks": [entry(check) for check in checks],
    }


def entry(check: Check) -> dict[str, object]:
    """One check as an object."""
    return {
        "check": check.check.value,
        "subject": check.subject,
        "state": check.state.value,
        "summary": check.summary,
        "evidence": list(check.evidence),
    }


def exit_code(checks: Iterable[Check]) -> int:
    """1 if anything fails, else 3 if what is needed most could not be found out, else 0."""
    states = {(check.check, check.state) for check in checks}
    if any(state is CheckState.FAIL for _, state in states):
        return 1
    return 3 if any((kind, CheckState.ERROR) in states for kind in _NEEDED) else 0
