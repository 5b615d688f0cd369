"""The scrape: numbers of one moment written by a thread, so that nothing else waits for them."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder

from probe.metrics.text import Format, Writing

_GZIP = 16 + zlib.MAX_WBITS
_FASTEST = 1  # Lines that differ in a word become a twentieth of their size even so.


class Scraper:
    """Writes what `snapshot` gives. Scrapes at the same time share one writing."""

    def __init__(self, snapshot: Callable[[], Iterable[Writing]]) -> None:
        """Nothing is written yet; `snapshot` is always called on the event loop."""
        self._snapshot = snapshot
        self._running: dict[tuple[Format, bool], asyncio.Future[bytes]] = {}
        self._process = CollectorRegistry()
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    async def scrape(self, form: Format, *, gzipped: bool) -> bytes:
        """All metrics. A scrape that is cancelled leaves the others their writing."""
        running = self._running.get((form, gzipped))
        if running is None:
            chunks = self._chunks(list(self._snapshot()), form)
            write = _compress if gzipped else b"".join
            running = asyncio.ensure_future(asyncio.to_thread(write, chunks))
            self._running[form, gzipped] = running
            running.add_done_callback(lambda _: self._running.pop((form, gzipped)))
        return await asyncio.shield(running)

    def _chunks(self, writings: list[Writing], form: Format) -> Iterator[bytes]:
        for writing in writings:
            for text in writing(form):
                yield text.encode()
        write, _ = choose_encoder(form)
        yield write(self._process)  # The last, for it brings the `# EOF` of OpenMetrics.


def _compress(chunks: Iterable[bytes]) -> bytes:
    packer = zlib.compressobj(_FASTEST, wbits=_GZIP)
    return b"".join([*map(packer.compress, chunks), packer.flush()])
