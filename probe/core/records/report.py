"""The checks of a domain as programs read them, and the exit code that they amount to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.core.records.check import Check, CheckKind, CheckState, overall

# Without an answer about one of these nothing can be said of a domain's mail.
_NEEDED = (CheckKind.MX, CheckKind.SPF, CheckKind.DKIM, CheckKind.DMARC)


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


def exit_code(checks: Sequence[Check]) -> int:
    """1 if anything fails, else 3 if what is needed most could not be found out, else 0."""
    if any(check.state is CheckState.FAIL for check in checks):
        return 1
    return 3 if unknown_kinds(checks) else 0


def unknown_kinds(checks: Iterable[Check]) -> tuple[CheckKind, ...]:
    """What is needed most and was not answered."""
    silent = {check.check for check in checks if check.state is CheckState.ERROR}
    return tuple(kind for kind in _NEEDED if kind in silent)
