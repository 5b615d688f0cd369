"""Calls the URL of a dead man's switch over HTTP."""

from __future__ import annotations

import asyncio

import aiohttp

from probe.core.wire import clean

DEADLINE = 10.0  # s
_LIMIT = 100  # Characters that are told of an error.


class HttpPulse:
    """Fulfils ports.Pulse. The URL is often a secret in itself: no text holds it."""

    def __init__(self, url: str, *, deadline: float = DEADLINE) -> None:
        self._url = url
        self._deadline = deadline

    async def beat(self) -> str:
        """Call once; what went wrong, or nothing."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._call()
        except TimeoutError:
            return f"no answer within {self._deadline:g} s"
        except (aiohttp.ClientOSError, OSError) as error:
            return clean((error.strerror or type(error).__name__).lower(), _LIMIT)
        except (aiohttp.ClientError, ValueError) as error:
            return type(error).__name__

    async def _call(self) -> str:
        # A session for each call: nothing of it lasts, and once a minute nothing needs to.
        connector = aiohttp.TCPConnector(use_dns_cache=False, force_close=True)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,  # From within a closed network there may be no other way but a proxy.
        )
        async with session, session.get(self._url, allow_redirects=False) as response:
            return "" if response.status < 300 else f"it answers {response.status}"
