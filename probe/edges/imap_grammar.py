"""The part of IMAP's grammar that we read and write, without any network (RFC 3501, RFC 9051)."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import dropwhile

from probe.core.quota import Quota
from probe.ports import Fetched, ImapFailure

PART_LIMIT = 65536  # Bytes that we ask for of a header or a body.
LITERAL_LIMIT = PART_LIMIT + 4096
LINE_LIMIT = 1 << 20  # A search that finds 100,000 messages fits.
_LITERALS_LIMIT = 16  # In one response; we never ask for more than two.
_TEXT_LIMIT = 200  # Characters of a server's text that we pass on.

_LITERAL = re.compile(rb"~?\{(\d{1,20})\+?\}\Z")
_APPENDED = re.compile(r"\[APPENDUID (\d{1,10}) (\d{1,10})\]", re.IGNORECASE | re.ASCII)
_STATUS = re.compile(rb"\* (OK|NO|BAD|BYE|PREAUTH)\b", re.IGNORECASE)
_TOKEN = re.compile(rb'"((?:[^"\\]|\\.?)*+)(?:"|\Z)|([()])|([^\s()"]+)')  # Linear on any input.
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_MODIFIED_UTF7 = re.compile(r"(?:[^&]|&[A-Za-z0-9+,]*-)*\Z")


def readable(said: bytes | str) -> str:
    """What a server said, as printable ASCII of bounded length."""
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    text = _UNPRINTABLE.sub(" ", text.replace("\ufffd", "?")).strip()
    return text if len(text) <= _TEXT_LIMIT else text[:_TEXT_LIMIT] + "..."


@dataclass(frozen=True, slots=True)
class Frame:
    """One response of the server: its pieces of text, with a literal between each two."""

    texts: tuple[bytes, ...]
    literals: tuple[bytes, ...] = ()

    @property
    def number(self) -> int:
        """The number before the keyword, as in `* 12 EXISTS`; 0 where there is none."""
        word = self.texts[0].split(b" ", 2)[1]
        return int(word) if _is_number(word) else 0

    @property
    def keyword(self) -> bytes:
        """The word that says what an untagged response is, in capitals."""
        words = self.texts[0].split(b" ", 3)
        at = 2 if _is_number(words[1]) and len(words) > 2 else 1
        return words[at].upper()

    @property
    def size(self) -> int:
        """Bytes held."""
        return sum(map(len, self.texts)) + sum(map(len, self.literals))


class Framer:
    """Cuts what a server sends into frames, and refuses what is larger than any honest answer.

    Only untagged responses can hold literals: a human text that ends in `{5}` announces none.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # No line ends before this offset.
        self._texts: list[bytes] = []
        self._literals: list[bytes] = []
        self._due: int | None = None  # The length of the literal that comes next.

    @property
    def pending(self) -> bool:
        """Whether a part of a frame has come."""
        return bool(self._buffer or self._texts)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with these bytes. Raises ImapFailure on too long a one."""
        self._buffer += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        while True:
            if self._due is not None:
                if len(self._buffer) < self._due:
                    return None
                self._literals.append(self._cut(self._due))
                self._due = None
            end = self._buffer.find(b"\r\n", self._scanned)
            self._bound(len(self._buffer) if end < 0 else end)
            if end < 0:
                self._scanned = max(0, len(self._buffer) - 1)
                return None
            line = self._cut(end)
            del self._buffer[:2]
            self._due = self._announced(line)
            if self._due is None:
                return self._finish(line)
            self._texts.append(line[: line.rindex(b"{")].removesuffix(b"~"))

    def _cut(self, length: int) -> bytes:
        piece = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._scanned = 0
        return piece

    def _bound(self, length: int) -> None:
        if length + sum(map(len, self._texts)) > LINE_LIMIT:
            raise ImapFailure(f"the server sent a line of more than {LINE_LIMIT} bytes")

    def _announced(self, line: bytes) -> int | None:
        first = self._texts[0] if self._texts else line
        found = _LITERAL.search(line[-24:])
        if not found or not first.startswith(b"* ") or _STATUS.match(first):
            return None
        size = int(found[1])
        if size > LITERAL_LIMIT or len(self._literals) >= _LITERALS_LIMIT:
            raise ImapFailure(f"the server sent a literal of {size} bytes that was not asked for")
        return size

    def _finish(self, line: bytes) -> Frame:
        frame = Frame((*self._texts, line), tuple(self._literals))
        self._texts, self._literals = [], []
        return frame


class _Kind(Enum):
    """What a token of a response is."""

    OPEN = 1
    CLOSE = 2
    ATOM = 3
    STRING = 4  # Quoted or literal: it is never a key word.


def _tokens(frame: Frame) -> Iterator[tuple[_Kind, bytes]]:
    for at, text in enumerate(frame.texts):
        for found in _TOKEN.finditer(text):
            quoted, bracket, atom = found.groups()
            if quoted is not None:
                yield _Kind.STRING, re.sub(rb"\\(.)", rb"\1", quoted)
            elif bracket is not None:
                yield (_Kind.OPEN if bracket == b"(" else _Kind.CLOSE), bracket
            else:
                yield _Kind.ATOM, atom
        if at < len(frame.literals):
            yield _Kind.STRING, frame.literals[at]


def fetched(frames: Iterable[Frame], wanted: Sequence[int]) -> list[Fetched]:
    """The wanted messages among FETCH responses, in the order of their UIDs.

    A message may be told of in several responses (RFC 3501 7.4.2), so they are put together; one
    without a header is gone.
    """
    asked = frozenset(wanted)
    messages: dict[int, Fetched] = {}
    headed: set[int] = set()
    for frame in frames:
        items = _items(frame)
        uid = _whole(items.get(b"UID", b""))
        if uid not in asked:
            continue
        message = messages.get(uid, Fetched(uid, 0, b"", b""))
        for key, value in items.items():
            if key.startswith(b"BODY[HEADER]"):
                message = replace(message, header=value[:PART_LIMIT])
                headed.add(uid)
            elif key.startswith(b"BODY[TEXT]"):
                message = replace(message, body=value[:PART_LIMIT])
            elif key == b"RFC822.SIZE":
                message = replace(message, size=_whole(value))
        messages[uid] = message
    return [messages[uid] for uid in sorted(headed)]


def _items(frame: Frame) -> dict[bytes, bytes]:
    """The items of one FETCH response; values that are lists are left out."""
    items: dict[bytes, bytes] = {}
    depth, key = 0, b""
    for kind, value in _tokens(frame):
        match kind:
            case _Kind.OPEN:
                depth += 1
            case _Kind.CLOSE:
                depth, key = depth - 1, b""
            case _ if depth != 1:
                continue
            case _Kind.ATOM if not key:
                key = value.upper()
            case _:
                if key:
                    items[key] = b"" if kind is _Kind.ATOM and value.upper() == b"NIL" else value
                key = b""
    return items


def found_uids(frames: Iterable[Frame]) -> list[int]:
    """The UIDs of SEARCH responses, ascending, each once. Raises ImapFailure on garbage."""
    uids: set[int] = set()
    for frame in frames:
        words = frame.texts[0].partition(b"(")[0].split()[2:]
        if not all(map(_is_number, words)):
            raise ImapFailure("the server's answer to SEARCH is garbage")
        uids.update(map(int, words))
    return sorted(uids)


def junk_name(frames: Iterable[Frame]) -> str | None:
    """The first folder that LIST responses flag as \\Junk (RFC 6154), named as the server does."""
    for frame in frames:
        tokens = list(_tokens(frame))
        flags = {value.lower() for kind, value in tokens[2:-2] if kind is _Kind.ATOM}
        name = tokens[-1][1]
        if b"\\junk" in flags and not flags & {b"\\noselect", b"\\nonexistent"} and name.isascii():
            return name.decode()
    return None


def code_number(frames: Iterable[Frame], code: str) -> int | None:
    """The number of a response code such as `OK [UIDVALIDITY 7]`, or None."""
    pattern = re.compile(rb"\* OK \[" + code.encode() + rb" (\d{1,10})\]", re.IGNORECASE)
    return next((int(hit[1]) for frame in frames if (hit := pattern.match(frame.texts[0]))), None)


def quota_used(frames: Iterable[Frame]) -> Quota | None:
    """What is used of the limits in QUOTA responses (RFC 9208 5.1), or None.

    Several roots may hold one mailbox, each with limits on several resources.
    """
    shares, rooms = [], [math.inf]
    for frame in frames:
        behind_root = dropwhile(lambda token: token[0] is not _Kind.OPEN, _tokens(frame))
        words = [value for kind, value in behind_root if kind is _Kind.ATOM]
        for resource, used, limit in zip(words[::3], words[1::3], words[2::3], strict=False):
            if not (_is_amount(used) and _is_amount(limit) and int(limit)):
                continue
            shares.append(int(used) / int(limit))
            if resource.upper() == b"STORAGE":  # In units of 1024 bytes.
                rooms.append(1024.0 * (int(limit) - int(used)))
    return Quota(max(shares), min(rooms)) if shares else None


def appended_uid(text: str, uidvalidity: int) -> int | None:
    """The UID that APPEND's reply tells (RFC 4315 3), if it is of the folder that we know."""
    found = _APPENDED.match(text)
    return int(found[2]) if found and int(found[1]) == uidvalidity else None


def uid_set(uids: Iterable[int]) -> str:
    """UIDs as a sequence set, neighbours joined: `1:3,7`."""
    ranges: list[list[int]] = []
    for uid in sorted(uids):
        if ranges and uid == ranges[-1][1] + 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(low) if low == high else f"{low}:{high}" for low, high in ranges)


def quoted(text: str) -> str:
    """A quoted string (RFC 3501 4.3)."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def folder_name(folder: str) -> str:
    """A folder's name in modified UTF-7 (RFC 3501 5.1.3); one that is so already stays."""
    if folder.isascii() and _MODIFIED_UTF7.match(folder):
        return folder
    runs = re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", folder)
    return "".join(
        run.replace("&", "&-") if run.isascii() and run.isprintable() else _shifted(run)
        for run in runs
    )


def _shifted(run: str) -> str:
    packed = b64encode(run.encode("utf-16-be", "surrogatepass")).decode().rstrip("=")
    return "&" + packed.replace("/", ",") + "-"


def _is_amount(word: bytes) -> bool:
    return word.isdigit() and len(word) <= 19


def _is_number(word: bytes) -> bool:
    return word.isdigit() and len(word) <= 10


def _whole(word: bytes) -> int:
    return int(word) if _is_number(word) else 0
