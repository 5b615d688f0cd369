"""Where a message waited, as far as Received fields can tell."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.core.model import HopDelay, HopKind
from probe.core.received import Stamp, hops, stamps

AT = datetime(2026, 11, 22, 2, 41, 0, tzinfo=UTC).timestamp()
SUBMISSION, TRANSIT, FINAL = HopKind.SUBMISSION, HopKind.TRANSIT, HopKind.FINAL


def received(host: str, seconds: float) -> bytes:
    moment = datetime.fromtimestamp(AT + seconds, UTC)
    return f"Received: from x by {host} id 1; {moment:%a, %d %b %Y %H:%M:%S} +0000\r\n".encode()


def way(*seconds: float) -> bytes:
    """Received fields with these stamps, given in the order of the way."""
    lines = [received(f"h{index}", value) for index, value in enumerate(seconds)]
    return b"".join(reversed(lines))


def seen(header: bytes, **moments: float) -> list[tuple[HopKind, float, float]]:
    found = hops(header, accepted_wall=AT, seen_wall=AT + moments.pop("after", 100.0), **moments)
    return [(hop.kind, hop.seconds, hop.skew) for hop in found]


@pytest.mark.parametrize(
    ("field", "stamp"),
    [
        (
            b"Received: from prober (prober.example [192.0.2.7])\r\n"
            b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
            b"\t(No client certificate requested)\r\n"
            b"\tby mx1.shop.example (Postfix) with ESMTPSA id 4XyZ12\r\n"
            b"\tfor <probe@corp.example>; Sun, 22 Nov 2026 03:41:00 +0100 (CET)",
            Stamp("mx1.shop.example", AT),
        ),
        (
            b"Received: from A.prod.outlook.com (2603:10a6::1) by B.prod.outlook.com\r\n"
            b" (2603:10a6::2) with Microsoft SMTP Server (version=TLS1_3,\r\n"
            b" cipher=TLS_AES_256_GCM_SHA384) id 15.20.9115.1; Sun, 22 Nov 2026 02:41:00 +0000",
            Stamp("B.prod.outlook.com", AT),
        ),
        (
            b"Received: by 2002:a05:6000:1b with SMTP id x1csp1;\r\n"
            b"        Sat, 21 Nov 2026 18:41:00 -0800 (PST)",
            Stamp("2002:a05:6000:1b", AT),
        ),
        (
            b"Received: (qmail 123 invoked from network); 22 Nov 2026 02:41:00 -0000",
            Stamp("", AT),
        ),
        (b"Received: by local.example; Sun, 22 Nov 26 02:41 GMT", Stamp("local.example", AT)),
        (b"Received: by a (b; c (d) \\) e; f) ; Sun, 22 Nov 2026 02:41:00 UT", Stamp("a", AT)),
        (b'Received: from "x;y" by a; Sun, 22 Nov 2026 02:41:00 EST', Stamp("a", AT + 18000)),
        (b"Received: by a (never closed; Sun, 22 Nov 2026 02:41:00 +0000", Stamp("a", AT)),
        (b"Received: by a; Sun, 22 Nov 2026 02:41:00", Stamp("a", None)),  # No zone.
        (b"Received: by a; yesterday", Stamp("a", None)),
        (b"Received: by a; Sun, 32 Nov 2026 02:41:00 +0000", Stamp("a", None)),
        (b"Received: by a; Sun, 22 Nov 2026 02:41:00 +9999", Stamp("a", None)),
        (b"Received: by a", Stamp("a", None)),
        (b"Received: from by", Stamp("", None)),
        (b"Received: by a\x1b[31m\xffb; x", Stamp("a [31m\ufffdb", None)),
    ],
)
def test_a_field_says_who_and_when(field: bytes, stamp: Stamp) -> None:
    (found,) = stamps(field + b"\r\n")
    assert found.time == stamp.time
    assert found.host.isprintable()
    assert found == stamp or b"\x1b" in field


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], []),
        ([0], [(SUBMISSION, 0, 0)]),
        ([3], [(SUBMISSION, 3, 0)]),
        ([-1, 0], [(SUBMISSION, 0, 0), (FINAL, 0, 0)]),
        ([0, 7, 8, 30], [(SUBMISSION, 0, 0), (TRANSIT, 7, 0), (TRANSIT, 0, 0), (FINAL, 22, 0)]),
        # A clock 20 s behind: its host's neighbour gets the time back.
        ([0, -20, 4], [(SUBMISSION, 0, 0), (TRANSIT, 0, 20), (FINAL, 4, 0)]),
        ([-20, 4], [(SUBMISSION, 0, 20), (FINAL, 4, 0)]),
        # A clock 8 h ahead: no hop took longer than until we saw the message.
        ([0, 28800, 4], [(SUBMISSION, 0, 0), (TRANSIT, 100, 28700), (FINAL, 0, 96)]),
        ([0, 105], [(SUBMISSION, 0, 0), (FINAL, 100, 5)]),
    ],
)
def test_delays(seconds: list[float], expected: list[tuple[HopKind, float, float]]) -> None:
    assert seen(way(*seconds)) == expected


def test_a_slow_reply_of_the_relay_is_no_skew() -> None:
    assert seen(way(-20, 4), launched_wall=AT - 21) == [(SUBMISSION, 0, 0), (FINAL, 4, 0)]
    assert seen(way(-20, 4), launched_wall=AT - 15) == [(SUBMISSION, 0, 5), (FINAL, 4, 0)]


def test_a_field_without_a_time_is_passed_over() -> None:
    header = received("c", 9) + b"Received: by b; whenever\r\n" + received("a", 0)
    assert seen(header) == [(SUBMISSION, 0, 0), (FINAL, 9, 0)]
    assert seen(received("b", 9) + b"Received: by a; whenever\r\n") == [(FINAL, 9, 0)]


def test_of_a_loop_the_newest_64_are_read() -> None:
    found = hops(way(*range(0, 400, 4)), accepted_wall=AT, seen_wall=AT + 500)
    assert len(found) == 64
    assert [hop.kind for hop in found] == [TRANSIT] * 63 + [FINAL]
    assert found[-1] == HopDelay(FINAL, 4.0, 0.0, "h99")


@given(st.lists(st.floats(-1e5, 1e5), max_size=8), st.floats(0, 1000))
def test_delays_are_never_negative_and_never_more_than_it_took(
    seconds: list[float], after: float
) -> None:
    found = seen(way(*seconds), after=after)
    assert all(delay >= 0 and skew >= 0 for _, delay, skew in found)
    assert sum(delay for _, delay, _ in found) <= after + 1e-6


noise = st.sampled_from(
    [
        b"Received: ",
        b"by ",
        b"from ",
        b"; ",
        b"(",
        b")",
        b"\\",
        b'"',
        b"\r\n",
        b"\r\n ",
        b"+0000 ",
        b"Sun, ",
        b"22 ",
        b"Nov ",
        b"2026 ",
        b"02:41:00 ",
        b"-99999999 ",
        b"GMT ",
        b"\xff",
        b"\0",
    ]
)


@given(st.binary() | st.lists(noise).map(b"".join))
def test_anything_can_be_read(header: bytes) -> None:
    seen(b"Received: by a;" + header)
