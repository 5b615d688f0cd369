"""One authenticated connection with one folder selected: fulfils `Session`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

from probe.core.quota import Quota
from probe.edges.imap_grammar import (
    LITERAL_LIMIT,
    PART_LIMIT,
    appended_uid,
    code_number,
    fetched,
    found_uids,
    quota_used,
    quoted,
    readable,
    uid_set,
)
from probe.edges.imap_wire import Answer, Wire
from probe.ports import Fetched, ImapFailure, Refusal, ResolveFailure, SecretUnreadable

_HEADER = f"UID RFC822.SIZE BODY.PEEK[HEADER]<0.{PART_LIMIT}>"
_BODY = f"BODY.PEEK[TEXT]<0.{PART_LIMIT}>"
_SLACK = 1 << 20  # Bytes that an answer may hold beyond what was asked for.


@asynccontextmanager
async def within(seconds: float, what: str) -> AsyncIterator[None]:
    """A deadline, and every trouble with the world as ImapFailure."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise ImapFailure(f"{what}: no end within {seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise ImapFailure(f"TLS: {readable(error.verify_message)}") from None
    except ssl.SSLError as error:
        raise ImapFailure(f"TLS: {readable(error.reason or str(error))}") from None
    except (OSError, ResolveFailure, SecretUnreadable) as error:
        raise ImapFailure(f"{what}: {readable(str(error))}") from None


class ImapSession:
    """One connection to one folder. After a failure or a cancellation, other than of `idle`, the
    TCP connection is gone and every method fails at once.
    """

    def __init__(
        self, wire: Wire, folder: str, deadline: float, *, certificate_end: float | None = None
    ) -> None:
        self.folder = folder
        self.uidvalidity = 0
        self.uidnext = 0
        self.can_uidplus = "UIDPLUS" in wire.capabilities
        self.certificate_end = certificate_end
        self._can_quota = any(word.startswith("QUOTA") for word in wire.capabilities)
        self._can_idle = "IDLE" in wire.capabilities
        self._wire = wire
        self._deadline = deadline

    @property
    def exists(self) -> int:
        """Messages in the folder, as last heard."""
        return self._wire.exists

    @property
    def announced(self) -> int:
        """How often the server has spoken of messages that are new in the folder."""
        return self._wire.announced

    async def select(self) -> None:
        """Select the folder; called once."""
        answer = await self._ask("SELECT", quoted(self.folder), wanted=(b"OK",))
        self._wire.selected()
        uidvalidity = code_number(answer.frames, "UIDVALIDITY")
        if not uidvalidity:
            raise ImapFailure("the server keeps no UIDs: it tells no UIDVALIDITY")
        self.uidvalidity = uidvalidity
        self.uidnext = code_number(answer.frames, "UIDNEXT") or await self._uidnext()

    async def _uidnext(self) -> int:
        """The UID that comes next, for servers that do not tell it (RFC 3501 6.3.1)."""
        answer = await self._ask("UID SEARCH", "UID", "*", wanted=(b"SEARCH",))
        return max(found_uids(answer.frames), default=0) + 1

    async def poll(self) -> int:
        """NOOP; the number of messages in the folder."""
        await self._ask("NOOP")
        return self.exists

    async def idle(self, seconds: float) -> None:
        """IDLE until the server says anything or `seconds` are over; without IDLE wait and NOOP.

        May be cancelled: the session stays of use.
        """
        if not self._can_idle:
            await asyncio.sleep(seconds)
            await self.poll()
            return
        try:
            async with within(self._deadline, "IDLE"):
                await self._wire.begin_idle()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wire.hear()
        except ImapFailure as failure:
            self._wire.drop(failure)
            raise
        finally:
            self._wire.end_idle()

    async def search(self, first_uid: int) -> list[int]:
        """The UIDs from `first_uid` on, ascending."""
        answer = await self._ask("UID SEARCH", "UID", f"{first_uid}:*", wanted=(b"SEARCH",))
        # `n:*` names the last message even if its UID is less (RFC 3501 6.4.8).
        with self._dropping():
            return [uid for uid in found_uids(answer.frames) if uid >= first_uid]

    async def search_tagged(self, first: int, last: int) -> list[int]:
        """The UIDs, among the messages numbered `first` to `last`, with a field of ours."""
        ours = ("OR", "HEADER", "X-Mailprobe", '""', "HEADER", "X-Mailprobe-Control", '""')
        criteria = (f"{first}:{last}", *ours)
        answer = await self._ask("UID SEARCH", *criteria, wanted=(b"SEARCH",))
        with self._dropping():
            return found_uids(answer.frames)

    async def fetch(self, uids: Sequence[int], *, body: bool) -> list[Fetched]:
        """The messages with these UIDs that are still there; flags stay as they are."""
        if not uids:
            return []
        items = f"({_HEADER} {_BODY})" if body else f"({_HEADER})"
        room = len(uids) * LITERAL_LIMIT * (2 if body else 1) + _SLACK
        answer = await self._ask(
            "UID FETCH", uid_set(uids), items, wanted=(b"FETCH",), room=room, gone="EXPUNGEISSUED"
        )
        return fetched(answer.frames, uids)

    async def append(self, content: bytes) -> int | Refusal:
        """Put a message (ASCII, CRLF line ends) into the folder, flagged as seen: its UID."""
        command = (quoted(self.folder), r"(\Seen)", f"{{{len(content)}}}")
        with self._dropping():
            async with within(self._deadline, "APPEND"):
                answer = await self._wire.ask("APPEND", *command, rest=content.decode("ascii"))
        uid = appended_uid(answer.text, self.uidvalidity)
        if answer.result != "OK" or uid is None:
            return Refusal(f"APPEND: {answer.result} {answer.text}")
        return uid

    async def remove(self, uids: Sequence[int]) -> None:
        """Flag as deleted and UID EXPUNGE these; without UIDPLUS only flag."""
        if not uids:
            return
        await self._ask("UID STORE", uid_set(uids), "+FLAGS.SILENT", r"(\Deleted)")
        if self.can_uidplus:
            await self._ask("UID EXPUNGE", uid_set(uids))

    async def quota(self) -> Quota | None:
        """What is used of its quota; None where there is none."""
        if not self._can_quota:
            return None
        with self._dropping():
            async with within(self._deadline, "GETQUOTAROOT"):
                answer = await self._wire.ask(
                    "GETQUOTAROOT", quoted(self.folder), wanted=(b"QUOTA",)
                )
        return quota_used(answer.frames) if answer.result == "OK" else None

    async def _ask(
        self,
        name: str,
        *args: str,
        wanted: tuple[bytes, ...] = (),
        room: int = _SLACK,
        gone: str = "",
    ) -> Answer:
        """A command that must be answered with OK, or with the code `gone`."""
        with self._dropping():
            async with within(self._deadline, name):
                answer = await self._wire.ask(name, *args, wanted=wanted, room=room)
            if answer.result == "OK" or (gone and answer.text.startswith(f"[{gone}]")):
                return answer
            raise ImapFailure(f"{name} refused: {answer.text}")

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        """Drops the connection on failure and on cancellation, that nothing may linger."""
        try:
            yield
        except ImapFailure as failure:
            self._wire.drop(failure)
            raise
        except asyncio.CancelledError:
            self._wire.drop(ImapFailure("given up"))
            raise
