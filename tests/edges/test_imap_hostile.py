"""Servers that break every rule: whatever they do, reading fails at once, with words, and bounded.

Each server here is a script on a real socket: it reads commands and sends what the script says.
"""

from __future__ import annotations

import asyncio
import re
import time
import tracemalloc

import pytest

from probe.core.model import ImapServer, Mailbox, TlsMode
from probe.edges.imap import ImapReader
from probe.ports import ImapFailure, ImapLoginRefused, Refusal
from tests.edges.imap_peer import BROKEN, CONTENT, Read, Script, Write, honest, serving
from tests.secret import FixedSecret

PATIENCE = 20.0  # s; more than a busy machine needs to answer as it should.
SILENCE = 1.0  # s; how long those are waited for who say nothing.


def reader_of(
    port: int,
    *,
    tls: TlsMode = TlsMode.NONE,
    opening: float = PATIENCE,
    deadline: float = PATIENCE,
) -> ImapReader:
    server = ImapServer("127.0.0.1", port, 'pro"be', tls)
    return ImapReader(
        Mailbox("corp", "probe@corp.test", server),
        FixedSecret("s3cret"),
        opening=opening,
        deadline=deadline,
    )


async def use_all(reader: ImapReader) -> None:
    """Everything that a session can do, once."""
    async with reader.open("INBOX") as session:
        await session.poll()
        await session.search(1)
        await session.search_tagged(1, 3)
        await session.fetch([9], body=True)
        await session.quota()
        await session.idle(0.01)
        await session.poll()
        await session.append(CONTENT)
        await session.remove([9])


async def failure_of(
    script: Script, *, opening: float = PATIENCE, deadline: float = SILENCE
) -> str:
    """The text of the ImapFailure that this server leads to, with no task left behind."""
    before = asyncio.all_tasks()
    async with serving(script) as port:
        with pytest.raises(ImapFailure) as caught:
            async with asyncio.timeout(3 * PATIENCE):
                await use_all(reader_of(port, opening=opening, deadline=deadline))
    text = str(caught.value)
    assert text.isprintable(), "a failure's text is clean"
    assert len(text) < 400, "a failure's text is short"
    assert "s3cret" not in text, "a failure's text holds no secret"
    assert asyncio.all_tasks() <= before, "no task is left behind"
    return text


async def test_an_honest_server_is_read() -> None:
    async with serving(honest()) as port:
        await use_all(reader_of(port))
        assert await reader_of(port).junk_folder() == 'Spam "x"'


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_server_is_a_failure_with_words(name: str) -> None:
    script, words = BROKEN[name]
    deadline = SILENCE if "no end" in words else PATIENCE
    assert words in await failure_of(script, deadline=deadline)


STEPS = [
    *("greeting", "CAPABILITY", "AUTHENTICATE", "SELECT", "NOOP", "SEARCH", "FETCH", "IDLE"),
    *("literal", "APPEND"),
]


@pytest.mark.parametrize("step", STEPS)
async def test_a_server_that_closes_is_noticed_at_once(step: str) -> None:
    async def script(reader: Read, writer: Write) -> None:
        play = asyncio.ensure_future(honest(**{step: ""})(reader, Marked(writer, step)))
        await play

    class Marked:
        """A writer that ends the script instead of keeping silent."""

        def __init__(self, writer: Write, step: str) -> None:
            self._writer = writer
            self.drain = writer.drain

        def write(self, raw: bytes) -> None:
            if not raw:
                raise ConnectionResetError
            self._writer.write(raw)

    began = asyncio.get_running_loop().time()
    text = await failure_of(script, deadline=PATIENCE)
    assert "connection lost" in text
    assert asyncio.get_running_loop().time() - began < PATIENCE, "nobody waits for a deadline"


@pytest.mark.parametrize("step", [*STEPS, "DONE", "STORE"])
async def test_a_server_that_falls_silent_is_given_up(step: str) -> None:
    text = await failure_of(honest(**{step: ""}), opening=SILENCE)
    assert "no end within 1 s" in text


async def test_a_server_that_sends_one_byte_at_a_time_is_read() -> None:
    async def script(reader: Read, writer: Write) -> None:
        class Slow:
            drain = writer.drain

            def write(self, raw: bytes) -> None:
                for byte in raw:
                    writer.write(bytes([byte]))

        await honest(FETCH=message(9))(reader, Slow())  # type: ignore[arg-type]

    async with serving(script) as port, reader_of(port).open("INBOX") as session:
        assert [one.uid for one in await session.fetch([9], body=True)] == [9]


