"""Questions of the DNS checks, put through dnspython; answers become values.

The servers are those of a DnsResolver, or one that the question names. Nothing is cached, and
/etc/hosts is not read: receivers of mail do not have it either.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.resolver

from probe.core.records.answer import Answer, Question, RecordKind, Reply
from probe.edges.resolver import DnsResolver
from probe.edges.resolver_query import DEADLINE, LIFETIME, TRY, put, said
from probe.ports import ResolveFailure

PAUSE = 0.2  # Before a question is put again (s).
MAX_ALIASES = 8  # That are followed, one after the other.
PAYLOAD = 1232  # Octets over UDP that pass everywhere unfragmented.


class DnsRecords:
    """Fulfils ports_dns.Records."""

    def __init__(self, resolver: DnsResolver, *, port: int = 53) -> None:
        """`port` is that of servers which a question names."""
        self._resolver = resolver
        self._port = port

    async def ask(self, question: Question) -> Answer:
        """The answer; an alias that a server leaves open is followed, unless it was named."""
        answer = await self._put(question)
        for _ in range(MAX_ALIASES):
            if question.server or not answer.is_cut:
                return answer
            further = await self._put(Question(answer.aliases[-1], question.kind))
            answer = replace(
                further,
                question=question,
                authenticated=answer.authenticated and further.authenticated,
                aliases=(*answer.aliases, *further.aliases),
            )
        return Answer(question, Reply.LOOP, server=answer.server, aliases=answer.aliases[:1])

    async def _put(self, question: Question) -> Answer:
        """What the servers say; who says nothing is asked a second time, in the plainest way."""
        try:
            qname = dns.name.from_text(question.name)
        except (dns.exception.DNSException, UnicodeError):
            return Answer(question, Reply.NO_NAME)  # No name can be so: receivers conclude it too.
        answer = await self._attempt(question, qname, plain=False)
        if answer.is_known or answer.reply is Reply.SILENT:
            return answer  # Who is silent was asked several times already.
        await asyncio.sleep(PAUSE)
        return await self._attempt(question, qname, plain=True)

    async def _attempt(self, question: Question, qname: dns.name.Name, *, plain: bool) -> Answer:
        """One question to the servers in turn; `plain` is without EDNS."""
        try:
            resolver = await self._servers(question.server)
        except ResolveFailure as failure:
            return Answer(question, Reply.SILENT, detail=str(failure))
        if not plain:
            resolver.use_edns(0, 0, PAYLOAD)
        try:
            found = await put(resolver, qname, question.kind.value, told=self._resolver.told)
        except dns.resolver.NXDOMAIN as error:
            return _absent(question, error, resolver)
        except dns.exception.DNSException as error:
            return _failed(question, error)
        except TimeoutError:
            return Answer(question, Reply.SILENT, detail=f"nothing within {DEADLINE:g} s")
        return _answered(question, found)

    async def _servers(self, server: str) -> dns.asyncresolver.Resolver:
        """A resolver for the configured servers, or for this one. Raises ResolveFailure."""
        if not server:
            resolver = await self._resolver.configured()
            resolver.flags = dns.flags.RD | dns.flags.AD
            return resolver
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [dns.nameserver.Do53Nameserver(server, self._port)]
        resolver.timeout, resolver.lifetime = TRY, LIFETIME
        resolver.flags = dns.flags.Flag(0)
        return resolver


def _answered(question: Question, found: dns.resolver.Answer) -> Answer:
    response = found.response
    server = f"{found.nameserver}@{found.port}"
    if response.flags & dns.flags.TC:
        return Answer(question, Reply.BROKEN, detail=f"{server} said: truncated, over TCP too")
    records = tuple(map(_WRITTEN[question.kind], found.rrset or ()))
    aliases = _aliases(found.chaining_result)
    return Answer(
        question,
        Reply.FOUND if records else Reply.NO_DATA,
        records,
        server,
        # Only what never leaves the machine cannot be forged on the way.
        authenticated=bool(response.flags & dns.flags.AD) and _is_near(found.nameserver),
        authoritative=bool(response.flags & dns.flags.AA),
        aliases=aliases,
        # RFC 2308 §2.2: who knows that there is nothing shows a SOA record.
        is_cut=bool(aliases) and not records and not response.authority,
    )


def _absent(
    question: Question, error: dns.resolver.NXDOMAIN, resolver: dns.asyncresolver.Resolver
) -> Answer:
    """The answer that there is no such name; dnspython does not tell which server gave it."""
    [*_, response] = error.kwargs["responses"].values()
    return Answer(
        question,
        Reply.NO_NAME,
        server=" or ".join(str(each).removeprefix("Do53:") for each in resolver.nameservers[:4]),
        authoritative=bool(response.flags & dns.flags.AA),
        aliases=_aliases(response.resolve_chaining()),
    )


def _failed(question: Question, error: dns.exception.DNSException) -> Answer:
    """What is known where no server gave an answer."""
    reasons = [why for _, _, _, why, _ in error.kwargs.get("errors") or ()]
    if any(isinstance(why, dns.message.ChainTooLong) for why in reasons):
        return Answer(question, Reply.LOOP)
    return Answer(question, _reply(error, reasons), detail=said(error))


def _reply(error: dns.exception.DNSException, reasons: list[object]) -> Reply:
    if codes := [why for why in reasons if isinstance(why, str)]:
        return Reply.REFUSED if set(codes) == {"REFUSED"} else Reply.FAILED
    silent = dns.exception.Timeout, OSError, EOFError
    if isinstance(error, dns.exception.Timeout) or all(isinstance(w, silent) for w in reasons):
        return Reply.SILENT
    return Reply.BROKEN


def _is_near(server: str | None) -> bool:
    try:
        return ipaddress.ip_address(server or "").is_loopback
    except ValueError:
        return False


def _aliases(chain: dns.message.ChainingResult) -> tuple[str, ...]:
    return tuple(_host(rrset[0].target) for rrset in chain.cnames)


def _host(name: dns.name.Name) -> str:
    """The name as text; empty for the root, which stands for none."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")


def _target(record: Any) -> str:
    return _host(record.target)


def _address(record: Any) -> str:
    return str(ipaddress.ip_address(record.address))


def _text(record: Any) -> str:
    """The strings of a TXT record in one (RFC 7208 §3.3); each octet is a character."""
    return b"".join(record.strings).decode("latin-1")


_WRITTEN: dict[RecordKind, Callable[[Any], str]] = {
    RecordKind.A: _address,
    RecordKind.AAAA: _address,
    RecordKind.CNAME: _target,
    RecordKind.MX: lambda record: f"{record.preference} {_host(record.exchange)}",
    RecordKind.NS: _target,
    RecordKind.PTR: _target,
    RecordKind.SOA: lambda r: f"{_host(r.mname)} {_host(r.rname)} {r.serial}",
    RecordKind.TLSA: lambda r: f"{r.usage} {r.selector} {r.mtype} {r.cert.hex()}",
    RecordKind.TXT: _text,
}
