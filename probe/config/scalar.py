"""The kinds of values in the file: how each is read from its text, and what is said if it is wrong.

Every reader takes what the file or the environment holds, which is a text unless somebody wrote
a list or a mapping in its place, and raises ValueError with the words for the user.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from probe.config.problem import but

Choice = TypeVar("Choice", bound=StrEnum)
Item = TypeVar("Item")

NAME = r"[a-z][a-z0-9_]*"
INSTANCE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
DURATION = r"([0-9]{1,9}(\.[0-9]{1,3})?(ms|s|m|h|d))+"

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}  # In ms.
_AMOUNT = re.compile(r"([0-9.]+)(ms|s|m|h|d)")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HOST_SHAPE = r"[0-9]{1,3}(\.[0-9]{1,3}){1,4}(:[0-9]{1,5})?|[a-z0-9-]+(\.[a-z0-9-]+)+:[0-9]{1,5}"
_NUMBER_SHAPE = r"-?[0-9]{1,6}|[a-z]{1,6}"
_DURATION_SHAPE = r"-?[0-9.]{1,6} ?[a-z]{0,7}"
_WORD_SHAPE = r"[a-z]{1,6}|[0-9]{1,4}"


def single(value: object) -> str:
    """The text of one value, not empty, on one line."""
    if not isinstance(value, str):
        found = "list" if isinstance(value, list) else "mapping"
        raise ValueError(f"must be one value, not a {found}")
    if not value:
        raise ValueError("is empty")
    if len(value) > 1024 or not value.isprintable():
        raise ValueError("must be one line of at most 1024 printable characters")
    return value


def several(value: object, read: Callable[[object], Item]) -> tuple[Item, ...]:
    """The entries of a list that has some, each read."""
    if not isinstance(value, list):
        raise ValueError("must be a list")
    if not value:
        raise ValueError("is an empty list")
    items: list[Item] = []
    for number, item in enumerate(value, 1):
        try:
            items.append(read(item))
        except ValueError as problem:
            raise ValueError(f"entry {number} {problem}") from None
    return tuple(items)


def listed(value: object, read: Callable[[object], Item]) -> tuple[Item, ...]:
    """The entries of a list, each read; there may be none."""
    return () if value == [] else several(value, read)


def flag(value: object) -> bool:
    """A yes or no."""
    text = single(value)
    if text.lower() not in ("true", "false"):
        raise ValueError(f"must be true or false{but(text, _WORD_SHAPE)}")
    return text.lower() == "true"


def zone(value: object) -> str:
    """A name in DNS, in lower case and ASCII."""
    found = domain(single(value))
    if found is None:
        raise ValueError("must be the name of a zone, such as zen.spamhaus.org")
    return found


def selector(value: object) -> str:
    """The selector of a DKIM key, in lower case (RFC 6376 3.1)."""
    text = single(value).lower()
    if not all(map(_LABEL.fullmatch, text.split("."))) or len(text) > 180:
        raise ValueError("must be a DKIM selector, such as s1")
    return text


def word(value: object) -> str:
    """ASCII without spaces."""
    text = single(value)
    if not text.isascii() or " " in text:
        raise ValueError("must be one word of ASCII characters, without spaces")
    return text


def name(value: str) -> str:
    """The name of a relay, sender or mailbox."""
    if not re.fullmatch(NAME, value):
        raise ValueError(f"a name must match {NAME}")
    return value


def instance(value: object) -> str:
    """The name of this prober."""
    text = word(value)
    if not re.fullmatch(INSTANCE, text):
        raise ValueError("must be at most 64 letters, digits, '.', '_' and '-'")
    return text


def port(value: object) -> int:
    """A TCP or UDP port."""
    text = single(value)
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError(f"must be a port from 1 to 65535{but(text, _NUMBER_SHAPE)}")
    return int(text)


def count(value: object) -> int:
    """A number of things, 1 or more."""
    text = single(value)
    if not re.fullmatch(r"[0-9]{1,9}", text) or not int(text):
        raise ValueError(f"must be a whole number from 1 on{but(text, _NUMBER_SHAPE)}")
    return int(text)


def duration(value: object) -> float:
    """Seconds, from a text such as 250ms, 15s or 1h30m."""
    text = single(value)
    if not re.fullmatch(DURATION, text):
        usual = "a duration such as 250ms, 15s, 2m, 24h, 7d or 1h30m"
        raise ValueError(f"must be {usual}{but(text, _DURATION_SHAPE)}")
    milliseconds = sum(Decimal(number) * _UNITS[unit] for number, unit in _AMOUNT.findall(text))
    return float(milliseconds / 1000)


def spelled(seconds: float) -> str:
    """The shortest usual text of a duration: 60s, 2m, 24h, 7d. `duration` reads it back."""
    milliseconds = round(seconds * 1000)
    for unit, least in (("d", 2), ("h", 1), ("m", 2), ("s", 0)):
        amount, rest = divmod(milliseconds, _UNITS[unit])
        if not rest and amount >= least:
            return f"{amount}{unit}"
    return f"{milliseconds}ms"


def within(least: float, most: float) -> Callable[[float], float]:
    """A check that a duration lies within these bounds (s)."""

    def check(seconds: float) -> float:
        if not least <= seconds <= most:
            bounds = f"from {spelled(least)} to {spelled(most)}"
            raise ValueError(f"must be {bounds}, not {spelled(seconds)}")
        return seconds

    return check


def ip(value: object) -> str:
    """An IP address as RFC 5952 writes it."""
    text = single(value)
    if (address := _address(text)) is None:
        raise ValueError(f"must be an IP address{but(text, _HOST_SHAPE)}")
    return address


def host(value: object) -> str:
    """A host name in ASCII, or an IP address."""
    text = single(value)
    found = _address(text) or domain(text)
    if found is None:
        raise ValueError(
            f"must be a host name or an IP address, without a port{but(text, _HOST_SHAPE)}"
        )
    return found


def email(value: object) -> str:
    """An address as it is written, but for a domain that is not ASCII."""
    text = single(value)
    local, at, right = text.rpartition("@")
    ours = domain(right)
    if not at or not _LOCAL_PART.fullmatch(local) or ours is None or right.endswith("."):
        raise ValueError("must be an e-mail address in ASCII, such as probe@shop.example")
    if len(local) > 64:
        raise ValueError("has more than 64 characters before its @ (RFC 5321 4.5.3.1.1)")
    if len(local) + len(ours) > 253:
        raise ValueError("has more than 254 characters (RFC 5321 4.5.3.1.3)")
    return text if right.isascii() else f"{local}@{ours}"


def domain(text: str) -> str | None:
    """A domain in lower case and ASCII, or None for what is not one.

    What the two versions of IDNA encode differently (RFC 5895) must be written as `xn--`.
    """
    try:
        encoded = text.encode("idna").decode().lower().removesuffix(".")
        same = encoded.encode().decode("idna") == text.lower().removesuffix(".")
    except UnicodeError:
        return None
    labels = encoded.split(".")
    good = all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdecimal()
    plain = text.isascii() or same
    return encoded if good and plain and len(encoded) <= 253 else None


def endpoint(value: object, *, default_port: int | None = None) -> str:
    """HOST:PORT, an IPv6 address in brackets."""
    text = single(value)
    found = re.fullmatch(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:]*))(?::(?P<port>[0-9]{1,5}))?", text)
    bare = _address(text)
    if bare and default_port:
        return f"{_bracketed(bare)}:{default_port}"
    if found:
        where = _address(found["six"]) if found["six"] else _address(found["host"] or "")
        where = where or domain(found["host"] or "")
        number = int(found["port"]) if found["port"] else default_port
        if where and number is not None and number <= 65535:
            return f"{_bracketed(where)}:{number}"
    form = "HOST[:PORT]" if default_port else "HOST:PORT"
    raise ValueError(f"must be {form}, IPv6 in brackets{but(text, _HOST_SHAPE)}")


def url(value: object) -> str:
    """A URL that others can be made of by adding a path: no slash at its end."""
    text = single(value)
    found = re.fullmatch(r"https?://(?P<where>[^/?#@\\ ]+)(/[!-~]*)?", text)
    if found is None or {"?", "#", '"', "<", ">"} & set(text):
        raise ValueError("must be a URL such as https://ops.example/mailprobe")
    endpoint(found["where"], default_port=443)
    return text.rstrip("/")


def link(value: object) -> str:
    """A URL that is called as it is."""
    text = single(value)
    found = re.fullmatch(r"https?://(?P<where>[^/?#@\\ ]+)([/?][!-~]*)?", text)
    if found is None or "#" in text:
        raise ValueError("must be a URL such as https://switch.example/0f3c")
    endpoint(found["where"], default_port=443)
    return text


def nameserver(value: object) -> str:
    """HOST:PORT of a DNS server."""
    return endpoint(value, default_port=53)


def ca_file(value: object) -> str:
    """A file that certificates can be loaded from."""
    text = single(value)
    shown = f" '{text}'" if re.fullmatch(r"\.{0,2}/[\x21-\x7e]+", text) else ""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=text)
    except ssl.SSLError:
        raise ValueError(f"the file{shown} holds no certificates in PEM") from None
    except OSError as error:
        raise ValueError(f"the file{shown} cannot be read: {error.strerror}") from None
    return text


def choice(kind: type[Choice]) -> Callable[[object], Choice]:
    """A reader of one of these words, in capitals or not."""

    def read(value: object) -> Choice:
        text = single(value)
        if text.lower() in list(kind):
            return kind(text.lower())
        words = [member.value for member in kind]
        raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}{but(text, _WORD_SHAPE)}")

    return read


def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return f"::ffff:{address.ipv4_mapped}"  # RFC 5952 5; str() differs between versions.
    return str(address)


def _bracketed(where: str) -> str:
    return f"[{where}]" if ":" in where else where
