"""Names of domains and addresses that send, as people write them and as DNS has them."""

from __future__ import annotations

import ipaddress
import re

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LONGEST = 253


def canonical(text: str) -> str:
    """A name in ASCII (RFC 3490), lower case, without a final dot. Raises ValueError."""
    try:
        name = text.strip().removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        name = ""
    labels = name.split(".")
    # RFC 3696 §2: the last label is not all digits, or it would be half an address.
    if len(name) > _LONGEST or labels[-1].isdecimal() or not all(map(_LABEL.fullmatch, labels)):
        raise ValueError(f"{text!r} is not the name of a domain")
    return name


def sending_address(text: str) -> str:
    """An IP address that mail can come from; IPv4 written as IPv6 is IPv4. Raises ValueError."""
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise ValueError(f"{text!r} is no IP address that others know: leave out the %")
        address = address.ipv4_mapped or address
    return str(address)
