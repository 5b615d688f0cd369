"""The keys of DKIM signatures, each looked up once for all that arrive together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from probe.core.records.answer import Question, RecordKind
from probe.core.signature import flaw_of_key, is_too_long
from probe.ports import Clock
from probe.ports_dns import Records

_HELD = 30.0  # s that an answer is used.
_SILENCE_HELD = 10.0  # s before a name is asked for again that nobody answered for.
_MOST = 256


@dataclass(frozen=True, slots=True)
class Key:
    """What DNS says of a key; moments on the timeline."""

    text: str  # The record; empty: there is none.
    flaw: str  # Why it is of no use, or nothing.
    silence: str  # Why nothing is known, or nothing.
    asked: float
    until: float


class Keyring:
    """Asks for keys, and knows them for a while."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._keys: dict[str, Key] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def key(self, name: str, *, since: float) -> Key:
        """The key of this name, as DNS had it at `since` or later, if that is asked for."""
        lock = self._asking.setdefault(name, asyncio.Lock())
        async with lock:
            known = self._keys.get(name)
            now = self._clock.now()
            if known is None or known.until <= now or known.asked < since:
                known = self._keys[name] = await self._ask(name)
                self._forget(now)
        return known

    async def _ask(self, name: str) -> Key:
        now = self._clock.now()
        answer = await self._records.ask(Question(name, RecordKind.TXT))
        if not answer.is_known:
            return Key("", "", answer.detail, now, now + _SILENCE_HELD)
        # RFC 6376 §3.6.2.2: several are undefined. One that is a key speaks.
        keys = [text for text in answer.records if not flaw_of_key(text)]
        text = next(iter((*keys, *answer.records)), "")
        flaw = flaw_of_key(text)
        silence = "the key is too long to be tried" if not flaw and is_too_long(text) else ""
        return Key(text, flaw, silence, now, now + _HELD)

    def _forget(self, now: float) -> None:
        """Selectors come and go, and anybody may have written them."""
        old = [name for name, key in self._keys.items() if key.until <= now]
        for name in (*old, *list(self._keys)[:-_MOST]):
            self._keys.pop(name, None)
        for name in self._asking.keys() - self._keys.keys():
            if not self._asking[name].locked():
                del self._asking[name]
