"""What the receiver found of SPF, DKIM and DMARC, and whom to believe."""

from __future__ import annotations

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.authentication import results

ID = "mx.corp.example"
MX = b"Received: from relay by mx.corp.example (Postfix) with ESMTPS id 1; date\n"
LMTP = b"Received: from mx.corp.example by store (Dovecot) with LMTP id 2; date\n"
RELAY = b"Received: from prober by relay.shop.example with ESMTPSA id 3; date\n"
RIGHT = b"Authentication-Results: mx.corp.example; spf=pass smtp.mailfrom=a; dkim=fail\n"
FORGED = b"Authentication-Results: mx.corp.example; spf=fail; dkim=pass; dmarc=pass\n"
GMAIL = (
    b"Delivered-To: probe@gmail.example\r\n"
    b"Received: by 2002:a05:6000:1b with SMTP id x1; Sat, 21 Nov 2026 18:41:00 -0800 (PST)\r\n"
    b"X-Received: by 2002:a05:6000:1c with SMTP id x2; Sat, 21 Nov 2026 18:41:00 -0800 (PST)\r\n"
    b"ARC-Authentication-Results: i=1; mx.google.com; spf=fail\r\n"
    b"Received: from relay (relay [192.0.2.11])\r\n"
    b"        by mx.google.com with ESMTPS id x3; Sat, 21 Nov 2026 18:41:00 -0800 (PST)\r\n"
    b"Received-SPF: pass (google.com: domain designates) client-ip=192.0.2.11;\r\n"
    b"Authentication-Results: mx.google.com;\r\n"
    b"       dkim=pass header.i=@shop.example header.s=s1 header.b=abc;\r\n"
    b"       spf=pass (google.com: best; guess) smtp.mailfrom=probe@shop.example;\r\n"
    b"       dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=shop.example\r\n"
)
EXCHANGE = (
    b"Authentication-Results: spf=pass (sender IP is 1.2.3.4)\r\n"
    b" smtp.mailfrom=a.example; rcpt.example; dkim=pass (signature was verified)\r\n"
    b" header.d=a.example;rcpt.example; dmarc=pass action=none\r\n"
    b" header.from=a.example;compauth=pass reason=100;\r\n"
)


def said(header: bytes, authserv_id: str | None = ID) -> str:
    found = results(header, authserv_id=authserv_id)
    return " ".join(f"{told.method}={told.result}" for told in found)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (RIGHT, "spf=pass dkim=fail"),
        (RIGHT.replace(b"mx.corp", b"MX.Corp"), "spf=pass dkim=fail"),
        (RIGHT.replace(b"example;", b"example 1;"), "spf=pass dkim=fail"),
        (RIGHT.replace(b"mx.corp.example;", b'"mx.corp.example" (c);'), "spf=pass dkim=fail"),
        (RIGHT + MX + RELAY, "spf=pass dkim=fail"),
        (MX + RIGHT + RELAY, "spf=pass dkim=fail"),
        (LMTP + MX + RIGHT + RELAY, "spf=pass dkim=fail"),
        (LMTP + MX.replace(b"mx.corp", b"in.mx.corp") + RIGHT + RELAY, "spf=pass dkim=fail"),
        # Others may have written these.
        (MX + RELAY + RIGHT, ""),
        (LMTP + MX + RELAY + RIGHT, ""),
        (MX.replace(b"mx.corp", b"evilmx.corp") + RELAY + MX.replace(b"by mx", b"") + RIGHT, ""),
        (RIGHT.replace(b"mx.corp", b"mx.evil"), ""),
        (RIGHT.replace(b"mx.corp.example;", b""), ""),
        (RIGHT.replace(b"Auth", b"X-Auth"), ""),
        # The topmost speaks, method by method.
        (RIGHT + MX + FORGED + RELAY, "spf=pass dkim=fail dmarc=pass"),
        (b"Authentication-Results: mx.corp.example; none\n" + RIGHT, "spf=pass dkim=fail"),
        # One good signature is enough.
        (b"Authentication-Results: mx.corp.example; dkim=fail; dkim=pass\n", "dkim=pass"),
        # Results that no method has, and methods that are none of ours.
        (b"Authentication-Results: mx.corp.example; spf=hardfail; dkim=softfail\n", ""),
        (b"Authentication-Results: mx.corp.example; dmarc=bestguesspass; iprev=pass\n", ""),
        (
            b"Authentication-Results: mx.corp.example; spf/1 = SoftFail; dkim=pass1\n",
            "spf=softfail",
        ),
        (b'Authentication-Results: mx.corp.example; spf=fail reason="x; dkim=pass"\n', "spf=fail"),
        (RIGHT.replace(b"spf=pass", b"dmarc=none"), "dkim=fail dmarc=none"),
        (RIGHT.replace(b"dkim=fail", b"dkim=temperror"), "spf=pass dkim=temperror"),
        (b"Authentication-Results:\n", ""),
        (b"", ""),
    ],
)
def test_only_the_receiver_is_believed(header: bytes, expected: str) -> None:
    assert said(header) == expected
    assert said(header, None) == ""


