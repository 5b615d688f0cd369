"""Text from the wire is made safe, and read for what servers put into it."""

import pytest

from probe.core.wire import (
    clean,
    dot_stuffed,
    greeting_host,
    mail_command,
    masked,
    offers,
    queue_id,
    rcpt_command,
    split_enhanced,
    xtext,
)


@pytest.mark.parametrize(
    ("dirty", "line"),
    [
        ("plain", "plain"),
        ("  two \r\n lines\t", "two lines"),
        ("\x1b[31mred\x00\x7f", "[31mred"),
        (b"f\xfcr".decode("utf-8", "surrogateescape"), "fr"),
        ("a\u202eb\u200bc", "abc"),
        ("a \x00 b", "a b"),
        ("für", "für"),
        ("", ""),
        ("\ud800\udfff", ""),
    ],
)
def test_what_does_not_print_is_gone(dirty, line):
    assert clean(dirty, 100) == line


def test_long_text_is_cut_and_says_so():
    assert clean("0123456789", 10) == "0123456789"
    assert clean("0123456789a", 10) == "012345678…"
    assert len(clean("word " * 10_000, 300)) <= 300


@pytest.mark.parametrize(
    ("text", "enhanced", "rest"),
    [
        ("2.0.0 Ok: queued", "2.0.0", "Ok: queued"),
        ("4.7.1", "4.7.1", ""),
        ("5.7.1 one\n5.7.1 two", "5.7.1", "one\ntwo"),
        ("hello 5.7.1 there", "", "hello 5.7.1 there"),
        ("5.7.1.2 x", "", "5.7.1.2 x"),
        ("3.0.0 x", "", "3.0.0 x"),
        ("5.7.٣ x", "", "5.7.٣ x"),
        ("", "", ""),
    ],
)
def test_enhanced_status_codes_are_told_from_the_text(text, enhanced, rest):
    assert split_enhanced(text) == (enhanced, rest)


@pytest.mark.parametrize(
    ("server", "text", "found"),
    [
        ("Postfix", "Ok: queued as 4XbZ1k2Jq9z7c", "4XbZ1k2Jq9z7c"),
        ("Postfix, BDAT", "Ok: 1234 bytes queued as 8F3C01A2", "8F3C01A2"),
        ("Postfix behind a filter", "from MTA(smtp:[::1]:10025): 250 2.0.0 Ok: queued as A1", "A1"),
        ("Exim", "OK id=1tE4xY-000000004Xb-2abc", "1tE4xY-000000004Xb-2abc"),
        ("OpenSMTPD", "6f1e2d3c Message accepted for delivery", "6f1e2d3c"),
        ("Sendmail", "4AM5Xc01012345 Message accepted for delivery", "4AM5Xc01012345"),
        (
            "Exchange Online",
            "<a@b.c> [InternalId=7327144378370, Hostname=AM0PR01.example] 9 bytes in 0.1, "
            "80 KB/sec Queued mail for delivery",
            "7327144378370",
        ),
        (
            "Gmail",
            "OK  1700000000 a640c23a62f3a-9dd1si1234567ejc.12 - gsmtp",
            "a640c23a62f3a-9dd1si1234567ejc.12",
        ),
        (
            "SES",
            "Ok 0102019a7b3c4d5e-01234567-89ab-cdef-0123-456789abcdef-000000",
            "0102019a7b3c4d5e-01234567-89ab-cdef-0123-456789abcdef-000000",
        ),
        ("SendGrid", "Ok: queued as 9dtzBdgsQjyZN3-JYmXA_w", "9dtzBdgsQjyZN3-JYmXA_w"),
        ("qmail", "ok 1700000000 qp 12345", "12345"),
        ("Dovecot", "<probe@box.test> kPUnO+FRJmXqDAAA/X= Saved", "kPUnO+FRJmXqDAAA/X="),
        ("another", "Thank you", ""),
        ("silent", "", ""),
        ("hostile", "Ok: queued as " + "x" * 500, "x" * 64),
    ],
)
def test_queue_ids_are_found(server, text, found):
    assert queue_id(text) == found, server


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("mx1.example ESMTP Postfix", "mx1.example"),
        ("\x1b]0;x\x07mx1\nsecond line", "]0;xmx1"),
        ("", ""),
        ("a" * 1000, "a" * 255),
    ],
)
def test_the_greeting_begins_with_the_host(text, host):
    assert greeting_host(text) == host


def test_what_is_offered_is_read():
    reply = "mx.test hello DSN\nSIZE 1000\nAUTH=LOGIN\nAUTH PLAIN Cram-MD5\n\n8BITMIME"
    assert offers(reply) == {
        "size": ("1000",),
        "auth": ("login", "plain", "cram-md5"),
        "": (),
        "8bitmime": (),
    }
    assert offers("") == offers("mx.test") == {}


def test_echoed_secrets_are_masked():
    assert masked("bad AHUAcHc= (pw1)", ("pw", "AHUAcHc=", "pw1", "")) == "bad *** (***)"


def test_xtext_encodes_what_a_parameter_may_not_hold():
    assert xtext("probe+x=1@a.b c") == "probe+2Bx+3D1@a.b+20c"


@pytest.mark.parametrize(
    ("offers", "mail", "rcpt"),
    [
        ((), "MAIL FROM:<p@a.b>", "RCPT TO:<x+y@c.d>"),
        (("size", "auth"), "MAIL FROM:<p@a.b> SIZE=99", "RCPT TO:<x+y@c.d>"),
        (
            ("dsn", "size"),
            "MAIL FROM:<p@a.b> SIZE=99 RET=HDRS ENVID=id+3D1",
            "RCPT TO:<x+y@c.d> NOTIFY=FAILURE,DELAY ORCPT=rfc822;x+2By@c.d",
        ),
    ],
)
def test_the_envelope_uses_what_is_offered(offers, mail, rcpt):
    assert mail_command("p@a.b", size=99, envelope_id="id=1", offers=offers) == mail
    assert rcpt_command("x+y@c.d", offers=offers) == rcpt


@pytest.mark.parametrize(
    ("content", "wire"),
    [
        (b"a\r\n", b"a\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"..a\r\n.b\r\nc.\r\n", b"...a\r\n..b\r\nc.\r\n.\r\n"),
        (b"a\r\n\r\n.\r\n.\r\n", b"a\r\n\r\n..\r\n..\r\n.\r\n"),
    ],
)
def test_leading_dots_are_doubled(content, wire):
    assert dot_stuffed(content) == wire
