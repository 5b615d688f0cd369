"""What SPF and DMARC records mean, by the libraries that know: checkdmarc and pyspf.

Both ask DNS themselves, one question after the other, so they run in threads of their own, each
over a bridge to the questions of its run.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import checkdmarc.dmarc
import checkdmarc.spf
import checkdmarc.utils
import spf

from probe.core.records.answer import RecordKind
from probe.core.records.dmarc import DmarcReading
from probe.core.records.spf import Identity, SpfReading, SpfResult, SpfVerdict
from probe.core.wire import clean
from probe.edges.resolver_bridge import DEADLINE, Bridge
from probe.ports_dns import Ask

THREADS = 16
MAX_WARNINGS = 12

_LIMIT = 300  # Characters of what a library says.

# Texts of checkdmarc that ask for nothing to be mended.
_NOTES = (
    "rua tag (destination for aggregate reports) not found",
    "The p tag does not immediately follow the v tag",
)

T = TypeVar("T")

# Its cache knows no resolvers, and would hide for half an hour what changed.
checkdmarc.utils.DNS_CACHE.max_age = 0
checkdmarc.utils.DNS_CACHE.max_len = 1


def _unread(_: str, **__: object) -> list[str]:
    """An explanation (exp=), said to be there: nothing depends on it (RFC 7208 §6.2)."""
    return [""]


checkdmarc.spf.get_txt_records = _unread  # It would ask the system's servers, not ours.


class LibrarySemantics:
    """Fulfils ports_dns.Semantics."""

    def __init__(self) -> None:
        """Threads are started as they are needed, and end with the process."""
        self._threads = ThreadPoolExecutor(THREADS, "semantics")

    async def spf(self, domain: str, ask: Ask) -> SpfReading:
        """What the SPF record says, with all that it includes."""
        return await self._run(ask, lambda bridge: _read_spf(domain, bridge))

    async def spf_verdict(
        self, domain: str, ip: str, identity: Identity, *, helo: str, ask: Ask
    ) -> SpfVerdict:
        """What a receiver concludes of mail from this address."""
        sender = f"postmaster@{domain}" if identity is Identity.MAIL_FROM else ""
        result, reason = await self._run(
            ask, lambda bridge: _evaluate(ip, sender, helo or domain, bridge)
        )
        return SpfVerdict(ip, identity, result, reason)

    async def dmarc(self, domain: str, ask: Ask) -> DmarcReading:
        """What the DMARC record says that applies to the domain."""
        return await self._run(ask, lambda bridge: _read_dmarc(domain, bridge))

    async def _run(self, ask: Ask, work: Callable[[Bridge], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(Bridge(ask, loop)))


def _read_spf(domain: str, bridge: Bridge) -> SpfReading:
    try:
        found = checkdmarc.spf.check_spf(domain, resolver=bridge, retries=0)
    except Exception as error:  # A record that a library stumbles over is a finding.
        return SpfReading(error=_stumbled(error), unanswered=_unanswered(bridge))
    parsed = found.get("parsed") or {}
    return SpfReading(
        record=found.get("record") or "",
        error=bridge.excess or _line(found.get("error", "")),
        warnings=tuple(map(_line, found.get("warnings", [])[:MAX_WARNINGS])),
        last=parsed.get("all", ""),
        includes=frozenset(_includes(parsed)),
        lookups=found.get("dns_lookups"),
        void_lookups=found.get("void_dns_lookups"),
        unanswered=_unanswered(bridge),
    )


def _includes(parsed: dict[str, Any]) -> Iterator[str]:
    """The domains that a parsed record includes or redirects to, and theirs."""
    terms = [each for each in parsed.get("mechanisms", []) if each["mechanism"] == "include"]
    names = [(each["value"], each.get("parsed")) for each in terms]
    if redirect := parsed.get("redirect"):
        names.append((redirect["domain"], redirect.get("parsed")))
    for name, inner in names:
        yield name.rstrip(".")
        if inner:
            yield from _includes(inner)


def _read_dmarc(domain: str, bridge: Bridge) -> DmarcReading:
    try:
        found = checkdmarc.dmarc.check_dmarc(
            domain, resolver=bridge, ignore_unrelated_records=True, retries=0
        )
    except Exception as error:  # As above.
        return DmarcReading(error=_stumbled(error), unanswered=_unanswered(bridge))
    said = [_line(text) for text in found["warnings"][:MAX_WARNINGS]]
    tags = found.get("tags") or {}
    return DmarcReading(
        record=found["record"] or "",
        location=found["location"] or "",
        error=bridge.excess or _line(found.get("error", "")),
        warnings=tuple(text for text in said if not text.startswith(_NOTES)),
        notes=tuple(text for text in said if text.startswith(_NOTES)),
        tags={name: str(tag["value"]) for name, tag in tags.items()},
        unanswered=_unanswered(bridge),
    )


_here = threading.local()  # The bridge of the evaluation that runs in this thread.


def _evaluate(ip: str, sender: str, helo: str, bridge: Bridge) -> tuple[SpfResult, str]:
    """What pyspf concludes; without a sender it is asked about the HELO name."""
    _here.bridge = bridge
    query = spf.query(i=ip, s=sender, h=helo, querytime=DEADLINE)
    try:
        result, _, reason = query.check()
    except Exception as error:  # As above.
        return SpfResult.PERMERROR, _stumbled(error)
    if bridge.excess:
        return SpfResult.PERMERROR, bridge.excess
    if bridge.unanswered and result == "permerror":
        result, reason = "temperror", bridge.unanswered  # It takes the two for the same.
    is_error = result in ("permerror", "temperror")
    return SpfResult(result), _line(reason) if is_error else ""


def _look_up(name: str, kind: str, *_: object) -> list[tuple[tuple[str, str], Any]]:
    """What pyspf asks DNS with: records, or its own exception where there is no answer."""
    answer = _here.bridge.ask(name, RecordKind(kind))
    if not answer.is_known:
        raise spf.TempError(_here.bridge.unanswered)
    return [((name, kind), _value(kind, record)) for record in answer.records]


def _value(kind: str, record: str) -> Any:
    """A record as pyspf wants it."""
    match kind:
        case "TXT":
            return (record.encode("latin-1"),)
        case "MX":
            preference, _, host = record.partition(" ")
            return int(preference), host
        case _:
            return record


spf.DNSLookup = _look_up  # There is no other way to give it a resolver.


def _unanswered(bridge: Bridge) -> str:
    """What kept a library from reading on; of a record that is too much all is said by that."""
    return "" if bridge.excess else bridge.unanswered


def _line(text: str) -> str:
    return clean(str(text), _LIMIT)


def _stumbled(error: Exception) -> str:
    return _line(f"it cannot be evaluated ({type(error).__name__}: {error}).")