def test_gmail() -> None:
    assert said(GMAIL, "mx.google.com") == "spf=pass dkim=pass dmarc=pass"


def test_exchange_online_writes_no_id() -> None:
    believed = "spf=pass dkim=pass dmarc=pass"
    assert said(EXCHANGE, "none") == believed
    assert said(LMTP + MX + RELAY + EXCHANGE, "none") == believed
    assert said(RIGHT + EXCHANGE + EXCHANGE.replace(b"=pass", b"=fail"), "none") == believed
    assert said(EXCHANGE) == ""
    assert said(RIGHT, "none") == ""


noise = st.sampled_from([b"Received: ", b"by ", b"mx.corp.example", b";", b"(", b")", b'"', b"\\"])
words = st.sampled_from([b"\r\n", b"\n ", b"spf", b"=", b"pass", b"/", b"\xff", b"\0"])


@given(st.binary() | st.lists(noise | words).map(b"".join))
def test_anything_can_be_read(header: bytes) -> None:
    for authserv_id in (ID, "none"):
        said(b"Authentication-Results: " + header, authserv_id)


# What authres refuses, and we must read: see CONTRIBUTING.md. Elsewhere both must agree.
methods = st.sampled_from(["spf", "dkim", "dmarc", "iprev", "auth"])
verdicts = st.sampled_from(["pass", "fail", "none", "temperror", "permerror", "neutral"])
comments = st.sampled_from(["", " (a comment)", " (with (one) within; and more)"])
properties = st.sampled_from(["", " smtp.mailfrom=a@b.example", ' reason="x; spf=pass"'])
statements = st.builds("{}={}{}{}".format, methods, verdicts, comments, properties)


@given(st.lists(statements, min_size=1, max_size=5))
def test_a_library_reads_the_same_in_what_is_written_by_the_book(stated: list[str]) -> None:
    value = "; ".join([ID, *stated])
    theirs: dict[str, list[str]] = {}
    for read in authres.AuthenticationResultsHeader.parse_value(value).results:
        theirs.setdefault(read.method, []).append(read.result)
    expected = {
        method: "pass" if "pass" in found else found[0]
        for method, found in theirs.items()
        if method in ("spf", "dkim") or (method == "dmarc" and "neutral" not in found)
    }
    ours = {
        told.method: told.result
        for told in results(f"Authentication-Results: {value}\n".encode(), authserv_id=ID)
    }
    assert {method: ours.get(method) for method in expected} == expected


@pytest.mark.parametrize(
    "value",
    [
        "spf=pass smtp.mailfrom=a.example; rcpt.example; dkim=pass header.d=a.example",  # Microsoft
        "amazonses.com; spf=pass client-ip=192.0.2.1; envelope-from=x@a.example; dkim=pass",
        "atlas.yahoo.com; spf=pass; dmarc=success(p=REJECT) header.from=a.example;",
        f"{ID}; spf=pass (d\N{LATIN SMALL LETTER E WITH ACUTE}sign) smtp.mailfrom=a",
        f"{ID} " + "(" * 500 + ")" * 500 + "; spf=pass",
    ],
)
def test_what_the_library_refuses_is_read(value: str) -> None:
    with pytest.raises((authres.AuthResError, RecursionError)):
        authres.AuthenticationResultsHeader.parse_value(value)
    authserv_id = "none" if value.startswith("spf") else value.partition(";")[0].split()[0]
    found = results(f"Authentication-Results: {value}\n".encode(), authserv_id=authserv_id)
    assert ("spf", "pass") in [(told.method, told.result) for told in found]
