"""The kernel's routes: whether there is a way to an address."""

from __future__ import annotations

import errno
import ipaddress
import socket

_PORT = 9  # Any will do: connecting a UDP socket chooses a route, and sends nothing.
_NO_ROUTE = {
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EADDRNOTAVAIL,  # No address of ours to come from.
    errno.EAFNOSUPPORT,  # The kernel does not know this IP version.
    errno.EACCES,  # A route of type prohibit.
    errno.EINVAL,  # A route of type blackhole.
}


class KernelRoutes:
    """Fulfils engine.lookup.Routes."""

    def is_ours(self, address: str) -> bool:
        """Whether an address is one of this machine: then we would come from it. Sends nothing."""
        try:
            with _socket(address) as probing:
                probing.connect((address, _PORT))
                return str(probing.getsockname()[0]) == address
        except OSError:
            return False

    def reaches(self, address: str, source: str | None) -> bool:
        """Whether there is a route to an address, from `source` if given. Sends nothing."""
        version = ipaddress.ip_address(address).version
        if source is not None and ipaddress.ip_address(source).version != version:
            return False
        try:
            with _socket(address) as probing:
                if source is not None:
                    probing.bind((source, 0))
                probing.connect((address, _PORT))
        except OSError as error:
            return error.errno not in _NO_ROUTE
        return True


def _socket(address: str) -> socket.socket:
    """One of the IP version of this address."""
    six = ipaddress.ip_address(address).version == 6
    return socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
