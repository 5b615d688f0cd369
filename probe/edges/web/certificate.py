"""Our own certificate: read from its files, and again whenever they change."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger("probe.web")

_LOOK = 1.0  # s between two looks at the files.

_State = tuple[tuple[int, int, int], ...]  # Of each file: inode, size, change (ns).


class BadCertificate(Exception):
    """The files hold no certificate with its key; the text says why."""


class Certificate:
    """The TLS that we offer. Files that are changed for bad ones change nothing."""

    def __init__(
        self, cert_file: str, key_file: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the files. Raises BadCertificate. `now` is the time in seconds, from anywhere."""
        self._files = (cert_file, key_file)
        self._now = now
        self._looked = now()
        self._state = self._look()
        self._context = self._read()

    def context(self) -> ssl.SSLContext:
        """What the next connection is to be made with. Looks at the files once a second."""
        now = self._now()
        if now - self._looked >= _LOOK:
            self._looked = now
            self._refresh()
        return self._context

    def _refresh(self) -> None:
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            self._context = self._read()
        except BadCertificate as problem:
            log.warning("%s; the former certificate stays.", problem)
        else:
            log.info("The certificate of the pages was read again from %s.", self._files[0])

    def _look(self) -> _State:
        try:
            found = [Path(name).stat() for name in self._files]
        except OSError:
            return ()
        return tuple((file.st_ino, file.st_size, file.st_mtime_ns) for file in found)

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        names = "web.tls: " + " and ".join(self._files)
        try:
            # Without a password at hand a key that has one would be asked for on the terminal.
            context.load_cert_chain(*self._files, password=lambda: "")
        except ssl.SSLError:
            wanted = "a certificate and its own key, in PEM, without a password"
            raise BadCertificate(f"{names} are not {wanted}") from None
        except OSError as error:
            raise BadCertificate(f"{names} cannot be read: {error.strerror}") from None
        return context
