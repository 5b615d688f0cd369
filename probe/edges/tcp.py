"""TCP connections to addresses, without names and without retries."""

from __future__ import annotations

import asyncio
import ipaddress
import socket


def is_address(host: str) -> bool:
    """Whether this is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def dial(address: str, port: int, *, source: str | None = None) -> socket.socket:
    """A connected, non-blocking socket, from `source` if given. Raises OSError.

    The socket is the caller's; it is closed here if anything fails, cancellation included.
    """
    version = ipaddress.ip_address(address).version
    connection = socket.socket(socket.AF_INET6 if version == 6 else socket.AF_INET)
    try:
        connection.setblocking(False)
        if source is not None:
            connection.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection
