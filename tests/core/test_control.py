"""Control messages: how they are written, who knows them again, and when they are due."""

from __future__ import annotations

from dataclasses import replace
from email.parser import BytesParser
from email.policy import SMTP

import pytest

from probe.core import tag
from probe.core.cadence import Expectation
from probe.core.control import Seal, compose, is_due
from probe.core.model import ImapServer, Mailbox
from probe.core.recognise import Untagged, recognise
from tests.core.samples import INSTANCE, JOURNAL, KEY, RECIPIENT, ROUTE, SENT

MAILBOX = Mailbox("corp", RECIPIENT, ImapServer("imap.example", 993, "probe"))
SEAL = Seal(INSTANCE, JOURNAL, since=SENT - 100, keys=[KEY])


def control(seal: Seal = SEAL, mailbox: Mailbox = MAILBOX, *, wall: float = SENT) -> bytes:
    token = seal.token(mailbox, nonce=7, wall=wall)
    return compose(token, mailbox, instance=seal.instance, wall=wall)


def header_of(content: bytes) -> bytes:
    return content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def test_it_is_a_proper_message_that_says_what_it_is() -> None:
    content = control()
    message = BytesParser(policy=SMTP).parsebytes(content)
    assert message["From"] == f"mailprobe <{RECIPIENT}>"
    assert message["To"] == RECIPIENT
    assert message["Date"] == "Sun, 22 Nov 2026 02:41:01 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert not message.defects
    text = " ".join(message.get_content().split())
    assert f"instance {INSTANCE} has put this message here" in text
    assert max(map(len, content.split(b"\r\n"))) <= 150
    assert content.isascii() and b"\n" not in content.replace(b"\r\n", b"")


def test_our_own_is_known_again_whatever_key_signed_it() -> None:
    assert SEAL.fits(header_of(control()), MAILBOX)
    assert replace(SEAL, keys=[b"newer", KEY]).fits(header_of(control()), MAILBOX)


STRANGERS = {
    "another instance": replace(SEAL, instance="fra2"),
    "another key": replace(SEAL, keys=[b"another key"]),
    "a second prober of our name": replace(SEAL, journal="ffffffffffff"),
}


@pytest.mark.parametrize("who", STRANGERS)
def test_that_of_others_is_left_alone(who: str) -> None:
    assert not SEAL.fits(header_of(control(STRANGERS[who])), MAILBOX)


def test_one_of_a_journal_before_ours_is_ours() -> None:
    older = replace(SEAL, journal="ffffffffffff")
    assert SEAL.fits(header_of(control(older, wall=SEAL.since - 1)), MAILBOX)


def test_two_mailboxes_that_are_one_account_leave_each_others_alone() -> None:
    assert not SEAL.fits(header_of(control(mailbox=replace(MAILBOX, name="alias"))), MAILBOX)


def test_what_was_changed_or_is_a_probe_as_well_is_no_control_message() -> None:
    header = header_of(control())
    token = SEAL.token(MAILBOX, nonce=7, wall=SENT).encode()
    assert token in header
    assert not SEAL.fits(header.replace(token, token[:-6] + b"aaaaaa"), MAILBOX)
    assert not SEAL.fits(header.replace(token, b""), MAILBOX)
    assert not SEAL.fits(b"X-Mailprobe: x\r\n" + header, MAILBOX)
    assert not SEAL.fits(b"X-Mailprobe-Control: x\r\n" + header, MAILBOX)
    assert not SEAL.fits(b"\xff\x00", MAILBOX)


def test_neither_passes_for_the_other() -> None:
    token = SEAL.token(MAILBOX, nonce=7, wall=SENT)
    assert tag.verify(token, [KEY]) is tag.Flaw.BAD_MAC
    probe = tag.sign(tag.make(JOURNAL, INSTANCE, ROUTE, sequence=7, time=SENT), KEY)
    assert not SEAL.fits(f"X-Mailprobe-Control: v=1; token={probe}\r\n".encode(), MAILBOX)


def test_nobody_counts_it() -> None:
    """Neither its own instance nor one that shares the mailbox."""
    content = control()
    header, body = header_of(content), content.partition(b"\r\n\r\n")[2]
    for instance in (INSTANCE, "fra2"):
        found = recognise(
            header,
            [KEY],
            instance=instance,
            journal=JOURNAL,
            journal_created_wall=0,
            wall=SENT,
            lifetime=1e6,
            body=body,
        )
        assert found == Untagged()


QUIET = Expectation()
BUSY = Expectation(1, 1000.0)  # A message was accepted at 1000 s and may come at any moment.


@pytest.mark.parametrize(
    ("expected", "tried", "silent_since", "due"),
    [
        (QUIET, 401.0, None, False),
        (QUIET, 400.0, None, True),
        (BUSY, 400.0, None, False),
        (BUSY, 370.0, None, True),
        (BUSY, 800.0, 981.0, False),
        (BUSY, 800.0, 980.0, True),
        (BUSY, 941.0, 900.0, False),
        (BUSY, 940.0, 900.0, True),
    ],
)
def test_when_one_is_due_at_1000_s(
    expected: Expectation, tried: float, silent_since: float | None, due: bool
) -> None:
    assert is_due(expected, 1000.0, tried=tried, silent_since=silent_since) is due