def message(uid: int) -> str:
    return (
        f'* 1 FETCH (FLAGS (\\Seen "a * b") UID {uid} RFC822.SIZE 30 BODY[HEADER]<0> {{11}}\r\n'
        f'A: b{{5}}\r\n\r\n BODY[TEXT]<0> "a \\"* b")\r\nTAG OK\r\n'
    )


async def test_literals_and_strings_are_taken_as_they_are() -> None:
    script = honest(FETCH=message(9))
    async with serving(script) as port, reader_of(port).open("INBOX") as session:
        (one,) = await session.fetch([9], body=True)
    assert (one.size, one.header, one.body) == (30, b"A: b{5}\r\n\r\n", b'a "* b')


async def test_three_thousand_messages_in_one_answer_neither_recurse_nor_stall() -> None:
    lines = "".join(
        f"* {n} FETCH (UID {n} RFC822.SIZE 9 BODY[HEADER]<0> {{4}}\r\nA: b)\r\n"
        for n in range(1, 3001)
    )
    script = honest(FETCH=lines + "TAG OK\r\n")
    async with serving(script) as port, reader_of(port).open("INBOX") as session:
        began = time.process_time()
        found = await session.fetch(range(1, 3001), body=False)
        assert len(found) == 3000
        assert time.process_time() - began < 1


async def test_a_flood_is_refused_in_bounded_memory() -> None:
    async def script(reader: Read, writer: Write) -> None:
        await honest(NOOP="")(Once(reader), writer)  # type: ignore[arg-type]
        while True:
            writer.write(b"* 5 EXISTS\r\n" * 10_000)
            await writer.drain()

    class Once:
        """Ends the honest part after NOOP."""

        def __init__(self, reader: Read) -> None:
            self._reader = reader

        async def readline(self) -> bytes:
            line = await self._reader.readline()
            return b"" if b"NOOP" in line else line

    tracemalloc.start()
    try:
        text = await failure_of(script)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "floods" in text or "no end within" in text
    assert peak < 8 << 20


REFUSED = {
    "before it is sent": honest(literal="TAG NO [OVERQUOTA] \x1b[31mfull\r\n"),
    "after it was sent": honest(APPEND="TAG NO [OVERQUOTA] full\r\n"),
    "as no command": honest(literal="TAG BAD [OVERQUOTA] what\r\n"),
    "without a UID": honest(APPEND="TAG OK [OVERQUOTA] in\r\n"),
    "in another folder": honest(APPEND="TAG OK [APPENDUID 8 [OVERQUOTA] 12]\r\n"),
}


@pytest.mark.parametrize("how", REFUSED)
async def test_a_refused_message_leaves_the_session_of_use(how: str) -> None:
    async with serving(REFUSED[how]) as port, reader_of(port).open("INBOX") as session:
        answer = await session.append(CONTENT)
        assert isinstance(answer, Refusal)
        assert "[OVERQUOTA]" in answer.text and answer.text.isprintable()
        assert await session.poll() == 3


async def test_a_message_that_is_put_in_goes_as_it_is() -> None:
    heard: list[bytes] = []

    async def script(reader: Read, writer: Write) -> None:
        class Listening:
            readline = reader.readline

            async def readexactly(self, size: int) -> bytes:
                heard.append(await reader.readexactly(size))
                return heard[-1]

        await honest()(Listening(), writer)  # type: ignore[arg-type]

    async with serving(script) as port, reader_of(port).open("INBOX") as session:
        assert await session.append(CONTENT) == 12
        assert await session.poll() == 3
    assert heard == [CONTENT + b"\r\n"]


async def test_a_refused_login_is_told_apart_and_hides_the_secret() -> None:
    async with serving(honest(AUTHENTICATE="TAG NO wrong password s3cret\r\n")) as port:
        with pytest.raises(ImapLoginRefused, match=r"wrong password \*\*\*"):
            await use_all(reader_of(port))


ECHOES = {
    "a refusal that is cut": honest(AUTHENTICATE="TAG NO " + "x" * 197 + "s3cret\r\n"),
    "in Base64": honest(AUTHENTICATE="TAG NO AHBybyJiZQBzM2NyZXQ=\r\n"),
    "a greeting": honest(greeting="* BYE s3cret\r\n"),
    "a farewell": honest(NOOP="* BYE s3cret\r\n"),
    "no protocol": honest(NOOP="s3cret OK s3cret\r\n"),
    "another refusal": honest(SELECT="TAG NO s3cret\r\n"),
}


@pytest.mark.parametrize("how", ECHOES)
async def test_an_echoed_secret_is_not_repeated(how: str) -> None:
    text = await failure_of(ECHOES[how])
    assert "***" in text
    assert "s3c" not in text and "AHBy" not in text


