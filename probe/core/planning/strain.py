"""Where a plan asks more of a relay or a mailbox than it takes, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from probe.core.allowance import Limits
from probe.core.detection.burst import MOST_DECIDING, SIZE
from probe.core.forecast import daily, daily_by_provider
from probe.core.limits import DAY, MINUTE, SHARE
from probe.core.model import Route
from probe.core.provider import PER_DAY, Provider


@dataclass(frozen=True, slots=True)
class Load:
    """What is planned, and what comes of it."""

    wanted: Sequence[Route]
    routes: Sequence[Route]  # In force, in the same order.
    limits: Limits
    providers: Mapping[str, Provider]  # By mailbox.


def relay_limits(limits: Limits) -> dict[str, float]:
    """The messages a day that each relay with a limit takes."""
    found = {}
    for name, one in limits.relays.items():
        minute = None if one.per_minute is None else one.per_minute * DAY / MINUTE
        if known := [most for most in (minute, one.per_day) if most is not None]:
            found[name] = min(known)
    return found


def warnings(load: Load) -> Iterator[str]:
    """What exceeds a limit, and what follows."""
    yield from _stretched(load, "Relay", relay_limits(load.limits))
    yield from _stretched(load, "Mailbox", load.limits.mailboxes)
    yield from _cramped(load)
    yield from _spent(load)
    for owner, messages in daily_by_provider(load.routes, load.providers).items():
        if messages > PER_DAY:
            yield (
                f"{owner} gets {messages:.0f} messages a day in all its mailboxes; more than"
                f" {PER_DAY} are too many, and 5000 make the domain a bulk sender for good."
            )


def _stretched(load: Load, kind: str, limits: Mapping[str, float]) -> Iterator[str]:
    planned = daily(load.wanted, lambda key: getattr(key, kind.lower()))
    for name, most in limits.items():
        if planned.get(name, 0.0) <= SHARE * most:
            continue
        own = [r.interval for r in load.routes if getattr(r.key, kind.lower()) == name]
        owner = load.providers.get(name) if kind == "Mailbox" else None
        whose = f" (it is at {owner})" if owner is not None else ""
        yield (
            f"{kind} {name}{whose} takes {most:.0f} messages a day, and {planned[name]:.0f} are"
            f" planned: its slots are stretched, to one in {_spread(own)} on each route."
        )


def _spread(intervals: Sequence[float]) -> str:
    """What they are; some are longer where another limit, or a setting, makes them so."""
    least, most = _seconds(min(intervals)), _seconds(max(intervals))
    return f"{least} s" if least == most else f"{least} to {most} s"


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 100.0 else f"{value:.0f}"


def _cramped(load: Load) -> Iterator[str]:
    """Relays whose limit leaves no room for confirmation probes."""
    in_force = daily(load.routes, lambda key: key.relay)
    for name, one in load.limits.relays.items():
        if one.per_minute is None or name not in in_force:
            continue
        spare = one.per_minute - in_force[name] * MINUTE / DAY
        if spare < SIZE:
            yield (
                f"The limit of relay {name} leaves {max(0.0, spare):.0f} of the {SIZE} messages a"
                f" minute that a suspicion is confirmed with: faults are named later."
            )


def _spent(load: Load) -> Iterator[str]:
    """Whose limit leaves less for a day than one open question may take."""
    days = {name: one.per_day for name, one in load.limits.relays.items() if one.per_day}
    of_relays = daily(load.routes, lambda key: key.relay)
    of_mailboxes = daily(load.routes, lambda key: key.mailbox)
    yield from _scarce("relay", days, of_relays)
    yield from _scarce("mailbox", load.limits.mailboxes, of_mailboxes)


def _scarce(kind: str, limits: Mapping[str, int], in_force: Mapping[str, float]) -> Iterator[str]:
    for name, most in limits.items():
        spare = most - in_force.get(name, 0.0)
        if name in in_force and spare < MOST_DECIDING:
            yield (
                f"The limit of {kind} {name} leaves {max(0.0, spare):.0f} messages a day for"
                " confirmation probes, and the times here do not count with that: once they are"
                " used up, faults are named later."
            )
