"""Asks a running prober over HTTP whether it is healthy."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

from probe.core.wire import clean

_MOST = 200  # Characters of an answer that are shown.
_STATUS = re.compile(r"HTTP/1\.[01] (\d{3})\b")


async def trouble_at(url: str, *, patience: float) -> str:
    """What is wrong at this URL, in words; empty where it answers 200 within `patience` (s).

    Nothing but the address in the URL is asked: no proxy, and no redirect is followed.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or not url.isprintable():
        return "not a URL that begins with http:// or https://"
    secure = parts.scheme == "https"
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    request = f"GET {path} HTTP/1.0\r\nHost: {parts.netloc.rpartition('@')[2]}\r\n\r\n"
    try:
        async with asyncio.timeout(patience):
            answer = await _answer(host, port or (443 if secure else 80), request, secure=secure)
    except TimeoutError:
        return f"no answer within {patience:g} s"
    except (OSError, ValueError) as error:
        return clean(str(error), _MOST)
    found = _STATUS.match(answer)
    if found is None:
        return f"this is not HTTP: {clean(answer, _MOST)}"
    return "" if found[1] == "200" else clean(answer.partition(" ")[2], _MOST)


async def _answer(host: str, port: int, request: str, *, secure: bool) -> str:
    """The first line of the answer. Raises OSError, and ValueError for an endless line."""
    reader, writer = await asyncio.open_connection(host, port, ssl=secure or None)
    try:
        writer.write(request.encode())
        return (await reader.readline()).decode("latin-1")
    finally:
        writer.transport.abort()