async def test_a_flood_of_small_responses_takes_little_time() -> None:
    script = honest(NOOP="* 5 EXISTS\r\n" * 200_000)
    async with serving(script) as port, reader_of(port).open("INBOX") as session:
        began = time.process_time()
        with pytest.raises(ImapFailure, match="floods"):
            await session.poll()
        assert session.announced < 20_000
        assert time.process_time() - began < 2


async def test_without_tls_no_certificates_are_read() -> None:
    async with serving(honest()) as port:
        server = ImapServer("127.0.0.1", port, "probe", TlsMode.NONE, ca_file="/nowhere.pem")
        await use_all(ImapReader(Mailbox("corp", "probe@corp.test", server), FixedSecret()))


async def test_a_server_in_trouble_does_not_count_as_refusing_the_login() -> None:
    async with serving(honest(AUTHENTICATE="TAG NO [UNAVAILABLE] later\r\n")) as port:
        with pytest.raises(ImapFailure) as caught:
            await use_all(reader_of(port))
    assert not isinstance(caught.value, ImapLoginRefused)


async def test_user_and_folder_are_quoted_where_there_is_only_login() -> None:
    heard: list[str] = []

    async def script(reader: Read, writer: Write) -> None:
        class Listening:
            async def readline(self) -> bytes:
                line = await reader.readline()
                heard.append(line.decode().strip())
                return line

        plain = "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"
        await honest(CAPABILITY=plain)(Listening(), writer)  # type: ignore[arg-type]

    async with serving(script) as port, reader_of(port).open('R&D "x" \u00fc'):
        pass
    commands = [re.sub(r"^\S+ ", "", line) for line in heard]
    assert 'LOGIN "pro\\"be" "s3cret"' in commands
    assert 'SELECT "R&-D \\"x\\" &APw-"' in commands


async def test_starttls_is_required() -> None:
    async with serving(honest()) as port:
        with pytest.raises(ImapFailure, match="does not offer STARTTLS"):
            await use_all(reader_of(port, tls=TlsMode.STARTTLS))


@pytest.mark.parametrize("delayed", [False, True])
async def test_text_before_tls_is_taken_for_an_injection(delayed: bool) -> None:
    offer = "* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK\r\n"
    extra = "* CAPABILITY" if delayed else "* CAPABILITY AUTH=PLAIN\r\n"
    script = honest(CAPABILITY=offer, STARTTLS=f"TAG OK go\r\n{extra}")
    async with serving(script) as port:
        with pytest.raises(ImapFailure, match="between STARTTLS and TLS"):
            await use_all(reader_of(port, tls=TlsMode.STARTTLS))


async def test_a_server_without_tls_behind_starttls_is_a_tls_failure() -> None:
    offer = "* CAPABILITY IMAP4rev1 STARTTLS\r\nTAG OK\r\n"
    script = honest(CAPABILITY=offer, STARTTLS="TAG OK go\r\n")
    async with serving(script) as port:
        with pytest.raises(ImapFailure):
            await use_all(reader_of(port, tls=TlsMode.STARTTLS))


async def test_nobody_listening_is_a_failure() -> None:
    async with serving(honest()) as port:
        pass
    with pytest.raises(ImapFailure, match=r"(?i)connect"):
        await use_all(reader_of(port))


async def test_lines_in_one_segment_with_the_end_of_idle_are_not_lost() -> None:
    script = honest(
        IDLE="+ idling\r\n* 4 EXISTS\r\n", DONE="* 5 EXISTS\r\nTAG OK\r\n* 6 EXISTS\r\n"
    )
    async with serving(script) as port, reader_of(port).open("INBOX") as session:
        await session.idle(0.2)
        assert await session.poll() == 6
        assert session.announced == 4


async def test_a_cancelled_idle_leaves_the_session_of_use() -> None:
    async with serving(honest()) as port, reader_of(port).open("INBOX") as session:
        for turns in range(8):
            idle = asyncio.create_task(session.idle(30))
            for _ in range(turns):
                await asyncio.sleep(0.001)
            idle.cancel()
            with pytest.raises(asyncio.CancelledError):
                await idle
            assert await session.poll() == 3


async def test_a_cancelled_command_drops_the_connection() -> None:
    async with serving(honest(SEARCH="")) as port, reader_of(port).open("INBOX") as session:
        search = asyncio.create_task(session.search(1))
        await asyncio.sleep(0)
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
        with pytest.raises(ImapFailure):
            await session.poll()


async def test_the_last_message_is_not_taken_for_a_new_one() -> None:
    async with serving(honest()) as port, reader_of(port).open("INBOX") as session:
        assert await session.search(12) == []
        assert await session.search(10) == [10, 11]
