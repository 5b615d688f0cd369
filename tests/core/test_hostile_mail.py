"""No message takes long to read, whatever is in it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from probe.core.authentication import results
from probe.core.bounce import parse
from probe.core.header import LIMIT
from probe.core.received import hops
from probe.core.recognise import is_report, might_be_tagged
from tests.core.samples import damage, token, who

TOKEN = token().encode()
PARTS = b"Content-Type: multipart/report; boundary=x\n"
READINGS: list[tuple[Callable[[bytes], object], list[bytes]]] = [
    (lambda mail: who(mail, mail), [b"X-Mailprobe: ", b"Message-ID: ", b"To: ", b"Subject: "]),
    (might_be_tagged, [b"Subject: "]),
    (is_report, [b"Content-Type: "]),
    (lambda mail: damage(mail, mail), [b"X-Mailprobe: ", b"Subject: ", b"From: ", PARTS]),
    (lambda mail: hops(mail, accepted_wall=0, seen_wall=1), [b"Received: "]),
    (lambda mail: results(mail, authserv_id="mx"), [b"Authentication-Results: mx;", b"Received: "]),
    (lambda mail: parse(mail, mail), [b"Content-Type: multipart/x; boundary=", PARTS, b"From: "]),
]
FILLINGS = (
    b"(",
    b"()",
    b"\\",
    b'"',
    b";",
    b" ",
    b"\n ",
    b":\n",
    b"a",
    b"<",
    b"=?",
    b"=?utf-8?q?=",
    b"by ",
    b"[" + TOKEN[:24],
    b"+" + TOKEN[:24] + b"@",
    b"<mailprobe.",
    b"token=" + TOKEN + b";",
    b"boundary ",
    b'boundary="',
    b"Delivery check ",
    b"1.1.",
    b"\n",
    b"\n--x\n",
    b"\n--x ",
    b"Received: by mx; Sun, 22 Nov 2026 02:41:00 +0000\n",
    b"x-mailprobe:token=" + TOKEN + b"\n",
    b"\n--x\nContent-Type: multipart/mixed; boundary=x\n",
    b"message  delayed ",
)


@pytest.mark.parametrize("filling", FILLINGS)
def test_64_kib_of_it_are_read_in_a_moment(filling: bytes) -> None:
    for reading, beginnings in READINGS:
        for beginning in beginnings:
            mail = (beginning + filling * (LIMIT // len(filling)))[:LIMIT]
            began = time.process_time()
            reading(mail)
            took = time.process_time() - began
            # A quadratic reading takes minutes; how fast a linear one is is for the benchmark.
            assert took < 3.0, f"{took:.2f} s after {beginning!r}"
