"""The nodes behind a load balancer, learned from the host names in their greetings."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from probe.core.model import Attempt, Phase

MAX_LEARNED = 32
OTHER = "other"  # Stands for nodes beyond that bound, and for those whose names are none.
MEMORY = 3600.0  # s without a greeting, and with nothing in flight, after which one is forgotten.

Heard = Mapping[str, float]  # When each node last greeted, by name.

# RFC 1123 2.1, with the underscores that some servers have in their names.
_HOST_NAME = re.compile(r"(?=.{1,253}$)[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?")


def node_name(attempt: Attempt) -> str:
    """The node that greeted in an attempt; empty where none did."""
    if all(timed.phase is not Phase.EHLO for timed in attempt.phases):
        return ""
    name = attempt.greeting_host.removesuffix(".")
    return name.lower() if _HOST_NAME.fullmatch(name) else OTHER


def label(heard: Heard, name: str) -> str:
    """The `node` label of a node of this name, among those that are known."""
    known = name in heard or len(heard.keys() - {OTHER}) < MAX_LEARNED
    return name if known else OTHER


def forgotten(heard: Heard, now: float, *, in_flight: Container[str]) -> list[str]:
    """The nodes that are known no longer at `now` (s)."""
    return [name for name, last in heard.items() if now - last > MEMORY and name not in in_flight]
