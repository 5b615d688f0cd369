"""How far away an address is: who hears from there knows that the network works so far."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from enum import IntEnum


class Reach(IntEnum):
    """The further, the more an answer from there proves."""

    HOST = 0  # This machine, or its cable: whoever answers there may know it from a cache.
    SITE = 1  # A private network.
    WORLD = 2  # The Internet.


def reach_of(host: str) -> Reach:
    """How far away an IP address is; a name may be anywhere, so it is taken for far away.

    Link-local addresses count as this machine: caches of containers and clouds have them.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return Reach.WORLD
    if address.is_loopback or address.is_link_local:
        return Reach.HOST
    return Reach.WORLD if address.is_global else Reach.SITE


def furthest(hosts: Iterable[str]) -> Reach:
    """How far away the furthest of these is."""
    return max(map(reach_of, hosts), default=Reach.HOST)
