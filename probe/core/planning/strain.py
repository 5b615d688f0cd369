"""Where a plan asks more of a relay or a mailbox than it takes, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from probe.core.allowance import Limits
from probe.core.detection.burst import MOST_DECIDING, SIZE
from probe.core.forecast import daily, daily_by_provider
from probe.core.limits import DAY, MINUTE, SHARE
from probe.core.model import Route, RouteKey
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


@dataclass(frozen=True, slots=True)
class _Takers:
    """Relays, or mailboxes, and what each of them takes."""

    sort: str
    name_of: Callable[[RouteKey], str]
    limits: Mapping[str, float]  # Messages a day, by name.
    owners: Mapping[str, Provider] = field(default_factory=dict)  # By name.


def warnings(load: Load) -> Iterator[str]:
    """What exceeds a limit, and what follows."""
    days = {name: one.per_day for name, one in load.limits.relays.items() if one.per_day}
    mailboxes = _Takers("mailbox", _mailbox, load.limits.mailboxes, load.providers)
    yield from _stretched(load, _Takers("relay", _relay, relay_limits(load.limits)))
    yield from _stretched(load, mailboxes)
    yield from _cramped(load)
    yield from _spent(load, _Takers("relay", _relay, days))
    yield from _spent(load, mailboxes)
    for owner, messages in daily_by_provider(load.routes, load.providers).items():
        if messages > PER_DAY:
            yield (
                f"{owner} gets {messages:.0f} messages a day in all its mailboxes; more than"
                f" {PER_DAY} are too many, and 5000 make the domain a bulk sender for good."
            )


def _relay(key: RouteKey) -> str:
    return key.relay


def _mailbox(key: RouteKey) -> str:
    return key.mailbox


def _stretched(load: Load, takers: _Takers) -> Iterator[str]:
    """Whose limit makes the slots longer."""
    planned = daily(load.wanted, takers.name_of)
    for name, most in takers.limits.items():
        if planned.get(name, 0.0) <= SHARE * most:
            continue
        own = [route.interval for route in load.routes if takers.name_of(route.key) == name]
        owner = takers.owners.get(name)
        whose = f" (it is at {owner})" if owner is not None else ""
        yield (
            f"{takers.sort.capitalize()} {name}{whose} takes {most:.0f} messages a day, and"
            f" {planned[name]:.0f} are planned: its slots are stretched, to one in"
            f" {_spread(own)} on each route."
        )


def _spread(intervals: Sequence[float]) -> str:
    """What they are; some are longer where another limit, or a setting, makes them so."""
    least, most = _seconds(min(intervals)), _seconds(max(intervals))
    return f"{least} s" if least == most else f"{least} to {most} s"


def _seconds(value: float) -> str:
    return f"{value:.3g}" if value < 100.0 else f"{value:.0f}"


def _cramped(load: Load) -> Iterator[str]:
    """Relays whose limit leaves no room for confirmation probes."""
    in_force = daily(load.routes, _relay)
    for name, one in load.limits.relays.items():
        if one.per_minute is None or name not in in_force:
            continue
        spare = one.per_minute - in_force[name] * MINUTE / DAY
        if spare < SIZE:
            yield (
                f"The limit of relay {name} leaves {max(0.0, spare):.0f} of the {SIZE} messages a"
                f" minute that a suspicion is confirmed with: faults are named later."
            )


def _spent(load: Load, takers: _Takers) -> Iterator[str]:
    """Whose limit leaves less for a day than one open question may take."""
    in_force = daily(load.routes, takers.name_of)
    for name, most in takers.limits.items():
        spare = most - in_force.get(name, 0.0)
        if name in in_force and spare < MOST_DECIDING:
            yield (
                f"The limit of {takers.sort} {name} leaves {max(0.0, spare):.0f} messages a day for"
                " confirmation probes, and the times here do not count with that: once they are"
                " used up, faults are named later."
            )
