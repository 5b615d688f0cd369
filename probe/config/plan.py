"""How often each combination of relay, sender and mailbox is probed, and how long is waited."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from probe.config.file import Defaults, File, Mailbox, Route
from probe.config.problem import Path

Combination = tuple[str, str, str]  # relay, sender, mailbox
FIELDS = ("interval", "deadline", "give_up")


@dataclass(frozen=True, slots=True)
class Plan:
    """The schedule of the routes of one combination (s)."""

    interval: float
    deadline: float
    give_up: float


@dataclass(frozen=True, slots=True)
class Sourced:
    """A value in force (s), and where it is written."""

    seconds: float
    path: Path


def in_force(file: File) -> Iterator[tuple[Combination, dict[str, Sourced]]]:
    """Each combination that is probed, with its values: the route's, the mailbox's, the default."""
    for combination in product(file.relays, file.senders, file.mailboxes):
        routes = [
            (("routes", number), route)
            for number, route in enumerate(file.routes)
            if _covers(route, combination)
        ]
        if routes or not file.routes:
            mailbox = combination[2]
            yield (
                combination,
                {
                    **_written(("defaults",), file.defaults),
                    **_written(("mailboxes", mailbox), file.mailboxes[mailbox]),
                    **{k: v for path, route in routes for k, v in _written(path, route).items()},
                },
            )


def plan(values: Mapping[str, Sourced]) -> Plan:
    """The values without their places."""
    return Plan(**{name: value.seconds for name, value in values.items()})


def _covers(route: Route, combination: Combination) -> bool:
    wanted = (route.relay, route.sender, route.mailbox)
    return all(name in (None, own) for name, own in zip(wanted, combination, strict=True))


def _written(path: Path, section: Defaults | Mailbox | Route) -> dict[str, Sourced]:
    values = {name: getattr(section, name) for name in FIELDS}
    return {
        name: Sourced(seconds, (*path, name))
        for name, seconds in values.items()
        if seconds is not None
    }
