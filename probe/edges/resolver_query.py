"""One question to the DNS servers, through dnspython, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.resolver

TRY = 1.0  # For one server to answer (s).
LIFETIME = 3.4  # dnspython overshoots by its back-off, and then still says who said what (s).
DEADLINE = 4.0  # For all of a question (s).


# Is told the addresses of servers of which one has answered, whatever it said.
Told = Callable[[Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Heard:
    """What the servers said about one type of record."""

    records: tuple[Any, ...] = ()  # dnspython's; their fields are those of the type.
    ttl: float = 0.0
    failure: str = ""  # Which server said what, where none answered.


async def put(
    resolver: dns.asyncresolver.Resolver, qname: dns.name.Name, kind: str, *, told: Told
) -> dns.resolver.Answer:
    """One question to the servers in turn. Raises DNSException or TimeoutError."""
    try:
        async with asyncio.timeout(DEADLINE):
            answer = await resolver.resolve(qname, kind, raise_on_no_answer=False, search=False)
    except dns.resolver.NXDOMAIN:
        told(list(_addresses(resolver)))  # dnspython does not tell which of them said so.
        raise
    except dns.exception.DNSException as error:
        for server in _answering(error):
            told([server])
        raise
    told([str(answer.nameserver)])
    return answer


async def ask(
    resolver: dns.asyncresolver.Resolver, qname: dns.name.Name, kind: str, *, told: Told
) -> Heard:
    """What the servers say; never raises but for cancellation."""
    try:
        answer = await put(resolver, qname, kind, told=told)
    except dns.resolver.NXDOMAIN as error:
        return _absent(error)
    except dns.exception.DNSException as error:
        return Heard(failure=said(error))
    except TimeoutError:
        return Heard(failure=f"no answer within {DEADLINE:g} s")
    if answer.response.flags & dns.flags.TC:
        return Heard(failure=f"{answer.nameserver}@{answer.port} said: truncated, over TCP too")
    return Heard(tuple(answer.rrset or ()), float(answer.chaining_result.minimum_ttl))


def _addresses(resolver: dns.asyncresolver.Resolver) -> Iterator[str]:
    for server in resolver.nameservers:
        if isinstance(server, dns.nameserver.AddressAndPortNameserver):
            yield server.address


def _answering(error: dns.exception.DNSException) -> Iterator[str]:
    """The servers that said something, though it was of no use: a response code."""
    for server, _, _, why, _ in error.kwargs.get("errors") or ():
        if isinstance(why, str):
            yield server.removeprefix("Do53:").rpartition("@")[0]


def _absent(error: dns.resolver.NXDOMAIN) -> Heard:
    """The answer that the name does not exist, with the time that holds for (RFC 2308)."""
    responses = error.kwargs["responses"].values()
    return Heard((), float(min(r.resolve_chaining().minimum_ttl for r in responses)))


def said(error: dns.exception.DNSException) -> str:
    """Which server said what, each thing once."""
    errors = error.kwargs.get("errors") or ()
    texts = dict.fromkeys(
        f"{server.removeprefix('Do53:')} said: {_what(why, tcp)}"
        for server, tcp, _, why, _ in errors
    )
    return ", ".join(texts) or type(error).__name__


def _what(why: object, tcp: bool) -> str:
    """What became of one question to one server, in words that are not the server's."""
    match why:
        case str():
            return why  # The name of a response code.
        case dns.message.Truncated():
            return "truncated, over TCP too" if tcp else "truncated"
        case dns.exception.Timeout():
            return f"nothing within {TRY:g} s"
        case OSError():
            return (why.strerror or type(why).__name__).lower()
        case EOFError():
            return "connection closed"
        case dns.message.ChainTooLong():
            return "a CNAME loop"
        case _:
            return f"garbage ({type(why).__name__})"
