"""The prober's pages, read as anybody else would."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

_TIMEOUT = 5.0  # s
_MAX_PAGE = 8 << 20  # bytes


def read_page(url: str, path: str) -> str:
    """The page at this path of the prober at `url`. Raises OSError, HTTPException."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(_MAX_PAGE).decode()
        if answer.status != http.HTTPStatus.OK:
            raise OSError(f"{path} answers {answer.status}")
        return text
    finally:
        connection.close()
